package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"gopkg.in/yaml.v3"
)

// setting is one setting with where its value came from.
type setting struct {
	flag   *flag.Flag
	origin string
}

// secrets are the settings whose values are not shown, and which may be given
// as a file, AB2D_..._FILE, so that they stay out of the environment.
var secrets = []string{"database-url", "audit-key", "client-secret-key", "console-oidc-client-secret", "bfd-keystore-password"}

// tests is the prefix of variables that belong to the tests of this project.
const tests = "AB2D_TEST_"

// Load reads the settings from the command line's flags, then the environment
// (as os.Environ gives it), then the YAML file that --config or AB2D_CONFIG
// names. It returns the arguments that are not flags.
func Load(args, environ []string) (*Config, []string, error) {
	c := &Config{}
	fs := c.flags()
	fs.SetOutput(io.Discard) // the caller prints the error, once
	file := fs.String("config", "", "a YAML file with settings")
	if err := fs.Parse(args); err != nil {
		return nil, nil, err
	}
	origins := map[string]string{}
	fs.Visit(func(f *flag.Flag) { origins[f.Name] = "flag --" + f.Name })
	err := fromEnvironment(fs, environ, origins)
	if *file != "" {
		err = errors.Join(err, fromFile(fs, *file, origins))
	}
	fs.VisitAll(func(f *flag.Flag) {
		if _, ok := origins[f.Name]; !ok {
			origins[f.Name] = "default"
		}
		if f.Name != "config" {
			c.settings = append(c.settings, setting{f, origins[f.Name]})
		}
	})
	if err = errors.Join(err, c.check()); err != nil {
		return nil, nil, err
	}
	return c, fs.Args(), nil
}

// Usage writes every setting with its meaning and default.
func Usage(w io.Writer) {
	fs := (&Config{}).flags()
	fs.SetOutput(w)
	fs.PrintDefaults()
}

func set(fs *flag.FlagSet, name, value, origin string, origins map[string]string) error {
	if _, ok := origins[name]; ok {
		return nil // a source that counts for more has set it
	}
	if err := fs.Set(name, value); err != nil {
		return fmt.Errorf("%s: %w", origin, err)
	}
	origins[name] = origin
	return nil
}

func variable(name string) string {
	return "AB2D_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// clients are variables of the commands that ask a server, as ab2d export. Who has
// them set for these may start a server too.
var clients = []string{"AB2D_CLIENT_ID", "AB2D_CLIENT_SECRET", "AB2D_CLIENT_SECRET_FILE", "AB2D_TOKEN"}

func fromEnvironment(fs *flag.FlagSet, environ []string, origins map[string]string) error {
	names := map[string]string{}
	fs.VisitAll(func(f *flag.Flag) { names[variable(f.Name)] = f.Name })
	var errs []error
	for _, entry := range environ {
		key, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(key, "AB2D_") || strings.HasPrefix(key, tests) || slices.Contains(clients, key) {
			continue
		}
		name, ok := names[key]
		if base, isFile := strings.CutSuffix(key, "_FILE"); !ok && isFile && slices.Contains(secrets, names[base]) {
			content, err := os.ReadFile(value)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", key, err))
				continue
			}
			name, value, ok = names[base], strings.TrimSpace(string(content)), true
		}
		if !ok {
			errs = append(errs, fmt.Errorf("%s is not a setting; ab2d config shows them all", key))
			continue
		}
		errs = append(errs, set(fs, name, value, "variable "+key, origins))
	}
	return errors.Join(errs...)
}

func fromFile(fs *flag.FlagSet, path string, origins map[string]string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var values map[string]yaml.Node
	if err := yaml.Unmarshal(content, &values); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var errs []error
	for key, node := range values {
		name := strings.ReplaceAll(key, "_", "-")
		origin := fmt.Sprintf("%s:%d", path, node.Line)
		switch {
		case fs.Lookup(name) == nil || name == "config":
			errs = append(errs, fmt.Errorf("%s: %s is not a setting; ab2d config shows them all", origin, key))
		case node.Kind != yaml.ScalarNode:
			errs = append(errs, fmt.Errorf("%s: %s must be a single value", origin, key))
		default:
			errs = append(errs, set(fs, name, node.Value, origin, origins))
		}
	}
	return errors.Join(errs...)
}

// setDefault fills in a default that follows from other settings.
func (c *Config) setDefault(name, value string) {
	for _, s := range c.settings {
		if s.flag.Name == name {
			_ = s.flag.Value.Set(value) // both are strings, which take anything
		}
	}
}

// Setting is a setting as it is in force.
type Setting struct {
	Name, Value, Origin, Usage string

	Default string // as it is written; some defaults follow from other settings
	Secret  bool   // its value is not shown, and may be given as a file
}

// Variable is the name of the environment variable of the setting.
func (s Setting) Variable() string { return variable(s.Name) }

// Settings returns every setting with its value and where that came from. The
// values of secrets are not in it.
func (c *Config) Settings() []Setting {
	all := make([]Setting, len(c.settings))
	for i, s := range c.settings {
		all[i] = Setting{s.flag.Name, s.flag.Value.String(), s.origin, s.flag.Usage, s.flag.DefValue, slices.Contains(secrets, s.flag.Name)}
		if all[i].Secret && !strings.HasPrefix(all[i].Value, "sqlite:") {
			all[i].Value = "(not shown)"
		}
	}
	return all
}

// Secrets returns the values of the settings that are not shown, and the
// passwords in them, for taking them out of what is told to others.
func (c *Config) Secrets() (values []string) {
	for _, s := range c.settings {
		value := s.flag.Value.String()
		if !slices.Contains(secrets, s.flag.Name) || value == "" || strings.HasPrefix(value, "sqlite:") {
			continue
		}
		values = append(values, value)
		if u, err := url.Parse(value); err == nil {
			if password, ok := u.User.Password(); ok {
				values = append(values, password, url.QueryEscape(password))
			}
		}
	}
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS", "PGPASSWORD"} {
		if value := os.Getenv(name); value != "" {
			values = append(values, value)
		}
	}
	return values
}

// Show writes every setting with its value and where that came from. Secrets
// are not shown.
func (c *Config) Show(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SETTING\tVALUE\tFROM\tMEANING")
	for _, s := range c.Settings() {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", s.Name, s.Value, s.Origin, s.Usage)
	}
	return t.Flush()
}
