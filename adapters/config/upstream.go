package config

import (
	"flag"
	"net/url"
	"time"
)

// HPMSSettings say where contracts and attestation come from.
type HPMSSettings struct {
	HPMSURL        string
	HPMSKeyID      string
	HPMSSecretFile string
	HPMSEvery      time.Duration
	HPMSDropShare  float64
}

func (c *Config) hpmsFlags(fs *flag.FlagSet) {
	fs.StringVar(&c.HPMSURL, "hpms-url", "", "base address of HPMS, which contracts and attestation then follow, as https://hpms.cms.gov")
	fs.StringVar(&c.HPMSKeyID, "hpms-key-id", "", "id of our key there (default that of the stand-in, in the sandbox)")
	fs.StringVar(&c.HPMSSecretFile, "hpms-secret-file", "", "file with the secret of the key; it is read again at each sign-in")
	fs.DurationVar(&c.HPMSEvery, "hpms-every", time.Hour, "how often HPMS is asked")
	fs.Float64Var(&c.HPMSDropShare, "hpms-drop-share", 0.1, "share of the attested contracts; when HPMS would end more than that at once, a person has to release it")
}

// checkHPMS refuses what concerns HPMS and cannot be.
func (c *Config) checkHPMS(refuse func(format string, args ...any)) {
	if c.HPMSDropShare < 0 || c.HPMSDropShare > 1 {
		refuse("hpms-drop-share is %g; it is a share from 0 to 1", c.HPMSDropShare)
	}
	if c.HPMSEvery <= 0 {
		refuse("hpms-every must be more than zero")
	}
	u, err := url.Parse(c.HPMSURL)
	switch {
	case c.HPMSURL == "":
		if c.HPMSKeyID != "" || c.HPMSSecretFile != "" {
			refuse("hpms-key-id and hpms-secret-file are for hpms-url, which is not given")
		}
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil:
		refuse("hpms-url must be an http or https address without a name or password")
	case u.Scheme == "http" && (c.Mode == Production || !loopback(u.Hostname())):
		refuse("hpms-url is %q; only a stand-in on loopback, in the sandbox, is asked without TLS", c.HPMSURL)
	case (c.HPMSKeyID == "") != (c.HPMSSecretFile == ""), c.Mode == Production && c.HPMSKeyID == "":
		refuse("hpms-url needs hpms-key-id and hpms-secret-file")
	}
}
