package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
)

//go:embed assets/css assets/fonts assets/js
var embedded embed.FS

// Assets are the style sheets, fonts and scripts of the pages.
func Assets() fs.FS {
	sub, err := fs.Sub(embedded, "assets")
	if err != nil {
		panic(err) // the folder is embedded, see above
	}
	return sub
}

// Prefix is the address that assets are below. It changes with what they are,
// so that a browser may keep them for ever.
var Prefix = "/console/assets/" + digest() + "/"

func digest() string {
	sum := sha256.New()
	err := fs.WalkDir(Assets(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(Assets(), path)
		sum.Write([]byte(path))
		sum.Write(content)
		return err
	})
	if err != nil {
		panic(err) // all of it is embedded
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}
