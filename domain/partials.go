package domain

import "time"

// Partials are what an export told of its files before it was complete, where its
// client asked for that (allowPartialManifests of the Bulk Data guide).
type Partials struct {
	Allowed bool
	Pages   []ManifestPage `json:",omitempty"`
}

// ManifestPage is a part of a job's manifest. It has the files of the partitions
// that follow those of the page before. Once it was told it never changes.
type ManifestPage struct {
	Through int // the last partition whose files it has
	Files   int // how many they are
	At      time.Time
}

// Published returns how far pages of the manifest go: the last partition whose
// files are in one, and how many files are in all of them.
func (j *ExportJob) Published() (through, files int) {
	for _, p := range j.s.Partials.Pages {
		through, files = p.Through, files+p.Files
	}
	return through, files
}

// Publish adds a page to the manifest of a job in progress, of the partitions up
// to through. It refuses with a conflict where nobody asked for pages, and for
// partitions that are in one already.
func (j *ExportJob) Publish(at time.Time, through, files int) error {
	if last, _ := j.Published(); j.s.State != InProgress || !j.s.Partials.Allowed || through < last {
		return Errorf(Conflict, "job %s is %s and has no page to add behind partition %d", j.s.ID, j.s.State, last)
	}
	pages := j.s.Partials.Pages
	j.s.Partials.Pages = append(pages[:len(pages):len(pages)], ManifestPage{through, files, at})
	return nil
}

// NewManifestPage derives a page of a job's manifest, counted from 1, from the
// job's files in the order of their names. It returns false when there is no such page.
//
// What is known only in the end, as what became of everybody, is on the page that
// completes the manifest.
func NewManifestPage(j *ExportJob, page int, files []OutputFile) (Manifest, bool) {
	pages := j.s.Partials.Pages
	if page < 1 || page > len(pages) {
		return Manifest{}, false
	}
	first := 0
	for _, p := range pages[:page-1] {
		first += p.Files
	}
	m := NewManifest(j, files[first:first+pages[page-1].Files])
	m.Page, m.More = page, page < len(pages)
	if m.More || j.s.State == InProgress {
		m.Accounts, m.Skipped, m.Retries = nil, nil, nil
	}
	m.Whole = !m.More && j.s.State != InProgress
	return m, true
}
