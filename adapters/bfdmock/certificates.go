package bfdmock

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// The files that Certificates makes in its folder.
const (
	CAFile        = "ca.pem"
	ServerFile    = "server.pem" // certificate and key
	ClientFile    = "client.pem" // the same
	ClientP12File = "client.p12" // the same again, as PKCS12
	P12Password   = "changeit"   // of that file
)

// Certificates makes an authority of its own in a folder, and certificates of it
// for a server on loopback and for a client, valid for so long. An authority
// that is there already is used again, so that a client's certificate can be
// replaced while a server runs.
func Certificates(dir string, valid time.Duration) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ca, err := loadAuthority(dir)
	if errors.Is(err, os.ErrNotExist) {
		ca, err = newAuthority(dir)
	}
	if err != nil {
		return err
	}
	server, err := ca.issue("localhost", valid, x509.ExtKeyUsageServerAuth)
	if err != nil {
		return err
	}
	client, err := ca.issue("ab2d", valid, x509.ExtKeyUsageClientAuth)
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(client.Certificate[0])
	if err != nil {
		return err
	}
	p12, err := pkcs12.Modern.Encode(client.PrivateKey, leaf, []*x509.Certificate{ca.cert}, P12Password)
	if err != nil {
		return err
	}
	return errors.Join(writePair(filepath.Join(dir, ServerFile), server), writePair(filepath.Join(dir, ClientFile), client),
		replace(filepath.Join(dir, ClientP12File), p12))
}

// ServerTLS is the settings of a server with those certificates. With mutual it
// wants one of the authority's from each client.
func ServerTLS(dir string, mutual bool) (*tls.Config, error) {
	file := filepath.Join(dir, ServerFile)
	pair, err := tls.LoadX509KeyPair(file, file)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if mutual {
		text, err := os.ReadFile(filepath.Join(dir, CAFile))
		if err != nil {
			return nil, err
		}
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		c.ClientCAs.AppendCertsFromPEM(text)
	}
	return c, nil
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

const authorityFile = "authority.pem" // certificate and key of the authority

func newAuthority(dir string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority of a stand-in"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if err := writePair(filepath.Join(dir, authorityFile), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}); err != nil {
		return nil, err
	}
	if err := replace(filepath.Join(dir, CAFile), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil {
		return nil, err
	}
	return loadAuthority(dir)
}

func loadAuthority(dir string) (*authority, error) {
	file := filepath.Join(dir, authorityFile)
	pair, err := tls.LoadX509KeyPair(file, file)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, err
	}
	return &authority{cert, pair.PrivateKey.(*ecdsa.PrivateKey)}, nil
}

func (a *authority) issue(name string, valid time.Duration, usage x509.ExtKeyUsage) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{usage}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func writePair(file string, c tls.Certificate) error {
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	return replace(file, append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...))
}

// replace puts a file in the place of another at once, so that nobody reads half of it.
func replace(file string, content []byte) error {
	if err := os.WriteFile(file+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
