package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// A newcomer clones the repository, starts the sandbox as the README says, and
// types what stands in the README and in the guide, page by page. Where the words
// and the product differ, this fails.
//
// A block that says bash is typed as it stands, but for the address; all of a page
// in one shell. A block after it that says "text output" is what it prints: its
// lines come in this order, with anything between, and ... stands for anything.
// "bash stays" is typed first and left running. "bash by: TestName" is typed by that
// test, which has what it takes. What nobody types says why: "sh no-run: why"; it is
// parsed, and what it names has to be there. PowerShell is parsed.
func TestANewcomerFollowsTheGuide(t *testing.T) {
	home := clone(t)
	newman, err := exec.Command("../../.ci/newman").Output()
	if err != nil {
		t.Fatal(err)
	}
	tools := filepath.Dir(strings.TrimSpace(string(newman)))
	modules := filepath.Dir(filepath.Dir(tools))
	path := duckdb(t, modules) + ":" + tools + ":" + os.Getenv("PATH")
	pages := guidePages(t, home)
	base := ""
	for _, name := range pages {
		blocks, _ := blocksOf(t, name, filepath.Join(home, name))
		for _, b := range blocks {
			switch {
			case b.stays && base == "":
				base = leftRunning(t, home, b.content)
			case b.by != "":
				typedBy(t, name, b.by)
			case b.notRun:
				thereIs(t, home, name, b.content)
			}
		}
	}
	typed := 0
	for _, name := range pages {
		blocks, powershell := blocksOf(t, name, filepath.Join(home, name))
		if powershell != "" {
			parse := exec.CommandContext(patience(t), "node", "../../.ci/npm/powershell.mjs", modules)
			parse.Stdin = strings.NewReader(powershell)
			if out, err := parse.CombinedOutput(); err != nil {
				t.Errorf("%s: the PowerShell cannot be parsed: %v\n%s", name, err, out)
			}
		}
		var script strings.Builder
		var typedHere []*block
		for _, b := range blocks {
			if b.typed {
				// The mark parts what a block prints from what the next one does.
				fmt.Fprintf(&script, "%s\nprintf '\\n%s\\n'\n", b.content, mark)
				typedHere = append(typedHere, b)
			}
		}
		if len(typedHere) == 0 {
			continue
		}
		typed += len(typedHere)
		t.Run(name, func(t *testing.T) {
			bash := exec.CommandContext(patience(t), "bash", "-eu", "-o", "pipefail", "-c", strings.ReplaceAll(script.String(), sandboxAddress, base))
			bash.Dir = home
			bash.Env = append(os.Environ(), "PATH="+path)
			var said bytes.Buffer
			bash.Stderr = &said
			out, err := bash.Output()
			printed := strings.Split(string(out), mark)
			if err != nil {
				t.Fatalf("block %d of %d fails: %v\n%s\nafter\n%s", len(printed), len(typedHere), err, said.Bytes(), out)
			}
			for i, b := range typedHere {
				if err := b.prints(printed[i], base); err != nil {
					t.Errorf("block %d: %v\n%s", i+1, err, printed[i])
				}
			}
		})
	}
	if typed < 15 {
		t.Errorf("only %d blocks were found", typed)
	}
}

const (
	mark           = "@@@@ end of block @@@@"
	sandboxAddress = "http://127.0.0.1:8080"
)

// clone makes a clean clone, with what is changed here and not committed yet.
func clone(t *testing.T) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "ab2d")
	git := func(args ...string) string {
		out, err := exec.CommandContext(patience(t), "git", append([]string{"-C", "../.."}, args...)...).Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return string(out)
	}
	git("clone", "-q", "--local", ".", home)
	for name := range strings.SplitSeq(git("diff", "-z", "--name-only", "HEAD")+git("ls-files", "-z", "--others", "--exclude-standard"), "\x00") {
		from, to := filepath.Join("../..", name), filepath.Join(home, name)
		if name == "" {
			continue
		}
		content, err := os.ReadFile(from)
		if errors.Is(err, fs.ErrNotExist) {
			err = os.Remove(to)
		} else if err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, content, 0o755))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return home
}

// leftRunning starts the sandbox as the pages say, and returns its address.
func leftRunning(t *testing.T, home, commands string) string {
	t.Helper()
	listen := freeAddress(t)
	cmd := exec.Command("bash", "-eu", "-c", commands)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "AB2D_LISTEN="+listen)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.Create(filepath.Join(t.TempDir(), "run.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // the group is this test's own
		<-ended
		log.Close()
	})
	base := "http://" + listen
	until(t, "the sandbox to start", func() bool {
		select {
		case err := <-ended:
			ended <- err
			said, _ := os.ReadFile(log.Name()) // what there is of it helps
			t.Fatalf("%s ended: %v\n%s", commands, err, said)
		default:
		}
		said, err := os.ReadFile(log.Name())
		return err == nil && bytes.Contains(said, []byte(base+"/api/v2/fhir"))
	})
	return base
}

