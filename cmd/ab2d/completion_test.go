package main

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A shell is asked for what it would offer.
func TestWhatBashCompletes(t *testing.T) {
	var script bytes.Buffer
	if err := complete(&script, "bash"); err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string][]string{
		"ab2d exp": {"export"}, "ab2d do": {"doctor"}, "ab2d export --con": {"--contract"}, "ab2d doctor --se": {"--server"},
		"ab2d serve --data-d": {"--data-dir"}, "ab2d serve --contract": nil, "ab2d export --client-": {"--client-id", "--client-secret-file"},
	} {
		words := strings.Fields(typed)
		bash := exec.CommandContext(patience(t), "bash", "-eu", "-c", script.String()+"\nCOMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _ab2d || true; printf '%s\\n' ${COMPREPLY[@]+\"${COMPREPLY[@]}\"}", "bash")
		bash.Args = append(bash.Args, words...)
		out, err := bash.CombinedOutput()
		if got := strings.Fields(string(out)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", typed, got, err, want)
		}
	}
}

func TestEveryShellGetsEveryFlag(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var script bytes.Buffer
		if err := complete(&script, shell); err != nil {
			t.Fatal(err)
		}
		for _, flag := range []string{"retry-failed", "allow-host", "partition-members", "server"} {
			if !strings.Contains(script.String(), flag) {
				t.Errorf("%s does not know %s", shell, flag)
			}
		}
	}
	if err := complete(&bytes.Buffer{}, "sh"); err == nil {
		t.Error("there is a completion for sh")
	}
}
