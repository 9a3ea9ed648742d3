package ab2d

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"cms.gov/ab2d/adapters/clock"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/host"
	"cms.gov/ab2d/adapters/hpms"
	"cms.gov/ab2d/adapters/reach"
	"cms.gov/ab2d/adapters/sealkey"
	"cms.gov/ab2d/application/sources"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// leastRoom is how much room there should be for the next export.
const leastRoom = 5 << 30

// Doctor looks at everything that a process with these settings needs, beside
// one that runs, and says what is wrong and what to do. It changes nothing but
// for files that it takes away again.
func Doctor(ctx context.Context, cfg *config.Config) []reach.Finding {
	d := &doctor{cfg: cfg}
	d.add("settings", reach.OK, "", "mode %s, roles %s; ab2d config shows all", cfg.Mode, cfg.Roles)
	d.room(ctx)
	d.database(ctx)
	d.files(ctx)
	d.keys()
	d.listener()
	d.upstreams(ctx)
	return d.found
}

type doctor struct {
	cfg   *config.Config
	found []reach.Finding
}

func (d *doctor) add(what string, state reach.State, fix, format string, args ...any) {
	d.found = append(d.found, reach.Finding{What: what, State: state, Text: fmt.Sprintf(format, args...), Fix: fix})
}

// room looks at the data directory.
func (d *doctor) room(context.Context) {
	info, err := os.Stat(d.cfg.DataDir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		d.add("data directory", reach.Warn, "It is made by ab2d serve; if there should be one, check data-dir.", "%s is not there", d.cfg.DataDir)
		return
	case err != nil:
		d.add("data directory", reach.Fail, "Let this user read it.", "%v", err)
		return
	case info.Mode().Perm()&0o007 != 0 && runtime.GOOS != "windows":
		d.add("data directory", reach.Warn, "chmod 700 "+d.cfg.DataDir, "%s can be read by everybody on this machine", d.cfg.DataDir)
	}
	d.found = append(d.found, reach.Writable("data directory", d.cfg.DataDir))
	if free, _, err := host.Room(d.cfg.DataDir); err == nil {
		state, fix := reach.OK, ""
		if free < leastRoom {
			state, fix = reach.Warn, "Make room: an export of 30,000 enrollees needs some 600 MB, and all wait while there is none."
		}
		d.add("room", state, fix, "%.1f GB are free", float64(free)/1e9)
	}
	if !d.cfg.Embedded() {
		return
	}
	// Opening the lock alone tells whether somebody holds it.
	if unlock, err := host.LockDir(d.cfg.DataDir); err != nil {
		d.add("process", reach.OK, "", "a process uses this directory")
	} else {
		unlock()
		d.add("process", reach.Skip, "", "no process uses this directory now")
	}
}

func (d *doctor) database(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if path, ok := strings.CutPrefix(d.cfg.DatabaseURL, "sqlite:"); ok {
		if _, err := os.Stat(path); err != nil {
			d.add("database", reach.Warn, "ab2d serve makes it in a sandbox, ab2d migrate in production.", "%v", err)
			return
		}
	}
	store, done, err := InitializeMigrator(ctx, d.cfg)
	if err != nil {
		d.add("database", reach.Fail, adviceOnDatabase(err), "%v", err)
		return
	}
	defer done()
	asked := time.Now()
	at, err := store.Time(ctx)
	if err != nil {
		d.add("database", reach.Fail, adviceOnDatabase(err), "%v", err)
		return
	}
	d.add("database", reach.OK, "", "it answers")
	if skew := max(asked.Sub(at), time.Until(at)); skew > 5*time.Second {
		d.add("database: clock", reach.Fail, "Set both clocks by NTP: leases are by the database's, tokens by this machine's.", "it differs by %s from this machine's", skew.Round(time.Second))
	} else {
		d.add("database: clock", reach.OK, "", "it agrees with this machine's")
	}
	d.schema(ctx, store)
}

