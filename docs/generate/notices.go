package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licences tells licences apart by words that only they have. The first that is
// found counts.
var licences = []struct{ id, words string }{
	{"Apache-2.0", "Apache License"},
	{"MPL-2.0", "Mozilla Public License"},
	{"CC0-1.0", "CC0 1.0 Universal"},
	{"BSD-3-Clause", "Neither the name"},
	{"BSD-3-Clause", "may not be used to endorse"},
	{"BSD-2-Clause", "Redistributions in binary form"},
	{"ISC", "Permission to use, copy, modify, and/or distribute"},
	{"ISC", "Permission to use, copy, modify, and distribute"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"Unlicense", "This is free and unencumbered software"},
}

var licenceFile = regexp.MustCompile(`(?i)^((un)?licen[cs]e|copying|notice)([.-].*)?$`)

// notices has the licence of every module that is part of the program, with the
// text, as most of them ask for.
func notices() ([]byte, error) {
	list := exec.Command("go", "list", "-deps", "-json=Module", "cms.gov/ab2d/cmd/ab2d")
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	type module struct {
		Path, Version, Dir string
		Main               bool
	}
	modules := map[string]module{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ Module *module }
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if p.Module != nil && !p.Module.Main {
			modules[p.Module.Path] = *p.Module
		}
	}
	var index, texts bytes.Buffer
	users := map[string][]string{} // by text
	var order []string
	for _, path := range slices.Sorted(func(yield func(string) bool) {
		for p := range modules {
			if !yield(p) {
				return
			}
		}
	}) {
		m := modules[path]
		files, err := os.ReadDir(m.Dir)
		if err != nil {
			return nil, err
		}
		id := ""
		for _, f := range files {
			if f.IsDir() || !licenceFile.MatchString(f.Name()) || strings.HasSuffix(f.Name(), ".go") {
				continue
			}
			raw, err := os.ReadFile(filepath.Join(m.Dir, f.Name()))
			if err != nil {
				return nil, err
			}
			text := strings.TrimSpace(strings.ReplaceAll(string(raw), "\r\n", "\n"))
			flat := strings.Join(strings.Fields(text), " ")
			for _, l := range licences {
				if id == "" && strings.Contains(flat, l.words) {
					id = l.id
				}
			}
			if users[text] == nil {
				order = append(order, text)
			}
			users[text] = append(users[text], path)
		}
		if id == "" {
			return nil, fmt.Errorf("the licence of %s in %s is not known; add it to the table, or do without the module", path, m.Dir)
		}
		fmt.Fprintf(&index, "%-60s %-14s %s\n", path, id, m.Version)
	}
	for _, text := range order {
		fmt.Fprintf(&texts, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(users[text], "\n"), text)
	}
	return slices.Concat([]byte("Third-party software in ab2d, and its licences. This file is made from go.mod.\nThe Go standard library is BSD-3-Clause, (c) The Go Authors.\n\n"), index.Bytes(), texts.Bytes()), nil
}
