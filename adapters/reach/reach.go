// Package reach finds out why another machine cannot be reached, step by step,
// and says what to do about it.
package reach

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"
)

// Finding is what one look came to.
type Finding struct {
	What  string `json:"what"`
	State State  `json:"state"`
	Text  string `json:"text"`
	Fix   string `json:"fix,omitempty"`
}

// State is how a finding is.
type State string

// The states.
const (
	OK   State = "ok"
	Warn State = "warn" // it works, and will not for ever or not always
	Fail State = "FAIL"
	Skip State = "-" // there was nothing to look at
)

const (
	patience = 10 * time.Second // for each step
	soon     = 21 * 24 * time.Hour
	// MostSkew is how far clocks may differ. Assertions of clients hold five minutes
	// at most, and tokens are checked to the second by some.
	MostSkew = 60 * time.Second
)

// Address looks at the way to an address: its name, the connection, TLS with the
// chain of certificates and their end, and the clock there. It returns false
// where there is no use in looking further.
func Address(ctx context.Context, what string, u *url.URL, config *tls.Config) (found []Finding, ok bool) {
	add := func(step string, state State, fix, format string, args ...any) {
		found = append(found, Finding{what + ": " + step, state, fmt.Sprintf(format, args...), fix})
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err == nil && proxy != nil {
		add("proxy", OK, "", "%s is asked through the proxy %s, as HTTPS_PROXY or HTTP_PROXY say", host, proxy.Host)
		host, port = proxy.Hostname(), cmp.Or(proxy.Port(), "80")
		config = nil // what is behind it shows when something is asked
		u = &url.URL{Scheme: "http"}
	}
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	addresses, err := (&net.Resolver{}).LookupHost(ctx, host)
	if err != nil {
		add("name", Fail, "Check the address, and the name servers of this machine (/etc/resolv.conf).", "%s has no address: %v", host, err)
		return found, false
	}
	add("name", OK, "", "%s is %s", host, strings.Join(addresses, ", "))
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	var refused *net.OpError
	switch {
	case err == nil:
	case errors.As(err, &refused) && refused.Timeout():
		add("connection", Fail, "A firewall drops it, on the way out of here or there: have port "+port+" to "+host+" opened.", "port %s does not answer within %s", port, patience)
		return found, false
	default:
		add("connection", Fail, "Check the port, and whether the server runs.", "port %s: %v", port, err)
		return found, false
	}
	defer conn.Close()
	add("connection", OK, "", "port %s answers", port)
	if u.Scheme != "https" {
		return found, true
	}
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	config.ServerName, config.MinVersion = host, tls.VersionTLS12
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		found = append(found, tlsFault(what, host, err))
		return found, false
	}
	state := secure.ConnectionState()
	found = append(found, Chain(what, state.PeerCertificates, time.Now()))
	return found, true
}

func tlsFault(what, host string, err error) Finding {
	f := Finding{What: what + ": TLS", State: Fail, Text: err.Error()}
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &name):
		f.Fix = "The certificate is for " + strings.Join(name.Certificate.DNSNames, ", ") + ": use that name, or have the server get one for " + host + "."
	case errors.As(err, &unknown):
		f.Fix = "Nobody whom this machine trusts vouches for the certificate. If the authority is your own or that of a proxy, give it as a PEM file; else do not go on."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		f.Fix = "The certificate has expired or is not valid yet: check the clock of this machine; if it is right, tell the server's operators."
	default:
		f.Fix = "The server has to speak TLS 1.2 or later on this port."
	}
	return f
}

// Chain looks at when the certificates of a chain end.
func Chain(what string, chain []*x509.Certificate, now time.Time) Finding {
	f := Finding{What: what + ": TLS", State: OK}
	if len(chain) == 0 {
		return Finding{what + ": TLS", Fail, "there is no certificate", "Give the file of the certificate and its chain."}
	}
	first := chain[0]
	for _, c := range chain {
		if c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	f.Text = fmt.Sprintf("the chain of %d holds until %s", len(chain), first.NotAfter.UTC().Format(time.DateOnly))
	switch left := first.NotAfter.Sub(now); {
	case left <= 0:
		f.State, f.Fix = Fail, "Have "+first.Subject.CommonName+" renewed."
	case left < soon:
		f.State, f.Fix = Warn, fmt.Sprintf("%s ends in %d days: have it renewed.", cmp.Or(first.Subject.CommonName, "A certificate"), int(left/(24*time.Hour)))
	}
	return f
}

// Clock compares the clock of this machine with what an answer says of the
// other's. Its Date has seconds, and the answer took time.
func Clock(what string, h http.Header, asked, answered time.Time) Finding {
	f := Finding{What: what + ": clock", State: OK}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return Finding{f.What, Skip, "the answer has no Date", ""}
	}
	skew := time.Duration(0)
	if late := asked.Sub(date.Add(time.Second)); late > 0 {
		skew = late
	} else if early := date.Sub(answered); early > 0 {
		skew = -early
	}
	f.Text = fmt.Sprintf("this machine is %s %s", skew.Abs().Round(time.Second), map[bool]string{true: "behind", false: "ahead"}[skew < 0])
	if skew.Abs() < 2*time.Second {
		f.Text = "this machine agrees"
	}
	if skew.Abs() > MostSkew {
		f.State, f.Fix = Fail, "Set the clock of this machine by NTP (timedatectl set-ntp true); if it is right, tell the other's operators. Tokens fail with clocks that differ."
	}
	return f
}

// Get asks an address once and returns the answer with the beginning of its
// body, and what it says of the clock.
func Get(ctx context.Context, client *http.Client, what, address string) (res *http.Response, body []byte, clock Finding, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, clock, err
	}
	req.Header.Set("Accept", "application/json, application/fhir+json")
	asked := time.Now()
	if res, err = client.Do(req); err != nil {
		return nil, nil, clock, err
	}
	defer res.Body.Close()
	clock = Clock(what, res.Header, asked, time.Now())
	body, err = io.ReadAll(io.LimitReader(res.Body, 4<<20))
	return res, body, clock, err
}

// Private looks whether a file with a secret can be read by us and by nobody
// else.
func Private(what, name string) Finding {
	f, err := os.Open(name)
	if err != nil {
		return Finding{what, Fail, err.Error(), "Give the name of a file that this user may read."}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Finding{what, Fail, err.Error(), ""}
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 && runtime.GOOS != "windows" {
		return Finding{what, Warn, fmt.Sprintf("%s can be read by everybody (its mode is %04o)", name, mode), "chmod 600 " + name}
	}
	return Finding{what, OK, name + " can be read", ""}
}

// Writable looks whether files can be made in a folder.
func Writable(what, dir string) Finding {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return Finding{what, Fail, err.Error(), "Make the folder, and let this user write there."}
	}
	_, err = f.WriteString("a line that is taken away again\n")
	if err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name())); err != nil {
		return Finding{what, Fail, err.Error(), "Look whether the disk is full or read-only."}
	}
	return Finding{what, OK, dir + " can be written", ""}
}