func (d *doctor) schema(ctx context.Context, store *entstore.Store) {
	steps, err := store.Status(ctx)
	if err != nil {
		d.add("migrations", reach.Fail, adviceOnDatabase(err), "%v", err)
		return
	}
	var missing []string
	for _, m := range steps {
		if !m.Applied {
			missing = append(missing, m.Name)
		}
	}
	switch {
	case len(missing) > 0 && d.cfg.Mode == config.Sandbox:
		d.add("migrations", reach.Warn, "ab2d serve brings a sandbox up to date by itself.", "%d of %d are missing, the first is %s", len(missing), len(steps), missing[0])
	case len(missing) > 0:
		d.add("migrations", reach.Fail, "Run ab2d migrate with a role that may change the schema.", "%d of %d are missing, the first is %s", len(missing), len(steps), missing[0])
	default:
		d.add("migrations", reach.OK, "", "all %d are applied", len(steps))
		if d.cfg.Mode == config.Production {
			if err := store.CheckServing(ctx); err != nil {
				d.add("database: role", reach.Fail, "ab2d migrate --serving-role ROLE grants what serving needs and no more.", "%v", err)
			} else {
				d.add("database: role", reach.OK, "", "it cannot change what is in the audit trail")
			}
		}
		d.seals(ctx, store)
	}
}

// files writes a file, reads it and removes it.
func (d *doctor) files(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	const what = "file store"
	s3 := d.cfg.Storage == config.S3Storage
	if s3 {
		if !d.way(ctx, "S3", d.cfg.S3Endpoint) {
			return
		}
	} else if _, err := os.Stat(d.cfg.FilesDir()); errors.Is(err, os.ErrNotExist) {
		d.add(what, reach.Skip, "", "%s is not there yet; ab2d serve makes it", d.cfg.FilesDir())
		return
	}
	files, done, err := openFiles(ctx, d.cfg)
	if err != nil {
		d.add(what, reach.Fail, adviceOnStore(err, s3), "%v", err)
		return
	}
	defer done()
	key, content := "doctor/"+strings.ToLower(rand.Text()), []byte("a line that is taken away again\n")
	err = func() error {
		// A store that is asked for a list says what is wrong with our keys.
		for _, err := range files.List(ctx, "doctor/") {
			if err != nil {
				return err
			}
		}
		w, err := files.Create(ctx, key)
		if err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return errors.Join(err, w.Abort())
		}
		if err := w.Commit(); err != nil {
			return err
		}
		f, err := files.Open(ctx, key)
		if err != nil {
			return errors.Join(err, files.Delete(ctx, key))
		}
		got, err := io.ReadAll(f)
		if err == nil && string(got) != string(content) {
			err = errors.New("what is read is not what was written")
		}
		return errors.Join(err, f.Close(), files.Delete(ctx, key))
	}()
	if err != nil {
		d.add(what, reach.Fail, adviceOnStore(err, s3), "%v", err)
		return
	}
	d.add(what, reach.OK, "", "a file was written, read and removed")
}

// keys looks at the keys and certificates of the process itself.
func (d *doctor) keys() {
	switch {
	case d.cfg.AuditKey != "":
		if _, err := sealkey.Parse([]byte(d.cfg.AuditKey)); err != nil {
			d.add("audit-key", reach.Fail, "Make one with openssl genpkey -algorithm ed25519.", "%v", err)
		} else {
			d.add("audit-key", reach.OK, "", "it can sign")
		}
	case d.cfg.Mode == config.Production && d.cfg.HasRole(config.Worker):
		d.add("audit-key", reach.Fail, "Make one with openssl genpkey -algorithm ed25519, and name its file in AB2D_AUDIT_KEY_FILE.", "a worker seals the audit trail and has no key")
	}
	if _, err := provideSealKeys(d.cfg, nil); err != nil {
		d.add("audit-public-keys", reach.Fail, "Give a file with public keys in PEM one after another, as openssl pkey -pubout writes them.", "%v", err)
	}
	if d.cfg.TLSCert == "" {
		return
	}
	d.found = append(d.found, reach.Private("tls-key", d.cfg.TLSKey))
	pair, err := tls.LoadX509KeyPair(d.cfg.TLSCert, d.cfg.TLSKey)
	if err != nil {
		d.add("tls-cert", reach.Fail, "Both must be PEM; the key must belong to the first certificate of the chain.", "%v", err)
		return
	}
	chain := d.chain("tls-cert", pair)
	if u, err := url.Parse(d.cfg.PublicURL); err == nil && u.Host != "" && len(chain) > 0 {
		if err := chain[0].VerifyHostname(u.Hostname()); err != nil {
			d.add("public-url", reach.Fail, "Clients are sent to that name: have a certificate made for it.", "%v", err)
		}
	}
}