func guidePages(t *testing.T, home string) []string {
	t.Helper()
	names := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, pattern := range []string{"docs/*.md", "docs/decisions/*.md"} {
		found, err := filepath.Glob(filepath.Join(home, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			names = append(names, strings.TrimPrefix(f, home+"/"))
		}
	}
	return names
}

// block is what stands in a fence.
type block struct {
	content string
	typed   bool
	stays   bool
	by      string // the test that types it
	notRun  bool
	output  string
}

// without are the languages of blocks that hold no commands.
var without = regexp.MustCompile(`^(json|yaml|go|http|text|javascript)$`)

var (
	notRun    = regexp.MustCompile(`^sh no-run: \S.{10,}$`)
	byAnother = regexp.MustCompile(`^bash by: (Test\w+)$`)
	needing   = regexp.MustCompile(`^bash( needs: (newman|duckdb))?$`)
)

func blocksOf(t *testing.T, name, file string) (all []*block, powershell string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	root := goldmark.DefaultParser().Parse(text.NewReader(source))
	err = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.CodeBlock:
			return ast.WalkStop, fmt.Errorf("a block is indented, so nobody knows whether it is a command: %s", n.Lines().Value(source))
		case *ast.FencedCodeBlock:
			info := ""
			if n.Info != nil {
				info = string(n.Info.Segment.Value(source))
			}
			content := string(n.Lines().Value(source))
			switch {
			case needing.MatchString(info):
				all = append(all, &block{content: content, typed: true})
			case info == "bash stays":
				all = append(all, &block{content: content, stays: true})
			case byAnother.MatchString(info):
				all = append(all, &block{content: content, by: byAnother.FindStringSubmatch(info)[1]})
			case notRun.MatchString(info):
				all = append(all, &block{content: content, notRun: true})
			case info == "text output":
				if len(all) == 0 || all[len(all)-1].output != "" {
					return ast.WalkStop, fmt.Errorf("nothing prints %q", content)
				}
				all[len(all)-1].output = content
			case info == "powershell":
				powershell += content
			case without.MatchString(info):
			default:
				return ast.WalkStop, fmt.Errorf("a block says %q, which is not known", info)
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return all, powershell
}

// typedHere returns the blocks of a page that the guide says this test types.
func typedHere(t *testing.T, page string) (mine []*block) {
	t.Helper()
	all, _ := blocksOf(t, page, filepath.Join("../..", page))
	for _, b := range all {
		if b.by == t.Name() {
			mine = append(mine, b)
		}
	}
	if len(mine) == 0 {
		t.Fatalf("%s has no block that this test types", page)
	}
	return mine
}

// typeIn types a block as it stands, beside the program, with these variables.
func (b *block) typeIn(t *testing.T, dir string, env ...string) {
	t.Helper()
	bash := exec.CommandContext(patience(t), "bash", "-eu", "-o", "pipefail", "-c", b.content)
	bash.Dir = dir
	bash.Env = append(append(os.Environ(), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH")), env...)
	out, err := bash.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nafter\n%s", err, out, b.content)
	}
	if err := b.prints(string(out), ""); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// typedBy fails where there is no such test, or one that types nothing.
func typedBy(t *testing.T, page, test string) {
	t.Helper()
	sources, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(text), "func "+test+"(t *testing.T) {")
		body, _, _ := strings.Cut(rest, "\n}\n")
		if ok && strings.Contains(body, `typedHere(t, "`+page+`")`) {
			return
		}
	}
	t.Errorf("%s: %s does not type what the page says it types", page, test)
}

// thereIs looks at what nobody types: it has to be well-formed, and the targets and
// files that it names have to be there.
func thereIs(t *testing.T, home, page, commands string) {
	t.Helper()
	try := func(command ...string) {
		t.Helper()
		cmd := exec.CommandContext(patience(t), command[0], command[1:]...)
		cmd.Dir = home
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %s: %v\n%s", page, command, err, out)
		}
	}
	try("bash", "-n", "-c", commands)
	for _, target := range regexp.MustCompile(`(?m)^make (\w+)`).FindAllStringSubmatch(commands, -1) {
		try("make", "--dry-run", target[1])
	}
	for _, file := range regexp.MustCompile(`\b(deploy|docs)/[\w./-]+`).FindAllString(commands, -1) {
		if _, err := os.Stat(filepath.Join(home, file)); err != nil {
			t.Errorf("%s: %v", page, err)
		}
	}
}

// duckdb makes the command of that name and returns where it is.
func duckdb(t *testing.T, modules string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	script, err := filepath.Abs("../../.ci/npm/duckdb.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "duckdb"), fmt.Appendf(nil, "#!/bin/sh\nexec node '%s' '%s' \"$@\"\n", script, modules), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// prints says whether what was printed is what the page says.
func (b *block) prints(printed, base string) error {
	for want := range strings.SplitSeq(strings.TrimSpace(b.output), "\n") {
		want = strings.ReplaceAll(strings.TrimSpace(want), sandboxAddress, base)
		pattern := regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(want), regexp.QuoteMeta("..."), ".+"))
		at := pattern.FindStringIndex(printed)
		if at == nil {
			return fmt.Errorf("it does not print %q", want)
		}
		printed = printed[at[1]:]
	}
	return nil
}
