package bfd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// Credentials are the files by which we and the server know each other. All are
// read again when they change.
type Credentials struct {
	CA string // PEM of the authorities that the server's certificate may be of; empty for the system's

	Cert, Key string // PEM of our certificate and its key; Key may be empty when Cert holds both

	Keystore         string // PKCS12 of the same, instead of Cert and Key
	KeystorePassword string
}

// expiring is how long before a certificate ends somebody should be told.
const expiring = 14 * 24 * time.Hour

// loaded is what the files held when they were read.
type loaded struct {
	config *tls.Config
	ends   time.Time // of our certificate; zero for none
	stamps []stamp
}

type stamp struct {
	modified time.Time
	size     int64
}

func (c *Credentials) files() (all []string) {
	for _, f := range []string{c.CA, c.Cert, c.Key, c.Keystore} {
		if f != "" {
			all = append(all, f)
		}
	}
	return all
}

func (c *Credentials) stamps() (all []stamp, err error) {
	for _, f := range c.files() {
		info, err := os.Stat(f)
		if err != nil {
			return nil, err
		}
		all = append(all, stamp{info.ModTime(), info.Size()})
	}
	return all, nil
}

// load reads the files.
func (c *Credentials) load() (l loaded, err error) {
	// The stamps come first: a file that changes while it is read is read again.
	if l.stamps, err = c.stamps(); err != nil {
		return l, err
	}
	l.config = &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return l, err
		}
		l.config.RootCAs = x509.NewCertPool()
		if !l.config.RootCAs.AppendCertsFromPEM(text) {
			return l, fmt.Errorf("%s holds no certificate", c.CA)
		}
	}
	own, err := c.own()
	if err != nil || own == nil {
		return l, err
	}
	leaf, err := x509.ParseCertificate(own.Certificate[0])
	if err != nil {
		return l, err
	}
	l.config.Certificates, l.ends = []tls.Certificate{*own}, leaf.NotAfter
	return l, nil
}

// own returns our certificate, or nil when we have none.
func (c *Credentials) own() (*tls.Certificate, error) {
	switch {
	case c.Keystore != "":
		content, err := os.ReadFile(c.Keystore)
		if err != nil {
			return nil, err
		}
		key, leaf, chain, err := pkcs12.DecodeChain(content, c.KeystorePassword)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Keystore, err)
		}
		pair := &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
		for _, more := range chain {
			pair.Certificate = append(pair.Certificate, more.Raw)
		}
		return pair, nil
	case c.Cert != "":
		key := c.Key
		if key == "" {
			key = c.Cert
		}
		pair, err := tls.LoadX509KeyPair(c.Cert, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Cert, err)
		}
		return &pair, nil
	}
	return nil, nil
}

// Check reads the files once, for who wants to know before anything starts.
func (c *Credentials) Check() error {
	if c.Keystore != "" && (c.Cert != "" || c.Key != "") {
		return errors.New("a certificate is given as PEM or as PKCS12, not as both")
	}
	_, err := c.load()
	return err
}