// chain looks at when the certificates of a pair end.
func (d *doctor) chain(what string, pair tls.Certificate) (chain []*x509.Certificate) {
	for _, der := range pair.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			d.add(what, reach.Fail, "Give the certificate in PEM.", "%v", err)
			return nil
		}
		chain = append(chain, c)
	}
	d.found = append(d.found, reach.Chain(what, chain, time.Now()))
	return chain
}

// seals looks whether the audit trail is sealed by a key that is known here.
func (d *doctor) seals(ctx context.Context, store *entstore.Store) {
	if d.cfg.AuditKey == "" && d.cfg.AuditPublicKeys == "" {
		return
	}
	signer, err := provideSigner(ctx, d.cfg, store)
	if err != nil {
		return // keys tells of it
	}
	keys, err := provideSealKeys(d.cfg, signer)
	if err != nil {
		return // the same
	}
	var last domain.Seal
	var waits []ports.AuditEntry
	err = store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		var err error
		if last, err = tx.Seals.Last(ctx); err != nil {
			return err
		}
		first, err := tx.AuditTrail.Unsealed(ctx, 0, 1)
		if err != nil || len(first) == 0 {
			return err
		}
		waits, err = tx.AuditTrail.Records(ctx, domain.NumbersOf(first))
		return err
	})
	switch {
	case err != nil:
		d.add("seals", reach.Fail, adviceOnDatabase(err), "%v", err)
	case last.Number > 0 && !keys.Signed(last):
		d.add("seals", reach.Fail, "Append the public half of the key that signed it to audit-public-keys; if nobody knows it, see what ab2d audit verify says.",
			"the last seal, %d of %s, is signed by a key that is neither audit-key nor among audit-public-keys", last.Number, last.At.Format(time.RFC3339))
	case len(waits) > 0 && time.Since(waits[0].At) > time.Minute+10*d.cfg.AuditSeal:
		d.add("seals", reach.Warn, "Look whether a worker with the audit key runs, and at its log.", "a record of the audit trail waits since %s to be sealed", waits[0].At.UTC().Format(time.RFC3339))
	default:
		d.add("seals", reach.OK, "", "the last seal is number %d, signed by a key that is known", last.Number)
	}
}

// listener looks whether somebody can listen, or does.
func (d *doctor) listener() {
	if !d.cfg.Answers() {
		return
	}
	l, err := net.Listen("tcp", d.cfg.Listen)
	switch {
	case err == nil:
		l.Close()
		d.add("listen", reach.OK, "", "%s is free: nothing answers there now", d.cfg.Listen)
	case errors.Is(err, syscall.EADDRINUSE):
		d.add("listen", reach.OK, "", "somebody answers on %s", d.cfg.Listen)
	default:
		d.add("listen", reach.Fail, "Give an address of this machine with --listen; ports below 1024 need a right of their own.", "%v", err)
	}
}

// upstreams looks at whatever else the process needs over the network.
func (d *doctor) upstreams(ctx context.Context) {
	quiet := slog.New(slog.DiscardHandler)
	if d.cfg.Claims == config.NDJSON {
		all, err := filepath.Glob(filepath.Join(d.cfg.ClaimsDir, "*.ndjson*"))
		if info, statErr := os.Stat(d.cfg.ClaimsDir); statErr != nil || !info.IsDir() || err != nil || len(all) == 0 {
			d.add("claims-dir", reach.Fail, "It must hold ExplanationOfBenefit in *.ndjson or *.ndjson.gz.", "%s has no claims: %v", d.cfg.ClaimsDir, errors.Join(err, statErr))
		} else {
			d.add("claims-dir", reach.OK, "", "%d files", len(all))
		}
	}
	if d.cfg.Claims == config.BFD {
		d.bfd(ctx, quiet)
	}
	if d.cfg.HPMSURL != "" {
		d.hpms(ctx)
	}
	if d.cfg.Auth == config.OktaAuth {
		d.issuer(ctx, "okta", d.cfg.OktaIssuer)
	}
	if d.cfg.ConsoleOIDCIssuer != "" {
		d.issuer(ctx, "console sign-in", d.cfg.ConsoleOIDCIssuer)
	}
}

