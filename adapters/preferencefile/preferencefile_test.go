package preferencefile_test

import (
	"context"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/adapters/preferencefile"
	"cms.gov/ab2d/application/preferences"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

const whole = "HDR_BENEDATARSP20260301\r\n1S00E00AA01N\r\n1S00E00AA02,1S00E00AA03Y\r\nnot a record\r\nTRL_BENEDATARSP202603010000000004\r\n"

func importing(t *testing.T, content string) (*memory.Store, int, error) {
	t.Helper()
	store, clock := memory.NewStore(), memory.NewClock(site.Start)
	use := preferences.UseCase{Store: store, Clock: clock}
	n, err := use.Import(t.Context(), domain.System("test"), "file.txt", preferencefile.New(strings.NewReader(content)).Preferences())
	return store, n, err
}

func stated(t *testing.T, store *memory.Store, mbi domain.MBI) (all []domain.Preference) {
	t.Helper()
	if err := store.View(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		found, err := tx.Preferences.Of(ctx, []domain.MBI{mbi})
		all = found[mbi]
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAFileIsRecordedAndConfirmed(t *testing.T) {
	store, n, err := importing(t, whole)
	if err != nil || n != 3 {
		t.Fatalf("%d preferences, %v", n, err)
	}
	for mbi, shares := range map[domain.MBI]bool{"1S00E00AA01": false, "1S00E00AA02": true, "1S00E00AA03": true} {
		if got := stated(t, store, mbi); len(got) != 1 || got[0].Shares != shares || got[0].Effective != 2026_03_01 || got[0].Source != "file.txt" {
			t.Errorf("recorded %+v", got)
		}
	}
	records, err := store.Find(t.Context(), "preferences.import", "file.txt", 10)
	if err != nil || len(records) != 1 || records[0].Detail["preferences"] != "3" || records[0].Detail["refusals"] != "1" {
		t.Errorf("the audit trail says %+v, %v", records, err)
	}
	var confirmation strings.Builder
	if err := preferencefile.New(strings.NewReader(whole)).Confirm(&confirmation, 2026_03_02); err != nil {
		t.Fatal(err)
	}
	const want = "HDR_BENECONFIRM20260302\n1S00E00AA0120260302NAccepted  00\n1S00E00AA0220260302YAccepted  00\n1S00E00AA0320260302YAccepted  00\n" +
		"not a recor         Rejected  02\nTRL_BENECONFIRM202603020000000004\n"
	if got := confirmation.String(); got != want {
		t.Errorf("confirmed\n%s\nwant\n%s", got, want)
	}
}

func TestOfAFileThatIsNotWholeNothingIsRecorded(t *testing.T) {
	for name, content := range map[string]string{
		"empty":               "",
		"no header":           whole[strings.Index(whole, "1S"):],
		"a header of no day":  strings.Replace(whole, "20260301", "20260230", 1),
		"cut off":             whole[:strings.Index(whole, "TRL")],
		"a record is missing": strings.Replace(whole, "1S00E00AA01N\r\n", "", 1),
		"a trailer cut off":   strings.TrimSuffix(whole, "0004\r\n"),
	} {
		store, _, err := importing(t, content)
		if domain.CodeOf(err) != domain.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		if got := stated(t, store, "1S00E00AA02"); len(got) > 0 {
			t.Errorf("%s: %d statements recorded", name, len(got))
		}
	}
}
