package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/session"
)

// escapes is what a hostile host says: a title, a clean screen, a forged line, a word
// for the clipboard, and the 8-bit forms.
const escapes = "\x1b]0;OWNED\x07\x1b[2J\x1b[1;1H\x1b[32mAll hosts are healthy.\x1b]52;c;Zm9v\x07\r\u009b31m\u009d0;x\u009c\b"

func steered(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) })
}

type hintedError struct{ error }

func (hintedError) Hint() string { return "do " + escapes }

// Whatever a command fails with, and whatever it prints meanwhile, the words of a host
// in it do not steer the terminal.
func TestNothingSteersTheTerminal(t *testing.T) {
	list := diag.List{{Severity: diag.SeverityError, Summary: "s" + escapes, Detail: "d" + escapes, Hint: "h" + escapes, File: "f" + escapes, Line: 1, Excerpt: "e" + escapes}}
	for name, fail := range map[string]func(*cobra.Command) error{
		"error":   func(*cobra.Command) error { return hintedError{errors.New("cp-1: " + escapes)} },
		"file":    func(*cobra.Command) error { return &fileError{list} },
		"refusal": func(*cobra.Command) error { return &session.Refusal{List: list} },
		"output":  func(cmd *cobra.Command) error { cmd.Print(escapes); cmd.PrintErr(escapes); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			out := printable.NewOutput(&stderr)
			cmd := &cobra.Command{SilenceErrors: true, SilenceUsage: true, RunE: func(cmd *cobra.Command, _ []string) error { return fail(cmd) }}
			cmd.SetArgs(nil)
			cmd.SetOut(printable.NewOutput(&stdout))
			cmd.SetErr(out)
			run(t.Context(), cmd, out)
			if got := stdout.String() + stderr.String(); steered(got) || !strings.Contains(got, "All hosts are healthy.") {
				t.Errorf("%q", got)
			}
		})
	}
}

// Diagnostics in colour keep their own marks and nothing of a host's.
func TestDiagnosticsInColour(t *testing.T) {
	var b strings.Builder
	list := diag.List{{Severity: diag.SeverityError, Summary: "s" + escapes, Detail: "d" + escapes, Hint: "h" + escapes}}
	if err := list.Print(&b, diag.PrintOptions{Color: true}); err != nil {
		t.Fatal(err)
	}
	marks := regexp.MustCompile("\x1b\\[(0|1;3[134])m")
	if !marks.MatchString(b.String()) || steered(marks.ReplaceAllString(b.String(), "")) {
		t.Errorf("%q", b.String())
	}
}

// Shell completion goes by the same output, and loses nothing.
func TestCompletionIsPrintable(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var raw, clean bytes.Buffer
		for _, w := range []struct {
			out interface{ Write([]byte) (int, error) }
		}{{&raw}, {printable.NewOutput(&clean)}} {
			root := newRootCommand()
			root.SetOut(w.out)
			root.SetArgs([]string{"completion", shell})
			if err := root.Execute(); err != nil {
				t.Fatal(err)
			}
		}
		if raw.Len() == 0 || raw.String() != clean.String() {
			t.Errorf("%s: %d bytes became %d", shell, raw.Len(), clean.Len())
		}
	}
}

// All that is printed goes by the one output, and all JSON by the one encoder.
func TestOneWayToTheTerminal(t *testing.T) {
	bypass := regexp.MustCompile(`os\.Std(out|err)\b|json\.NewEncoder\(|fmt\.Print`)
	allowed := regexp.MustCompile(`printable\.NewOutput\(os\.Std|out = os\.Stderr$`)
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if bypass.MatchString(line) && !allowed.MatchString(line) {
				t.Errorf("%s:%d: %s", file, i+1, strings.TrimSpace(line))
			}
		}
	}
}