func (d *doctor) bfd(ctx context.Context, quiet *slog.Logger) {
	if d.cfg.BFDCert != "" {
		key := cmp.Or(d.cfg.BFDKey, d.cfg.BFDCert)
		d.found = append(d.found, reach.Private("bfd-key", key))
		if pair, err := tls.LoadX509KeyPair(d.cfg.BFDCert, key); err == nil {
			d.chain("bfd-cert", pair)
		}
	}
	if !d.way(ctx, "BFD", d.cfg.BFDURL) {
		return
	}
	asking, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	source, err := provideBFD(d.cfg, &sources.Recorder{Clock: clock.System{}}, quiet)
	if err == nil {
		var through time.Time
		if through, err = source.CompleteThrough(asking); err == nil {
			d.add("BFD", reach.OK, "", "it answers us, and is complete through %s", through.UTC().Format(time.RFC3339))
			return
		}
	}
	d.add("BFD", reach.Fail, adviceOnBFD(err), "%v", err)
}

func (d *doctor) hpms(ctx context.Context) {
	if d.cfg.HPMSSecretFile != "" {
		d.found = append(d.found, reach.Private("hpms-secret-file", d.cfg.HPMSSecretFile))
	}
	if !d.way(ctx, "HPMS", d.cfg.HPMSURL) {
		return
	}
	asking, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	settings := hpmsSettings(d.cfg)
	settings.Tries = 1 // this is about now
	all, err := hpms.New(settings).Contracts(asking)
	switch {
	case err != nil:
		d.add("HPMS", reach.Fail, adviceOnHPMS(err), "%v", err)
	case len(all) == 0:
		d.add("HPMS", reach.Fail, "Ask its operators; contracts stay as they are until it lists some.", "it lists no contract at all")
	default:
		d.add("HPMS", reach.OK, "", "it lists %d contracts", len(all))
	}
}

// way looks at the way to an address that is asked for more elsewhere. Its TLS
// may want a certificate of ours or know another authority, so what it says of
// that is for those to judge.
func (d *doctor) way(ctx context.Context, what, address string) (ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		d.add(what, reach.Fail, "Correct the address.", "%v", err)
		return false
	}
	config := &tls.Config{}
	if what == "BFD" && d.cfg.BFDCA != "" {
		text, err := os.ReadFile(d.cfg.BFDCA)
		config.RootCAs = x509.NewCertPool()
		if err != nil || !config.RootCAs.AppendCertsFromPEM(text) {
			d.add("bfd-ca", reach.Fail, "Give a PEM file.", "%s has no certificate: %v", d.cfg.BFDCA, err)
			return false
		}
	}
	found, ok := reach.Address(ctx, what, u, config)
	d.found = append(d.found, found...)
	return ok
}

// issuer looks at who vouches for tokens, as those who check them do: the way
// there, its clock, what it says of itself, and its keys.
func (d *doctor) issuer(ctx context.Context, what, issuer string) {
	u, err := url.Parse(issuer)
	if err != nil {
		d.add(what, reach.Fail, "Correct the address.", "%v", err)
		return
	}
	found, ok := reach.Address(ctx, what, u, nil)
	if d.found = append(d.found, found...); !ok {
		return
	}
	const correct = "Correct the issuer: it is written as it stands in tokens, and has a document of itself at /.well-known/openid-configuration."
	well := strings.TrimRight(issuer, "/") + "/.well-known/openid-configuration"
	res, body, clock, err := reach.Get(ctx, &http.Client{}, what, well)
	if err != nil {
		d.add(what, reach.Fail, cmp.Or(onTheWay(err, "it"), correct), "%v", err)
		return
	}
	d.found = append(d.found, clock)
	var told struct {
		Issuer string
		Keys   string `json:"jwks_uri"`
	}
	switch {
	case res.StatusCode != http.StatusOK:
		d.add(what, reach.Fail, correct, "%s answers %s", well, res.Status)
		return
	case json.Unmarshal(body, &told) != nil || told.Issuer == "":
		d.add(what, reach.Fail, correct, "%s is no document of an issuer", well)
		return
	case told.Issuer != issuer:
		d.add(what, reach.Fail, correct, "it calls itself %s", told.Issuer)
		return
	}
	var set struct{ Keys []json.RawMessage }
	res, body, _, err = reach.Get(ctx, &http.Client{}, what, told.Keys)
	switch {
	case err != nil:
		d.add(what, reach.Fail, "Let this machine reach that address too.", "its keys: %v", err)
	case res.StatusCode != http.StatusOK || json.Unmarshal(body, &set) != nil || len(set.Keys) == 0:
		d.add(what, reach.Fail, "Ask its operators: without its keys no token can be checked.", "there is no key at %s, which answers %s", told.Keys, res.Status)
	default:
		d.add(what, reach.OK, "", "it tells of itself at %s and has %d keys", well, len(set.Keys))
	}
}
