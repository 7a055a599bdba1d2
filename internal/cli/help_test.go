package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestHelp checks that every command has a help with examples, and that these
// are commands and flags which there are.
func TestHelp(t *testing.T) {
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: its short help is %q; want a line without a full stop", cmd.CommandPath(), cmd.Short)
		}
		if cmd.Example == "" {
			t.Errorf("%s has no examples", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { checkFlag(t, cmd, f) })
		for _, call := range exampleCommands(cmd.Example) {
			if err := callable(call); err != nil {
				t.Errorf("%s: example %q: %v", cmd.CommandPath(), call, err)
			}
		}
		for _, inner := range cmd.Commands() {
			if inner.IsAvailableCommand() && inner.Name() != "completion" && inner.Name() != "help" {
				check(inner)
			}
		}
	}
	check(newRootCommand())
}

// checkFlag looks at a flag as its help shows it. Words in back quotes are taken for the
// value's name there, and their quotes away; a choice of outputs is one of outputFlag's,
// which refuses what it does not know before the command begins.
func checkFlag(t *testing.T, cmd *cobra.Command, f *pflag.Flag) {
	t.Helper()
	if name, _ := pflag.UnquoteUsage(f); strings.ContainsAny(name, " -") {
		t.Errorf("%s: the help of --%s shows %q as the name of its value", cmd.CommandPath(), f.Name, name)
	}
	if f.Name != "output" || f.DefValue == "" {
		return
	}
	stderr := &bytes.Buffer{}
	root := newRootCommand()
	root.SetArgs(append(strings.Fields(cmd.CommandPath())[1:], "--output", "xml"))
	if code := run(t.Context(), root, stderr); code != exitUsage || !strings.Contains(stderr.String(), `"xml"`) || !strings.Contains(stderr.String(), " or ") {
		t.Errorf("%s --output xml: exit code %d, %s", cmd.CommandPath(), code, stderr)
	}
}

// callable says why a call of quorate is none that there is.
func callable(call []string) error {
	found, rest, err := newRootCommand().Find(call[1:])
	if err != nil {
		return err
	}
	if err := found.ParseFlags(rest); err != nil {
		return err
	}
	return found.ValidateArgs(found.Flags().Args())
}

// TestPagesCallWhatThereIs checks the calls of quorate in the blocks of commands
// that the pages show.
func TestPagesCallWhatThereIs(t *testing.T) {
	pages, _ := filepath.Glob("../../docs/*.md")
	calls := 0
	for _, page := range append(pages, "../../README.md", "../../README.zh.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		inBlock := false
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "```") {
				inBlock = line == "```console"
				continue
			}
			command := strings.TrimPrefix(line, "$ ")
			if !inBlock || !strings.HasPrefix(command, "quorate ") {
				continue
			}
			for _, call := range exampleCommands(command) {
				calls++
				if err := callable(call); err != nil {
					t.Errorf("%s: %q: %v", page, call, err)
				}
			}
		}
	}
	if calls < 40 {
		t.Errorf("only %d calls were found", calls)
	}
}

// exampleCommands are the calls of quorate in a text of examples, as words:
// without what explains them, and each part of a line of several commands alone.
func exampleCommands(examples string) [][]string {
	var calls [][]string
	for line := range strings.Lines(examples) {
		var call []string
		for _, word := range append(strings.Fields(line), "&&") {
			switch {
			case strings.HasPrefix(word, "#"), word == "&&", word == "|", word == ">", word == "|&", strings.HasPrefix(word, ">"):
				if len(call) > 1 && call[0] == "quorate" {
					calls = append(calls, call)
				}
				call = nil
				if word != "&&" && word != "|" {
					call = []string{"#"} // what follows is no command
				}
			case len(call) > 0 && call[0] == "#":
			default:
				call = append(call, strings.Trim(word, `'"`))
			}
		}
	}
	return calls
}

// TestWrongArguments checks that they are wrong usage, with a word of what is
// right.
func TestWrongArguments(t *testing.T) {
	for line, want := range map[string]string{
		"validte":                           "did you mean validate?",
		"confg show":                        "did you mean config?",
		"validate cluster.yaml":             "named with -f",
		"version now":                       `"now" is one word too many`,
		"import":                            "requires at least 1 arg",
		"lab of cp-1":                       "there is no command",
		"check -f cluster.yaml":             `there is no command "check"`,
		"validte --output json":             "did you mean validate?",
		"drill do --yes":                    `there is no command "do"`,
		"apply a.json b.json":               "one plan at a time",
		"validate --file":                   "flag needs an argument",
		"validate --with-kubernetes v1.2.3": "supported are v1.37.1",
	} {
		var stderr strings.Builder
		root := newRootCommand()
		root.SetArgs(strings.Fields(line))
		root.SetOut(&stderr)
		root.SetErr(&stderr)
		if code := run(t.Context(), root, &stderr); code != exitUsage || !strings.Contains(stderr.String(), want) {
			t.Errorf("quorate %s: exit code %d and %q; want 2 and %q", line, code, &stderr, want)
		}
	}
}
