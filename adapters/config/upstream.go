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

// EnrollmentSettings say where enrollment comes from and how it is taken in.
type EnrollmentSettings struct {
	Enrollment            string
	EnrollmentEvery       time.Duration
	EnrollmentOlderEvery  time.Duration
	EnrollmentRecent      int
	EnrollmentDropShare   float64
	EnrollmentPage        int
	EnrollmentConnections int
	EnrollmentWait        time.Duration
}

func (c *Config) enrollmentFlags(fs *flag.FlagSet) {
	fs.StringVar(&c.Enrollment, "enrollment", "", "where enrollment comes from: bfd, month by month, or synthetic or ndjson with the claims, once at the start (default as claims)")
	fs.DurationVar(&c.EnrollmentEvery, "enrollment-every", 24*time.Hour, "with enrollment=bfd: how often recent months are taken in again")
	fs.DurationVar(&c.EnrollmentOlderEvery, "enrollment-older-every", 30*24*time.Hour, "and the other months")
	fs.IntVar(&c.EnrollmentRecent, "enrollment-recent", 3, "how many months are recent, the present one included")
	fs.Float64Var(&c.EnrollmentDropShare, "enrollment-drop-share", 0.1, "share of a contract's enrollees in a month; when more than that would no longer be enrolled, a person has to release it")
	fs.IntVar(&c.EnrollmentPage, "enrollment-page", 4000, "people asked for at once")
	fs.IntVar(&c.EnrollmentConnections, "enrollment-connections", 4, "months of a contract asked for at once")
	fs.DurationVar(&c.EnrollmentWait, "enrollment-wait", 24*time.Hour, "how long an export waits for the first enrollment of its contract")
}

// checkEnrollment completes and refuses what concerns enrollment.
func (c *Config) checkEnrollment(refuse func(format string, args ...any)) {
	if c.Enrollment == "" {
		c.setDefault("enrollment", c.Claims)
	}
	if c.Enrollment != c.Claims && c.Enrollment != BFD && c.Enrollment != Synthetic || c.Enrollment == BFD && c.BFDURL == "" {
		refuse("enrollment is %q and claims is %q; it can come with the claims, or be synthetic, or bfd, which needs bfd-url", c.Enrollment, c.Claims)
	}
	if c.Mode == Production && c.Enrollment == Synthetic {
		refuse("enrollment is synthetic; production refuses made-up people")
	}
	if c.EnrollmentDropShare < 0 || c.EnrollmentDropShare > 1 {
		refuse("enrollment-drop-share is %g; it is a share from 0 to 1", c.EnrollmentDropShare)
	}
	for name, n := range map[string]int64{"enrollment-every": int64(c.EnrollmentEvery), "enrollment-older-every": int64(c.EnrollmentOlderEvery), "enrollment-recent": int64(c.EnrollmentRecent),
		"enrollment-page": int64(c.EnrollmentPage), "enrollment-connections": int64(c.EnrollmentConnections), "enrollment-wait": int64(c.EnrollmentWait)} {
		if n <= 0 {
			refuse("%s must be more than zero", name)
		}
	}
}
