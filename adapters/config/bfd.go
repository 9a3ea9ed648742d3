package config

import (
	"flag"
	"net/url"
	"strconv"
	"time"
)

// BFDSettings are those of claims=bfd.
type BFDSettings struct {
	BFDURL              string
	BFDCA               string
	BFDCert             string
	BFDKey              string
	BFDKeystore         string
	BFDKeystorePassword string
	BFDPage             int
	BFDConnections      int
	BFDTotal            int
	BFDFixed            int
	BFDTimeout          time.Duration
	BFDRenew            time.Duration
	BFDProbe            string
}

func (c *Config) bfdFlags(fs *flag.FlagSet) {
	fs.StringVar(&c.BFDURL, "bfd-url", "", "base address of the Beneficiary FHIR Data server of claims=bfd, as https://prod.bfd.cms.gov")
	fs.StringVar(&c.BFDCA, "bfd-ca", "", "PEM file of the authorities of its certificate (default those of the system); this and the next are read again when they change")
	fs.StringVar(&c.BFDCert, "bfd-cert", "", "PEM file of our certificate for it")
	fs.StringVar(&c.BFDKey, "bfd-key", "", "PEM file of the key (default the same file)")
	fs.StringVar(&c.BFDKeystore, "bfd-keystore", "", "PKCS12 file of both, instead of the two")
	fs.StringVar(&c.BFDKeystorePassword, "bfd-keystore-password", "", "its password")
	fs.IntVar(&c.BFDPage, "bfd-page", 0, "claims of a page; 0 for all of a person's in one answer")
	fs.IntVar(&c.BFDConnections, "bfd-connections", 100, "calls at once by this process at most; how many there are is found out by how BFD answers")
	fs.IntVar(&c.BFDTotal, "bfd-connections-total", 0, "calls at once by all processes together at most; 0 for no bound")
	fs.IntVar(&c.BFDFixed, "bfd-fixed", 0, "calls at once, always so many, instead of finding out; for measuring")
	fs.DurationVar(&c.BFDTimeout, "bfd-timeout", 30*time.Second, "from a call to the first byte of its answer, and again for each megabyte of it")
	fs.DurationVar(&c.BFDRenew, "bfd-renew", 2*time.Minute, "how long connections are used before new ones take their place, so that a change of address is noticed")
	fs.StringVar(&c.BFDProbe, "bfd-probe", "-20140000000001", "id of somebody made up who is asked about to learn whether BFD answers and how far it is complete")
}

// checkBFD completes and refuses what concerns claims=bfd.
func (c *Config) checkBFD(refuse func(format string, args ...any)) {
	if c.BFDURL != "" && c.isDefault("claims") {
		c.setDefault("claims", BFD)
	}
	u, err := url.Parse(c.BFDURL)
	switch {
	case c.Claims != BFD:
		if c.BFDURL != "" {
			refuse("bfd-url is for claims=bfd, and claims is %q", c.Claims)
		}
		return
	case c.BFDURL == "":
		refuse("claims=bfd needs bfd-url")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil:
		refuse("bfd-url must be an http or https address without a name or password")
	case u.Scheme == "http" && (c.Mode == Production || !loopback(u.Hostname())):
		refuse("bfd-url is %q; only a stand-in on loopback, in the sandbox, is asked without TLS", c.BFDURL)
	case c.Mode == Production && c.BFDCert == "" && c.BFDKeystore == "":
		refuse("claims=bfd needs bfd-cert or bfd-keystore in production, by which BFD knows us")
	}
	if c.BFDKeystore != "" && (c.BFDCert != "" || c.BFDKey != "") {
		refuse("bfd-keystore is given and bfd-cert or bfd-key too; our certificate is PEM or PKCS12, not both")
	}
	for name, n := range map[string]int64{"bfd-connections": int64(c.BFDConnections), "bfd-timeout": int64(c.BFDTimeout), "bfd-renew": int64(c.BFDRenew)} {
		if n <= 0 {
			refuse("%s must be more than zero", name)
		}
	}
	if c.BFDPage < 0 || c.BFDTotal < 0 || c.BFDFixed < 0 {
		refuse("bfd-page, bfd-connections-total and bfd-fixed must not be less than zero")
	}
	if c.isDefault("lookahead") {
		c.setDefault("lookahead", strconv.Itoa(c.BFDConnections))
	}
}

// isDefault reports whether nobody set a setting.
func (c *Config) isDefault(name string) bool {
	for _, s := range c.settings {
		if s.flag.Name == name {
			return s.origin == "default"
		}
	}
	return false
}
