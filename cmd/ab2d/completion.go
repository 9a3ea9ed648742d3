package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/exportclient"
)

const completionHelp = `Usage: ab2d completion bash|zsh|fish

Prints what lets a shell complete commands and flags:

    bash   source <(ab2d completion bash)            in ~/.bashrc
    zsh    source <(ab2d completion zsh)             in ~/.zshrc, after compinit
    fish   ab2d completion fish > ~/.config/fish/completions/ab2d.fish
`

// completion prints what lets a shell complete commands and flags.
func completion(_ context.Context, args []string) error {
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		fmt.Fprint(os.Stdout, completionHelp)
		return nil
	}
	return complete(os.Stdout, args[0])
}

// flagsOf are the flags of each command, by name and what they mean. A command
// that is not in it takes the settings.
func flagsOf() (own map[string]*flag.FlagSet, settings []config.Setting, err error) {
	asJSON, contract := false, ""
	own = map[string]*flag.FlagSet{"export": (&exporting{}).flags(), "doctor": doctorFlags(&access{}, &contract, &asJSON),
		"mock": flag.NewFlagSet("mock", flag.ContinueOnError), "conformance": flag.NewFlagSet("conformance", flag.ContinueOnError), "completion": flag.NewFlagSet("completion", flag.ContinueOnError)}
	own["doctor"].Bool("server", false, "look at a server's own settings")
	c, _, err := config.Load(nil, nil)
	if err != nil {
		return nil, nil, err
	}
	return own, c.Settings(), nil
}

func complete(out io.Writer, shell string) error {
	own, settings, err := flagsOf()
	if err != nil {
		return err
	}
	var names []string
	for _, cmd := range commands {
		names = append(names, cmd.name)
	}
	words := func(fs *flag.FlagSet) string {
		var all []string
		fs.VisitAll(func(f *flag.Flag) { all = append(all, "--"+f.Name) })
		return strings.Join(all, " ")
	}
	var all []string
	for _, s := range settings {
		all = append(all, "--"+s.Name)
	}
	switch shell {
	case "zsh", "bash":
		if shell == "zsh" {
			fmt.Fprintln(out, "autoload -U +X bashcompinit && bashcompinit")
		}
		fmt.Fprintf(out, "_ab2d() {\n  local cur=\"${COMP_WORDS[COMP_CWORD]}\" words\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W %q -- \"$cur\"))\n    return\n  fi\n  case \"${COMP_WORDS[1]}\" in\n", strings.Join(names, " "))
		for _, name := range names {
			if fs := own[name]; fs != nil {
				fmt.Fprintf(out, "    %s) words=%q ;;\n", name, words(fs))
			}
		}
		fmt.Fprintf(out, "    *) words=%q ;;\n  esac\n  case \"$cur\" in\n    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n    *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n  esac\n}\ncomplete -o filenames -F _ab2d ab2d\n", strings.Join(all, " "))
	case "fish":
		quoted := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }
		for _, cmd := range commands {
			fmt.Fprintf(out, "complete -c ab2d -n __fish_use_subcommand -f -a %s -d %s\n", cmd.name, quoted(cmd.summary))
		}
		var others []string
		for _, name := range names {
			fs := own[name]
			if fs == nil {
				others = append(others, name)
				continue
			}
			fs.VisitAll(func(f *flag.Flag) {
				fmt.Fprintf(out, "complete -c ab2d -n '__fish_seen_subcommand_from %s' -l %s -d %s\n", name, f.Name, quoted(f.Usage))
			})
		}
		for _, s := range settings {
			fmt.Fprintf(out, "complete -c ab2d -n '__fish_seen_subcommand_from %s' -l %s -d %s\n", strings.Join(others, " "), s.Name, quoted(s.Usage))
		}
	default:
		return &exportclient.Fault{Why: exportclient.Usage, Text: fmt.Sprintf("there is nothing for %q", shell), Next: "It can be bash, zsh or fish."}
	}
	return nil
}
