package console_test

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/memory/site"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

var versionField = regexp.MustCompile(`name="version" value="([0-9a-f]*)"`)

// saw returns what the form of a page brings: its token, a reason, and the
// version of what it is about.
func (v *visitor) saw(path string, pairs ...string) url.Values {
	v.t.Helper()
	m := versionField.FindStringSubmatch(v.get(path).body)
	if m == nil {
		v.t.Fatalf("%s tells no version", path)
	}
	form := url.Values{"token": {v.token(path)}, "reason": {"as their letter asks for"}, "version": {m[1]}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

func (w *world) party(id domain.SponsorID) (s domain.Sponsor) {
	w.Do(func(ctx context.Context, tx ports.Tx) (err error) {
		s, err = tx.Sponsors.Get(ctx, id)
		return err
	})
	return s
}

func (w *world) held(n domain.ContractNumber) (c domain.Contract) {
	w.Do(func(ctx context.Context, tx ports.Tx) (err error) {
		c, err = tx.Contracts.Get(ctx, n)
		return err
	})
	return c
}

// Staff register a sponsor and a contract that HPMS does not know, and change them.
func TestSponsorsAndContractsAreKeptByHand(t *testing.T) {
	w := newWorld(t)
	mia := w.signIn(t, "sandbox-attestation")
	made := mia.post("/console/sponsors/new", mia.saw("/console/sponsors/new", "name", " Lake Plans ", "parent", "Lake Group"))
	id := domain.SponsorID(strings.TrimPrefix(path(made), "/console/sponsors/"))
	if made.status != 303 || w.party(id).Name != "Lake Plans" {
		t.Fatalf("adding a sponsor is answered %d %s", made.status, made.to)
	}
	contract := []string{"number", "z1234", "name", "Lake Test", "type", "synthea", "sponsor", string(id), "updates", "none"}
	if a := mia.post("/console/contracts/new", mia.saw("/console/contracts/new", contract...)); a.status != 303 || !strings.HasPrefix(a.to, "/console/contracts/Z1234") {
		t.Fatalf("adding a contract is answered %d %s", a.status, a.to)
	}
	if c := w.held("Z1234"); c.Type != domain.SyntheaContract || c.Sponsor != id || c.Updates != domain.NoUpdates {
		t.Errorf("the contract is %+v", c)
	}
	if page := mia.get("/console/contracts/Z1234").body; !strings.Contains(page, "Synthea test") || !strings.Contains(page, "Lake Plans") {
		t.Error("its page does not tell what it is")
	}
	for what, change := range map[string]struct {
		path  string
		pairs []string
		want  int
	}{
		"the same number again":     {"/console/contracts/new", contract, 409},
		"no number":                 {"/console/contracts/new", append([]string{"number", "12"}, contract[2:]...), 422},
		"no sponsor":                {"/console/contracts/new", []string{"number", "Z1235", "name", "x", "type", "normal", "sponsor", "nobody", "updates", "manual"}, 422},
		"a test that HPMS keeps":    {"/console/contracts/new", []string{"number", "Z1235", "name", "x", "type", "synthea", "sponsor", string(id), "updates", "automatic"}, 409},
		"a way that there is not":   {"/console/contracts/Z1234/edit", append(contract[2:8:8], "updates", "odd"), 422},
		"a sponsor without a name":  {"/console/sponsors/new", []string{"name", " "}, 422},
		"without a reason":          {"/console/sponsors/new", []string{"name", "x", "reason", "no"}, 422},
		"a sponsor into itself":     {"/console/sponsors/" + string(id) + "/merge", []string{"into", string(id)}, 422},
		"into nobody":               {"/console/sponsors/" + string(id) + "/merge", []string{"into", "nobody"}, 422},
		"the contract of a client":  {"/console/contracts/S0001/edit", []string{"name", "One", "type", "normal", "sponsor", string(id), "updates", "manual"}, 409},
		"what is attested":          {"/console/sponsors/sponsor/deactivate", nil, 409},
		"activating what is active": {"/console/sponsors/sponsor/activate", nil, 409},
	} {
		if a := mia.post(change.path, mia.saw(change.path, change.pairs...)); a.status != change.want {
			t.Errorf("%s is answered %d, want %d", what, a.status, change.want)
		}
	}
	edit := "/console/contracts/S0001/edit"
	if a := mia.post(edit, mia.saw(edit, "name", "Another name", "type", "normal", "sponsor", "sponsor", "updates", "manual")); a.status != 303 || w.held("S0001").Name != "Another name" {
		t.Errorf("editing is answered %d", a.status)
	}
	if did := w.trail(t, "contract.edit"); did[len(did)-1].Detail["name"] != "Mia Chen" || !strings.Contains(did[len(did)-1].Detail["after"], `name "Another name"`) || !strings.Contains(did[len(did)-1].Detail["before"], "updates automatic") || did[len(did)-1].Detail["reason"] == "" {
		t.Errorf("the trail tells %+v", did)
	}
	if page := mia.get("/console/contracts?updates=none").body; !strings.Contains(page, "Z1234") || strings.Contains(page, "S0002") {
		t.Error("the list is not narrowed to contracts of tests")
	}
	off := "/console/sponsors/" + string(id) + "/deactivate"
	if a := mia.post(off, mia.saw(off)); a.status != 303 || !w.party(id).Inactive {
		t.Errorf("deactivating is answered %d", a.status)
	}
	dana := w.signIn(t, "sandbox-operator")
	if a := dana.fill("/console/clients/new", "name", "Nightly", "contracts", "Z1234", "networks", "192.0.2.0/24"); a.status != 409 || !strings.Contains(a.body, "not active") {
		t.Errorf("a client of a sponsor that is not active is answered %d", a.status)
	}
}

// Of two people who change the same, the second is told by whom it was changed,
// when and into what, and loses nothing that was typed.
func TestWhoIsSlowerIsTold(t *testing.T) {
	w := newWorld(t)
	mia, kim := w.signIn(t, "sandbox-attestation"), w.signIn(t, "sandbox-admin")
	for _, form := range []string{"/console/sponsors/sponsor/edit", "/console/contracts/S0001/edit"} {
		fields := func(name string) []string {
			return []string{"name", name, "type", "normal", "sponsor", "sponsor", "updates", "manual"}
		}
		slow := mia.saw(form, fields("Of Mia")...)
		if a := kim.post(form, kim.saw(form, fields("Of Kim")...)); a.status != 303 {
			t.Fatalf("the first is answered %d", a.status)
		}
		w.Clock.Advance(14e9)
		slow.Set("reason", "no") // what is wrong beside that does not hide it
		if a := mia.post(form, slow); a.status != 422 || !strings.Contains(a.body, slow.Get("version")) {
			t.Errorf("without a reason the second is answered %d", a.status)
		}
		slow.Set("reason", "as their letter asks for")
		a := mia.post(form, slow)
		if a.status != 409 || !strings.Contains(a.body, "changed by Kim Larsen 14") || !strings.Contains(a.body, "is now “Of Kim”; yours is “Of Mia”") || !strings.Contains(a.body, `value="Of Mia"`) {
			t.Errorf("the second is answered %d: %s", a.status, a.body)
		}
		again := versionField.FindStringSubmatch(a.body)
		slow.Set("version", again[1])
		if a := mia.post(form, slow); a.status != 303 {
			t.Errorf("sent again, knowingly, it is answered %d", a.status)
		}
	}
}

// A merger moves all of a sponsor to the other, and loses nothing: the client
// goes on, may use its jobs, and an export that begins at that moment is the other's.
func TestSponsorsAreMerged(t *testing.T) {
	w := newWorld(t)
	mia := w.signIn(t, "sandbox-attestation")
	made := mia.post("/console/sponsors/new", mia.saw("/console/sponsors/new", "name", "Lake Plans"))
	into := strings.TrimPrefix(path(made), "/console/sponsors/")
	client := func() (k domain.Client) {
		w.Do(func(ctx context.Context, tx ports.Tx) (err error) {
			k, err = tx.Clients.Get(ctx, "client")
			return err
		})
		return k
	}
	before := client()
	form := "/console/sponsors/sponsor/merge"
	if page := mia.get(form).body; !strings.Contains(page, "cannot be undone") || !strings.Contains(page, "3 contracts") {
		t.Error("the form does not say what is done")
	}
	if a := mia.post(form, mia.saw(form, "into", into)); a.status != 303 || !strings.HasPrefix(a.to, "/console/sponsors/"+into) {
		t.Fatalf("merging is answered %d %s", a.status, a.to)
	}
	after := client()
	if string(after.Sponsor) != into || !after.Enabled || len(after.Secrets) != len(before.Secrets) || len(after.Contracts) != len(before.Contracts) {
		t.Errorf("the client is %+v", after)
	}
	w.Do(func(ctx context.Context, tx ports.Tx) error {
		for state, id := range w.jobs {
			j, err := tx.Jobs.Get(ctx, id)
			if err != nil || !after.MayUse(j) {
				t.Errorf("the client may not use the job that is %s: %v", state, err)
			}
		}
		if n, err := tx.JobList.Count(ctx, ports.JobQuery{Sponsor: "sponsor"}); n != 0 || err != nil {
			t.Errorf("%d jobs are left behind, %v", n, err)
		}
		return nil
	})
	if c := w.held(site.First); string(c.Sponsor) != into || !w.standing(site.First).Active {
		t.Errorf("the contract is %+v", c)
	}
	page := mia.get("/console/sponsors/sponsor").body
	if !strings.Contains(page, "Merged into") || strings.Contains(page, "/sponsors/sponsor/edit") {
		t.Error("the page of the one that is gone does not say so")
	}
	if a := mia.post("/console/sponsors/"+into+"/merge", mia.saw("/console/sponsors/"+into+"/merge", "into", "sponsor")); a.status != 409 {
		t.Errorf("merging back is answered %d", a.status)
	}
	if did := w.trail(t, "sponsor.merge"); len(did) < 2 || !strings.Contains(did[len(did)-2].Detail["after"], "S0001") {
		t.Errorf("the trail tells %+v", did)
	}
}
