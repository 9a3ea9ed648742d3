package memory

import (
	"context"
	"slices"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// outputFiles implements ports.OutputFiles.
type outputFiles struct{ *unit }

func (s outputFiles) Add(ctx context.Context, files []domain.OutputFile) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	all := s.files
	for _, f := range files {
		same := func(g domain.OutputFile) bool { return g.Job == f.Job && g.Name == f.Name }
		if slices.ContainsFunc(all, same) {
			return domain.Errorf(domain.Conflict, "job %s has a file of that name already", f.Job)
		}
		if _, there := s.jobs[f.Job]; !there {
			return domain.Errorf(domain.Invalid, "the file belongs to no job")
		}
		all = append(all, f)
	}
	s.files = all
	return nil
}

func (s outputFiles) OfJob(ctx context.Context, id domain.JobID) ([]domain.OutputFile, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	var files []domain.OutputFile
	for _, f := range s.files {
		if f.Job == id {
			files = append(files, f)
		}
	}
	return files, nil
}

func (s outputFiles) Get(ctx context.Context, id domain.JobID, name string) (domain.OutputFile, error) {
	files, err := s.OfJob(ctx, id)
	if err != nil {
		return domain.OutputFile{}, err
	}
	i := slices.IndexFunc(files, func(f domain.OutputFile) bool { return f.Name == name })
	if i < 0 {
		return domain.OutputFile{}, domain.Errorf(domain.NotFound, "job %s has no file of that name", id)
	}
	return files[i], nil
}

// downloads implements ports.Downloads.
type downloads struct{ *unit }

func (s downloads) OfFile(ctx context.Context, id domain.JobID, name string) ([]domain.Download, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	var accounts []domain.Download
	for key, d := range s.downloads {
		if key.Job == id && key.File == name {
			accounts = append(accounts, d)
		}
	}
	return accounts, nil
}

func (s downloads) Fetched(ctx context.Context, id domain.JobID) ([]string, error) {
	if err := s.reading(ctx); err != nil {
		return nil, err
	}
	var names []string
	for key, d := range s.downloads {
		if key.Job == id && d.Fetches > 0 && !slices.Contains(names, key.File) {
			names = append(names, key.File)
		}
	}
	return names, nil
}

func (s downloads) Update(ctx context.Context, key domain.DownloadKey, change func(*domain.Download)) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	d := s.downloads[key]
	d.Key, d.Sent = key, slices.Clone(d.Sent)
	change(&d)
	s.downloads[key] = d
	return nil
}

type pollKey struct {
	job    domain.JobID
	client domain.ClientID
}

// polls implements ports.Polls.
type polls struct{ *unit }

func (s polls) Last(ctx context.Context, id domain.JobID, client domain.ClientID) (ports.Poll, bool, error) {
	if err := s.reading(ctx); err != nil {
		return ports.Poll{}, false, err
	}
	p, there := s.polls[pollKey{id, client}]
	return p, there, nil
}

func (s polls) Put(ctx context.Context, id domain.JobID, client domain.ClientID, p ports.Poll) error {
	if err := s.changing(ctx); err != nil {
		return err
	}
	s.polls[pollKey{id, client}] = p
	return nil
}
