package admin

import (
	"runtime"
	"runtime/debug"
)

// Build says which build a process runs.
type Build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // the commit it was built from
	Time     string `json:"time,omitempty"`     // of that commit
	Modified bool   `json:"modified"`           // built from more than that commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// BuildOf returns what the binary knows of itself.
func BuildOf(version string) Build {
	b := Build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
