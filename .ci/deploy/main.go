// Command deploy checks the files of ../../deploy and the release configuration
// without a container engine, each by the library of what is to read it.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"golang.org/x/tools/go/packages"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

func main() {
	root := os.Args[1]
	failed := false
	for _, check := range []struct {
		what string
		run  func(root string) (int, error)
	}{
		{"compose services", compose}, {"Kubernetes objects", kubernetes}, {"Prometheus rules", rules}, {"targets of the release", release},
	} {
		n, err := check.run(root)
		if err == nil && n == 0 {
			err = errors.New("there are none")
		}
		if err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "%s: %v\n", check.what, err)
			continue
		}
		fmt.Printf("%d %s are well-formed\n", n, check.what)
	}
	if failed {
		os.Exit(1)
	}
}

func compose(root string) (int, error) {
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "deploy/compose.yaml")}, cli.WithEnv([]string{"AB2D_IMAGE=ab2d"}))
	if err != nil {
		return 0, err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return 0, err
	}
	return len(project.Services), nil
}

// kubernetes decodes strictly: a field that is not known is an error.
func kubernetes(root string) (n int, err error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, autoscalingv2.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return 0, err
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	files, err := filepath.Glob(filepath.Join(root, "deploy/kubernetes/*.yaml"))
	if err != nil {
		return 0, err
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			return n, err
		}
		for documents := utilyaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(content))); ; n++ {
			document := make([]byte, len(content))
			size, err := documents.Read(document)
			if err == io.EOF {
				break
			} else if err != nil {
				return n, fmt.Errorf("%s: %w", name, err)
			}
			if _, _, err := decoder.Decode(document[:size], nil, nil); err != nil {
				return n, fmt.Errorf("%s, object %d: %w", name, n+1, err)
			}
		}
	}
	return n, nil
}

func rules(root string) (n int, err error) {
	groups, errs := rulefmt.ParseFile(filepath.Join(root, "deploy/prometheus/alerts.yaml"), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		return 0, errors.Join(errs...)
	}
	for _, g := range groups.Groups {
		n += len(g.Rules)
	}
	return n, nil
}

// release looks whether the program compiles for every system that it is released
// for. Only types are checked, from the source: that takes seconds, where to
// build for each takes minutes.
func release(root string) (n int, err error) {
	project, err := config.Load(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		return 0, err
	}
	for _, b := range project.Builds {
		for _, system := range b.Goos {
			for _, arch := range b.Goarch {
				if err := compiles(root, b.Main, system, arch); err != nil {
					return n, fmt.Errorf("for %s on %s: %w", system, arch, err)
				}
				n++
			}
		}
	}
	return n, nil
}

func compiles(root, program, system, arch string) error {
	env := append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0", "GOWORK=off")
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.ImportPath}}{{end}}{{end}}", program)
	list.Dir, list.Env, list.Stderr = root, env, os.Stderr
	ours, err := list.Output()
	if err != nil {
		return err
	}
	// Bodies of functions are looked at in what is named here, so that is all of ours.
	all, err := packages.Load(&packages.Config{Dir: root, Env: env, Mode: packages.LoadAllSyntax}, strings.Fields(string(ours))...)
	if err != nil {
		return err
	}
	var faults []error
	packages.Visit(all, nil, func(p *packages.Package) {
		for _, e := range p.Errors {
			faults = append(faults, e)
		}
	})
	return errors.Join(faults...)
}
