package domain_test

import (
	"testing"
	"time"

	"cms.gov/ab2d/domain"
)

func running(t *testing.T) *domain.ExportJob {
	t.Helper()
	j := domain.NewExportJob(domain.ExportJobState{ID: domain.NewJobID(), Contracts: []domain.ContractNumber{"S0001"}, CreatedAt: noon})
	if err := j.Begin(noon, noon, []domain.ContractPlan{{Contract: "S0001", Enrolled: 3}}); err != nil {
		t.Fatal(err)
	}
	return j
}

func account3(c domain.Columns) []domain.Account {
	return []domain.Account{{Contract: "S0001", Columns: c}}
}

func TestAJobSucceedsOnlyWhenEveryEnrolleeIsAccountedFor(t *testing.T) {
	j := running(t)
	for _, wrong := range [][]domain.Account{
		nil,
		account3(domain.Columns{Exported: 2}),
		account3(domain.Columns{Exported: 2, NoClaims: 1, Failed: 1}),
		{{Contract: "S0002", Columns: domain.Columns{Exported: 3}}},
	} {
		if err := j.Succeed(noon, time.Hour, wrong); err == nil || j.State().State != domain.InProgress {
			t.Errorf("succeeded with %+v (%v)", wrong, err)
		}
	}
	if err := j.Succeed(noon, time.Hour, account3(domain.Columns{Exported: 1, NoClaims: 1, Failed: 1})); err != nil {
		t.Errorf("refused although everyone is accounted for: %v", err)
	}
}

func TestIllegalMovesAreRefused(t *testing.T) {
	done, failed, cancelled := running(t), running(t), running(t)
	if err := done.Succeed(noon, time.Hour, account3(domain.Columns{Exported: 3})); err != nil {
		t.Fatal(err)
	}
	if err := failed.Fail(noon, domain.Failure{}); err != nil {
		t.Fatal(err)
	}
	if err := cancelled.Cancel(noon); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"a running job begins":    running(t).Begin(noon, noon, nil),
		"a successful job fails":  done.Fail(noon, domain.Failure{}),
		"a failed job succeeds":   failed.Succeed(noon, time.Hour, account3(domain.Columns{Exported: 3})),
		"a cancelled job begins":  cancelled.Begin(noon, noon, nil),
		"a cancelled job fails":   cancelled.Fail(noon, domain.Failure{}),
		"a job expires too early": done.Expire(noon.Add(time.Hour - 1)),
	} {
		if domain.CodeOf(err) != domain.Conflict {
			t.Errorf("%s: %v, want a conflict", name, err)
		}
	}
	if err := cancelled.Cancel(noon); domain.CodeOf(err) != domain.Deleted {
		t.Errorf("cancelled twice: %v, want deleted", err)
	}
	if err := done.Cancel(noon); err != nil {
		t.Errorf("a finished job cannot be deleted: %v", err)
	}
}

func TestExpiryIsSeenBeforeAnybodyMarksIt(t *testing.T) {
	j := running(t)
	if err := j.Succeed(noon, time.Hour, account3(domain.Columns{Exported: 3})); err != nil {
		t.Fatal(err)
	}
	if err := j.CheckReadable(noon.Add(time.Hour - time.Second)); err != nil {
		t.Errorf("unreadable within its time: %v", err)
	}
	if err := j.CheckReadable(noon.Add(time.Hour)); domain.CodeOf(err) != domain.Expired {
		t.Errorf("past its time: %v, want expired", err)
	}
	if err := j.Expire(noon.Add(time.Hour)); err != nil {
		t.Error(err)
	}
}

func TestFilesAreNamedByThePartitionsAlone(t *testing.T) {
	part := func(seq int, contract domain.ContractNumber, kinds ...domain.FileKind) domain.Partition {
		p := domain.Partition{ID: domain.PartitionID{Job: "j", Seq: seq}, Contract: contract}
		for _, k := range kinds {
			p.Result.Files = append(p.Result.Files, domain.StoredFile{Kind: k})
		}
		return p
	}
	var names []string
	for _, f := range domain.NameFiles([]domain.Partition{
		part(1, "S0001", domain.DataFile, domain.DataFile, domain.ErrorFile), part(2, "S0001"),
		part(3, "S0001", domain.DataFile, domain.ErrorFile), part(4, "S0002", domain.DataFile),
	}) {
		names = append(names, f.Name)
	}
	want := []string{"S0001_0001.ndjson", "S0001_0002.ndjson", "S0001_0001_error.ndjson", "S0001_0003.ndjson", "S0001_0002_error.ndjson", "S0002_0001.ndjson"}
	for i := range want {
		if len(names) != len(want) || names[i] != want[i] {
			t.Fatalf("names %v, want %v", names, want)
		}
	}
}

func TestProgressNeverSaysAllWhileAJobRuns(t *testing.T) {
	if got := (domain.Progress{Processed: 100, Members: 100}).Percent(); got != 99 {
		t.Errorf("%d%%, want 99%%", got)
	}
	if got := (domain.Progress{}).Percent(); got != 0 {
		t.Errorf("%d%% of nothing", got)
	}
}
