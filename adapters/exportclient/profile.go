package exportclient

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Profile is how one server is reached as one client, as people write it down
// once: a member of a YAML file that only they can read.
type Profile struct {
	URL              string   `yaml:"url"`
	TokenURL         string   `yaml:"token_url"`
	ClientID         string   `yaml:"client_id"`
	ClientSecret     string   `yaml:"client_secret"`
	ClientSecretFile string   `yaml:"client_secret_file"`
	Key              string   `yaml:"key"`
	KeyID            string   `yaml:"key_id"`
	Scope            string   `yaml:"scope"`
	CA               string   `yaml:"ca"`
	AllowHosts       []string `yaml:"allow_hosts"`
}

// DefaultProfiles is where profiles are looked for: ab2d/profiles.yaml in the
// user's own folder for settings.
func DefaultProfiles() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "ab2d", "profiles.yaml")
}

// ReadProfile returns the profile of a name, or the one called "default". A file
// that is not there is fine as long as nobody asked for it; one that others can
// read or change is refused, since there are secrets in it. Files that a profile
// names are relative to its own.
func ReadProfile(path, name string, wanted bool) (Profile, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && !wanted {
		return Profile{}, nil
	} else if err != nil {
		return Profile{}, fault(Usage, "A profile is a member of that file, as in ab2d export --help.", "no profile can be read: %v", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Profile{}, err
	}
	if mode := permissions(info); mode&0o077 != 0 {
		return Profile{}, fault(Usage, "chmod 600 "+path, "%s can be read by others (its mode is %04o), and there are secrets in it", path, mode)
	}
	all := map[string]Profile{}
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&all); err != nil {
		return Profile{}, fault(Usage, "", "%s: %v", path, clip(strings.ReplaceAll(err.Error(), "type exportclient.Profile", "a profile")))
	}
	p, ok := all[name]
	if !ok && wanted {
		return p, fault(Usage, "It has "+strings.Join(slices.Sorted(maps.Keys(all)), ", ")+".", "%s has no profile %q", path, name)
	}
	for _, file := range []*string{&p.ClientSecretFile, &p.Key, &p.CA} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(filepath.Dir(path), *file)
		}
	}
	return p, nil
}

// ReadSecret reads a file that holds nothing but a secret, and refuses one that
// others can read.
func ReadSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	// What a container or a service manager mounts for its one user may be
	// readable by a group; the world is another matter.
	if mode := permissions(info); info.Mode().IsRegular() && mode&0o007 != 0 {
		return "", fault(Usage, "chmod 600 "+path, "%s holds a secret and can be read by everybody (its mode is %04o)", path, mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return "", fmt.Errorf("%s is empty", path)
	}
	return string(text), nil
}

// permissions are who may do what with a file. Windows has lists in their place,
// of which Go tells nothing.
func permissions(info fs.FileInfo) fs.FileMode {
	if runtime.GOOS == "windows" {
		return 0
	}
	return info.Mode().Perm()
}
