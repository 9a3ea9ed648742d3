package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cms.gov/ab2d/adapters/config"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func show(t *testing.T, c *config.Config) string {
	t.Helper()
	var out strings.Builder
	if err := c.Show(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestFlagsCountForMoreThanVariablesAndThoseForMoreThanTheFile(t *testing.T) {
	file := write(t, "ab2d.yaml", "lease: 1m\ndownloads: 5\nworkers: 7\n")
	c, args, err := config.Load([]string{"--config", file, "--lease", "3m", "rest"}, []string{"AB2D_LEASE=2m", "AB2D_DOWNLOADS=4", "HOME=/"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Lease.Minutes() != 3 || c.Downloads != 4 || c.Workers != 7 || c.JobsPerContract != 3 || len(args) != 1 || args[0] != "rest" {
		t.Errorf("lease %s, downloads %d, workers %d, jobs %d, arguments %v", c.Lease, c.Downloads, c.Workers, c.JobsPerContract, args)
	}
	for _, line := range []string{
		`lease +3m0s +flag --lease`, `downloads +4 +variable AB2D_DOWNLOADS`, `workers +7 +\S+ab2d.yaml:3`, `jobs-per-contract +3 +default`,
		`database-url +sqlite:var/ab2d.db +default`,
	} {
		if !regexp.MustCompile(line).MatchString(show(t, c)) {
			t.Errorf("no line %q in\n%s", line, show(t, c))
		}
	}
}

func TestAConfigFileCanBeNamedByAVariable(t *testing.T) {
	c, _, err := config.Load(nil, []string{"AB2D_CONFIG=" + write(t, "ab2d.yaml", "file_life: 72h\n")})
	if err != nil || c.FileLife.Hours() != 72 {
		t.Fatalf("%v, %v", c, err)
	}
}

func TestSecretsCanBeGivenAsAFileAndAreNotShown(t *testing.T) {
	c, _, err := config.Load(nil, []string{"AB2D_DATABASE_URL_FILE=" + write(t, "url", "postgres://u:hunter2@db/ab2d\n")})
	if err != nil || c.DatabaseURL != "postgres://u:hunter2@db/ab2d" {
		t.Fatal(err)
	}
	if strings.Contains(show(t, c), "hunter2") {
		t.Error("a password is shown")
	}
}

func TestVariablesOfTheClientAreNoSettings(t *testing.T) {
	if _, _, err := config.Load(nil, []string{"AB2D_CLIENT_ID=x", "AB2D_CLIENT_SECRET=y", "AB2D_TOKEN=z"}); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		args, environ []string
		file          string
		want          string
	}{
		"unknown flag":                       {args: []string{"--leese", "1m"}, want: "leese"},
		"unknown variable":                   {environ: []string{"AB2D_LEESE=1m"}, want: "AB2D_LEESE is not a setting"},
		"unknown key":                        {file: "leese: 1m\n", want: "leese is not a setting"},
		"a list where one value belongs":     {file: "lease: [1m]\n", want: "single value"},
		"no YAML":                            {file: "lease: [\n", want: "ab2d.yaml"},
		"a value that does not parse":        {environ: []string{"AB2D_LEASE=soon"}, want: "AB2D_LEASE"},
		"a weight that is none":              {args: []string{"--weights", "S0001=0"}, want: "S0001=0"},
		"links of a store that has none":     {args: []string{"--presigned", "1h", "--downloads", "0"}, want: "presigned needs storage=s3"},
		"a storage that is none":             {args: []string{"--storage", "tape"}, want: "storage is"},
		"a store that is nowhere":            {environ: []string{"AB2D_STORAGE=s3", "AB2D_S3_BUCKET=files"}, want: "needs s3-endpoint and s3-bucket"},
		"a store without a bucket":           {environ: []string{"AB2D_STORAGE=s3", "AB2D_S3_ENDPOINT=https://s3.example.org"}, want: "needs s3-endpoint and s3-bucket"},
		"a store that is no address":         {args: []string{"--storage", "s3", "--s3-bucket", "files", "--s3-endpoint", "s3.example.org"}, want: "s3-endpoint must be"},
		"a store's address with its keys":    {args: []string{"--storage", "s3", "--s3-bucket", "files", "--s3-endpoint", "https://u:hunter2@s3.example.org"}, want: "s3-endpoint holds"},
		"a bucket that nothing goes to":      {args: []string{"--s3-bucket", "files"}, want: "are for storage=s3"},
		"a style of addresses that is none":  {args: []string{"--s3-path-style", "yes"}, want: "s3-path-style"},
		"an encryption that is none":         {args: []string{"--s3-encryption", "rot13"}, want: "s3-encryption"},
		"a key service without a key":        {args: []string{"--s3-encryption", "kms"}, want: "kms needs a key"},
		"parts that S3 does not take":        {args: []string{"--s3-part-size", "1024"}, want: "s3-part-size"},
		"fewer than no downloads":            {args: []string{"--downloads", "-1"}, want: "downloads must not be less than zero"},
		"zero workers":                       {args: []string{"--workers", "0"}, want: "workers must be more than zero"},
		"a share above one":                  {args: []string{"--failed-share", "2"}, want: "failed-share"},
		"an unknown role":                    {args: []string{"--roles", "api,wroker"}, want: "wroker"},
		"a database of another kind":         {args: []string{"--database-url", "mysql://u:hunter2@db"}, want: "database-url must be"},
		"a sandbox open to the network":      {args: []string{"--listen", ":8080"}, want: "loopback"},
		"production with faults":             {args: []string{"--mode", "production", "--claims-faults", "refuse=0.1"}, want: "claims-faults makes the source of claims fail"},
		"a sandbox's admin address open":     {args: []string{"--admin-listen", ":9090", "--admin-exposed"}, want: "admin-listen"},
		"an admin address open by mistake":   {args: []string{"--mode", "production", "--admin-listen", ":9090"}, want: "admin-listen"},
		"an admin address that is none":      {args: []string{"--admin-listen", "9090"}, want: "an address and a port"},
		"a form of log that is none":         {args: []string{"--log-format", "xml"}, want: "log-format"},
		"production with public secrets":     {args: []string{"--mode", "production"}, want: "production refuses"},
		"a console that nobody can enter":    {args: []string{"--mode", "production", "--roles", "api,console"}, want: "nobody could sign in to the console"},
		"a provider without a name for us":   {args: []string{"--console-oidc-issuer", "https://idp.example.org"}, want: "belong together"},
		"a provider that anybody could be":   {args: []string{"--console-oidc-issuer", "http://idp.example.org", "--console-oidc-client-id", "c"}, want: "must be an https address"},
		"a role that is none":                {args: []string{"--console-oidc-roles", "Ops=king"}, want: "none of the roles"},
		"a pair of people for nothing":       {args: []string{"--console-two-person", "job.cancel"}, want: "attestation.revoke"},
		"a public address that is none":      {args: []string{"--public-url", "sandbox"}, want: "public-url"},
		"a secret file that is not there":    {environ: []string{"AB2D_DATABASE_URL_FILE=/nowhere"}, want: "AB2D_DATABASE_URL_FILE"},
		"a file for what is not a secret":    {environ: []string{"AB2D_LEASE_FILE=/nowhere"}, want: "AB2D_LEASE_FILE is not a setting"},
		"a date that is not in the calendar": {args: []string{"--earliest-served", "2020-02-30"}, want: "earliest-served"},
	} {
		args := tc.args
		if tc.file != "" {
			args = append(args, "--config", write(t, "ab2d.yaml", tc.file))
		}
		_, _, err := config.Load(args, tc.environ)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows a password: %v", name, err)
		}
	}
}
