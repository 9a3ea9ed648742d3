// Package docs is what there is to read about the service: Markdown that reads
// as well in the repository as at /docs of a running service.
package docs

import "embed"

// Files are the pages, and what they show.
//
//go:embed *.md *.json *.svg decisions/*.md
var Files embed.FS

//go:generate go run ./generate .
