package oversight

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Job is the whole story of a job.
type Job struct {
	JobRow
	By         domain.Client // who started it; empty when it is no longer known
	Partitions []domain.Partition
	Files      []JobFile
	Attested   map[domain.ContractNumber]bool // which contracts are attested today
	History    []ports.AuditEntry             // the latest first
}

// JobFile is a file of a job with everything that was sent of it.
type JobFile struct {
	domain.OutputFile
	Fetches   int       // how often any client fetched it whole
	FetchedAt time.Time // the last time
	Transfers []Transfer
}

// Transfer is one answer that sent bytes of a file.
type Transfer struct {
	At       time.Time
	Client   string
	From     string
	Form     string
	Start    int64 // the first byte sent
	End      int64 // the byte behind the last
	Size     int64 // of the whole file in this form
	Complete bool  // the client had all bytes with this
}

// Bytes returns how many bytes were sent.
func (t Transfer) Bytes() int64 { return t.End - t.Start }

// told bounds how much of a job's history a page shows.
const told = 1000

// Job returns a job, for any role. It fails with not_found.
func (u *UseCase) Job(ctx context.Context, who domain.Staff, id domain.JobID) (job Job, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "job.see", string(id)); err != nil {
		return job, err
	}
	accounts := map[string][]domain.Download{}
	var files []domain.OutputFile
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		j, err := tx.Jobs.Get(ctx, id)
		if domain.CodeOf(err) == domain.NotFound {
			return domain.Errorf(domain.NotFound, "There is no job %s.", id).WithNext("It may have been pruned, or the id is mistyped. Search for its first eight characters.")
		} else if err != nil {
			return err
		}
		rows, err := u.rows(ctx, tx, []*domain.ExportJob{j})
		if err != nil {
			return err
		}
		job.JobRow, job.Attested = rows[0], map[domain.ContractNumber]bool{}
		if job.By, err = tx.Clients.Get(ctx, job.Client); err != nil && domain.CodeOf(err) != domain.NotFound {
			return err
		}
		for _, n := range job.Contracts {
			events, err := tx.Attestations.Of(ctx, n)
			if err != nil {
				return err
			}
			job.Attested[n] = domain.StandingOn(events, domain.Today(u.Clock.Now())).Active
		}
		if job.Partitions, err = tx.Partitions.OfJob(ctx, id); err != nil {
			return err
		}
		if files, err = tx.Files.OfJob(ctx, id); err != nil {
			return err
		}
		for _, f := range files {
			if accounts[f.Name], err = tx.Downloads.OfFile(ctx, id, f.Name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return job, err
	}
	entries, err := u.Audit.Search(ctx, ports.AuditQuery{Target: string(id), Limit: told})
	if err != nil {
		return job, err
	}
	job.tell(entries, files, accounts)
	return job, nil
}

// tell puts the transfers to their files and leaves the rest as history.
func (job *Job) tell(entries []ports.AuditEntry, files []domain.OutputFile, accounts map[string][]domain.Download) {
	transfers := map[string][]Transfer{}
	for _, e := range entries {
		name, ofFile := strings.CutPrefix(e.Target, string(job.ID)+"/")
		if !ofFile || e.Action != "file.download" {
			job.History = append(job.History, e)
			continue
		}
		number := func(key string) int64 { n, _ := strconv.ParseInt(e.Detail[key], 10, 64); return n } // written by us
		transfers[name] = append(transfers[name], Transfer{At: e.At, Client: e.Actor.ID, From: e.Actor.From, Form: e.Detail["form"],
			Start: number("from"), End: number("to"), Size: number("size")})
	}
	for _, f := range files {
		file := JobFile{OutputFile: f, Transfers: transfers[f.Name]}
		for _, a := range accounts[f.Name] {
			file.Fetches += a.Fetches
			if a.FetchedAt.After(file.FetchedAt) {
				file.FetchedAt = a.FetchedAt
			}
		}
		markComplete(file.Transfers)
		job.Files = append(job.Files, file)
	}
}

// markComplete finds the transfers with which a client had a file whole, by the
// rule that accounts go by.
func markComplete(transfers []Transfer) {
	accounts := map[[2]string]*domain.Download{}
	for i := range slices.Backward(transfers) { // the oldest first
		t := &transfers[i]
		key := [2]string{t.Client, t.Form}
		if accounts[key] == nil {
			accounts[key] = &domain.Download{}
		}
		before := accounts[key].Fetches
		accounts[key].Record(t.At, domain.ByteRange{Start: t.Start, End: t.End}, t.Size)
		t.Complete = accounts[key].Fetches > before
	}
}

// Cause is a reason why enrollees or claims are in the error files, and how
// many.
type Cause struct {
	Code  string
	Text  string
	Count int
}

// causesRead bounds how many lines of error files are read to group them.
const causesRead = 100_000

// Causes groups the lines of a job's error files by what they say. It reads no
// more than a bounded number of lines, and says whether that was all. Files that
// were deleted meanwhile have none. Nothing of it names an enrollee.
func (u *UseCase) Causes(ctx context.Context, who domain.Staff, job Job) (causes []Cause, all bool, err error) {
	if err := u.permit(ctx, who, domain.MaySee, "job.see", string(job.ID)); err != nil {
		return nil, false, err
	}
	count, lines := map[Cause]int{}, 0
	for _, f := range job.Files {
		if f.Kind != domain.ErrorFile || lines >= causesRead {
			continue
		}
		n, err := u.readCauses(ctx, f.OutputFile, causesRead-lines, count)
		if err != nil && domain.CodeOf(err) != domain.NotFound {
			return nil, false, err
		}
		lines += n
	}
	for c, n := range count {
		c.Count = n
		causes = append(causes, c)
	}
	slices.SortFunc(causes, func(a, b Cause) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Text, b.Text)) })
	return causes, lines < causesRead, nil
}

func (u *UseCase) readCauses(ctx context.Context, f domain.OutputFile, most int, count map[Cause]int) (lines int, err error) {
	stored, err := u.Files.Open(ctx, f.Key)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stored.Close()) }()
	plain, err := u.Packing.Unpack(stored, f.Index, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, plain.Close()) }()
	scan := bufio.NewScanner(plain)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() && lines < most {
		var outcome struct {
			Issue []struct {
				Code    string
				Details struct{ Text string }
			}
		}
		if err := json.Unmarshal(scan.Bytes(), &outcome); err != nil {
			return lines, err
		}
		for _, i := range outcome.Issue {
			count[Cause{Code: i.Code, Text: i.Details.Text}]++
		}
		lines++
	}
	return lines, scan.Err()
}
