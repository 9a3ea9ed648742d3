package clients_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/jwks"
	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/application/clients"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

var start = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

var by = clients.By{Actor: domain.Actor{Kind: "staff", ID: "dana", From: "192.0.2.1"}, Roles: []domain.Role{domain.Operator}, Reason: "asked for by letter"}

type bundle struct {
	*testing.T
	*clients.UseCase
	store *memory.Store
	clock *memory.Clock
}

func setup(t *testing.T) *bundle {
	t.Helper()
	clock := memory.NewClock(start)
	store := memory.NewStoreAt(clock.Now)
	err := store.Do(t.Context(), func(ctx context.Context, tx ports.Tx) error {
		for _, s := range []domain.SponsorID{"one", "two"} {
			if err := tx.Sponsors.Put(ctx, domain.Sponsor{ID: s, Name: string(s)}); err != nil {
				return err
			}
		}
		for n, s := range map[domain.ContractNumber]domain.SponsorID{"S0001": "one", "S0002": "one", "S0003": "two"} {
			if err := tx.Contracts.Put(ctx, domain.Contract{Number: n, Sponsor: s}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return &bundle{t, &clients.UseCase{Store: store, Clock: clock, KeySets: jwks.Checker{}, SecretKey: domain.SecretKey("key")}, store, clock}
}

func (b *bundle) create(change ...func(*clients.New)) (clients.Created, error) {
	b.Helper()
	cmd := clients.New{By: by, Sponsor: "one", Name: "A Client", Contracts: []domain.ContractNumber{"S0002", "S0001", "S0002"}, Secret: true}
	for _, c := range change {
		c(&cmd)
	}
	return b.Create(b.Context(), cmd)
}

func (b *bundle) created(change ...func(*clients.New)) clients.Created {
	b.Helper()
	c, err := b.create(change...)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// counts reports whether a secret counts now.
func (b *bundle) counts(id domain.ClientID, secret string) bool {
	b.Helper()
	c, err := b.Get(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	return c.HasSecret(b.SecretKey.Hash(secret), b.clock.Now())
}

func (b *bundle) audited(action string) []domain.AuditRecord {
	b.Helper()
	records, err := b.store.Find(b.Context(), action, "", 100)
	if err != nil {
		b.Fatal(err)
	}
	return records
}

func TestAClientIsCreatedWithASecretThatIsKeptNowhere(t *testing.T) {
	b := setup(t)
	c := b.created()
	known, err := b.Get(t.Context(), c.Client.ID)
	if err != nil || !known.Enabled || !slices.Equal(known.Contracts, []domain.ContractNumber{"S0001", "S0002"}) {
		t.Errorf("the client is %+v, %v", known, err)
	}
	if len(c.Secret) < 40 || !b.counts(c.Client.ID, c.Secret) || b.counts(c.Client.ID, c.Secret+"x") || b.counts(c.Client.ID, "") {
		t.Errorf("the secret %q is not the one that counts", c.Secret)
	}
	if other := b.created(); other.Secret == c.Secret || other.Client.ID == c.Client.ID {
		t.Error("two clients are alike")
	}
	records := b.audited(clients.Create)
	if len(records) != 2 || records[1].Target != string(c.Client.ID) || records[1].Actor != by.Actor || records[1].Detail["reason"] != by.Reason {
		t.Fatalf("the record is %+v", records)
	}
	for _, value := range records[1].Detail {
		if strings.Contains(value, c.Secret) {
			t.Error("the record holds the secret")
		}
	}
}

func TestSecretsOverlapWhileTheyAreRotated(t *testing.T) {
	b := setup(t)
	first := b.created()
	id := first.Client.ID
	rotate := func(overlap time.Duration) string {
		t.Helper()
		c, err := b.Rotate(t.Context(), by, id, overlap)
		if err != nil {
			t.Fatal(err)
		}
		return c.Secret
	}
	second := rotate(24 * time.Hour)
	b.clock.Advance(24*time.Hour - time.Second)
	if !b.counts(id, first.Secret) || !b.counts(id, second) {
		t.Error("within the overlap one of the two does not count")
	}
	third := rotate(72 * time.Hour)
	if b.counts(id, first.Secret) || !b.counts(id, second) || !b.counts(id, third) {
		t.Error("of three secrets not the last two count")
	}
	b.clock.Advance(72 * time.Hour)
	if b.counts(id, second) || !b.counts(id, third) {
		t.Error("after the overlap not the last alone counts")
	}
	fourth := rotate(0)
	if b.counts(id, third) || !b.counts(id, fourth) {
		t.Error("without an overlap not the new one alone counts")
	}
	c, err := b.Get(t.Context(), id)
	if err != nil || len(c.Secrets) != 1 {
		t.Fatalf("there are %d secrets, %v", len(c.Secrets), err)
	}
	if err := b.RevokeSecret(t.Context(), by, id, "none"); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("revoking none: %v", err)
	}
	if err := b.RevokeSecret(t.Context(), by, id, c.Secrets[0].ID); err != nil || b.counts(id, fourth) {
		t.Errorf("a revoked secret counts, %v", err)
	}
	if _, err := b.Rotate(t.Context(), by, id, clients.LongestOverlap+1); domain.CodeOf(err) != domain.Invalid {
		t.Errorf("an overlap too long: %v", err)
	}
	if records := b.audited(clients.Rotate); len(records) != 3 || records[2].Detail["overlap"] != "24h0m0s" {
		t.Errorf("the records are %+v", records)
	}
}

func TestASecretOfLimitedLifeIsNotProlonged(t *testing.T) {
	b := setup(t)
	b.Settings.SecretLife = 48 * time.Hour
	first := b.created()
	b.clock.Advance(47 * time.Hour)
	if _, err := b.Rotate(t.Context(), by, first.Client.ID, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(59 * time.Minute)
	if !b.counts(first.Client.ID, first.Secret) {
		t.Error("it ended before its time")
	}
	if b.clock.Advance(time.Minute); b.counts(first.Client.ID, first.Secret) {
		t.Error("it counts longer than it lives")
	}
}

func TestWhatAClientCannotBeIsRefused(t *testing.T) {
	block := func(all ...string) func(*clients.New) {
		return func(c *clients.New) {
			for _, s := range all {
				c.Networks = append(c.Networks, netip.MustParsePrefix(s))
			}
		}
	}
	keys := func(k domain.ClientKeys) func(*clients.New) { return func(c *clients.New) { c.Keys = k } }
	nine := []string{"10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16", "10.6.0.0/16", "10.7.0.0/16", "10.8.0.0/16"}
	for name, tt := range map[string]struct {
		change func(*clients.New)
		want   domain.Code
	}{
		"a client":                   {func(*clients.New) {}, ""},
		"an id of another issuer":    {func(c *clients.New) { c.ID = "0oa2t0lsrdZw5uWRx297" }, ""},
		"eight blocks":               {block(nine[:8]...), ""},
		"eight blocks, one twice":    {block(append(nine[:8:8], "10.7.1.0/16")...), ""},
		"keys at an address":         {keys(domain.ClientKeys{URL: "https://sponsor.example.com/jwks.json"}), ""},
		"nine blocks":                {block(nine...), domain.Invalid},
		"a block that is everything": {block("0.0.0.0/0"), domain.Invalid},
		"a block that is none":       {func(c *clients.New) { c.Networks = []netip.Prefix{{}} }, domain.Invalid},
		"an odd id":                  {func(c *clients.New) { c.ID = "a b" }, domain.Invalid},
		"no name":                    {func(c *clients.New) { c.Name = " " }, domain.Invalid},
		"no sponsor":                 {func(c *clients.New) { c.Sponsor = "none" }, domain.Invalid},
		"no contract":                {func(c *clients.New) { c.Contracts = nil }, domain.Invalid},
		"another's contract":         {func(c *clients.New) { c.Contracts = []domain.ContractNumber{"S0001", "S0003"} }, domain.Invalid},
		"a contract that is not":     {func(c *clients.New) { c.Contracts = []domain.ContractNumber{"S0009"} }, domain.Invalid},
		"keys that are none":         {keys(domain.ClientKeys{Set: "{}"}), domain.Invalid},
		"keys twice":                 {keys(domain.ClientKeys{URL: "https://sponsor.example.com/jwks.json", Set: "{}"}), domain.Invalid},
		"keys at no address":         {keys(domain.ClientKeys{URL: "jwks.json"}), domain.Invalid},
		"keys for everybody to see":  {keys(domain.ClientKeys{URL: "http://127.0.0.1/jwks.json"}), domain.Invalid},
		"keys with a password":       {keys(domain.ClientKeys{URL: "https://a:b@sponsor.example.com/jwks.json"}), domain.Invalid},
		"no reason":                  {func(c *clients.New) { c.Reason = " " }, domain.Invalid},
		"a client doing it":          {func(c *clients.New) { c.Actor.Kind = "client" }, domain.Forbidden},
		"nobody doing it":            {func(c *clients.New) { c.Actor = domain.Actor{} }, domain.Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			c, err := b.create(tt.change)
			if domain.CodeOf(err) != tt.want {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			want := "done"
			if err != nil {
				if want = string(tt.want); c.Secret != "" {
					t.Error("a refusal shows a secret")
				}
				if all, _ := b.List(t.Context()); len(all) != 0 {
					t.Error("it was kept all the same")
				}
			}
			if records := b.audited(clients.Create); len(records) != 1 || records[0].Outcome != want {
				t.Errorf("the record is %+v, want %s", records, want)
			}
		})
	}
	b := setup(t)
	b.created(func(c *clients.New) { c.ID = "same" })
	if _, err := b.create(func(c *clients.New) { c.ID = "same" }); domain.CodeOf(err) != domain.Conflict {
		t.Errorf("a second of that id: %v", err)
	}
}

func TestAClientIsChanged(t *testing.T) {
	b := setup(t)
	id := b.created().Client.ID
	b.Settings.PlainKeys = true
	networks, err := clients.ParseNetworks("192.0.2.77/24, 198.51.100.1\n2001:db8::1 ::ffff:203.0.113.0/120")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		b.SetEnabled(t.Context(), by, id, false),
		b.SetNetworks(t.Context(), by, id, networks),
		b.SetKeys(t.Context(), by, id, domain.ClientKeys{URL: "http://127.0.0.1:8080/jwks.json"}),
		b.SetContracts(t.Context(), by, id, []domain.ContractNumber{"S0002"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	c, err := b.Get(t.Context(), id)
	if err != nil || c.Enabled || c.Keys.URL == "" || len(c.Contracts) != 1 {
		t.Errorf("the client is %+v, %v", c, err)
	}
	for addr, want := range map[string]bool{"192.0.2.1": true, "::ffff:192.0.2.1": true, "198.51.100.1": true, "198.51.100.2": false, "2001:db8::1": true,
		"2001:db8::2": false, "203.0.113.255": true, "203.0.114.0": false} {
		if c.MayCallFrom(netip.MustParseAddr(addr)) != want {
			t.Errorf("it may call from %s: %v", addr, !want)
		}
	}
	if r := b.audited(clients.Networks); len(r) != 1 || r[0].Detail["before"] != "any" ||
		r[0].Detail["after"] != "192.0.2.0/24 198.51.100.1/32 203.0.113.0/24 2001:db8::1/128" {
		t.Errorf("the record is %+v", r)
	}
	if err := b.SetEnabled(t.Context(), by, "none", true); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("a client that is not there: %v", err)
	}
	for _, bad := range []string{"192.0.2", "host.example.com", "192.0.2.0/33", "fe80::1%eth0"} {
		if _, err := clients.ParseNetworks(bad); domain.CodeOf(err) != domain.Invalid {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestOfTwoRotationsAtOnceNoneIsLost(t *testing.T) {
	b := setup(t)
	id := b.created().Client.ID
	secrets := make(chan string, 2)
	for range 2 {
		go func() {
			c, err := b.Rotate(context.WithoutCancel(t.Context()), by, id, time.Hour)
			if err != nil {
				t.Error(err)
			}
			secrets <- c.Secret
		}()
	}
	for range 2 {
		if s := <-secrets; !b.counts(id, s) {
			t.Error("a new secret does not count")
		}
	}
}
