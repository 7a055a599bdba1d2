package diag

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const text = "apiVersion: v1\nhosts:\n- {name: 节点, adress: x, password: hunter2, port: 22}\n"

func print(t *testing.T, l List, o PrintOptions) string {
	t.Helper()
	var b strings.Builder
	if err := l.Print(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPrint(t *testing.T) {
	src := NewSource("c.yaml", []byte(text))
	src.Hide(Position{Line: 3, Column: 35}, len("hunter2"))
	list := List{
		src.At(SeverityError, Position{Line: 3, Column: 14}, `unknown key "adress"`, `did you mean "address"?`),
		src.At(SeverityWarning, Position{Line: 3, Column: 35}, "a password stands in the file", ""),
		src.At(SeverityError, Position{Line: 3, Column: 44}, "behind the password", ""),
		src.At(SeverityError, Position{Line: 2, Column: 7}, "after the line's end", ""),
		src.At(SeverityError, Position{Line: 2}, "a line without a column", ""),
		src.At(SeverityError, Position{}, "the whole file", ""),
		{Severity: SeverityError, Summary: "no file", Detail: "first\nsecond"},
	}
	want := `error: c.yaml:3:14: unknown key "adress"
     3 | - {name: 节点, adress: x, password: ********, port: 22}
       |                ^
hint: did you mean "address"?

error: c.yaml:3:44: behind the password
     3 | - {name: 节点, adress: x, password: ********, port: 22}
       |                                               ^

error: c.yaml:2:7: after the line's end
     2 | hosts:
       |       ^

error: c.yaml:2: a line without a column
     2 | hosts:

error: c.yaml: the whole file

error: no file
  first
  second

warning: c.yaml:3:35: a password stands in the file
     3 | - {name: 节点, adress: x, password: ********, port: 22}
       |                                     ^
`
	if diff := cmp.Diff(want, print(t, list, PrintOptions{})); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

func TestPrintColor(t *testing.T) {
	src := NewSource("c.yaml", []byte(text))
	list := List{
		src.At(SeverityError, Position{Line: 1, Column: 1}, "e", "h"),
		src.At(SeverityWarning, Position{Line: 1, Column: 1}, "w", ""),
	}
	got := print(t, list, PrintOptions{Color: true})
	for _, want := range []string{"\x1b[1;31merror:\x1b[0m c.yaml", "\x1b[1;33mwarning:\x1b[0m", "\x1b[1;34mhint:\x1b[0m h", "\x1b[1;31m^\x1b[0m"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if plain := print(t, list, PrintOptions{}); strings.Contains(plain, "\x1b") {
		t.Errorf("colours without being asked: %q", plain)
	}
}

// TestExcerptIsSafe checks that a line cannot steer the terminal, and that a
// hidden place is hidden wherever the finding is.
func TestExcerptIsSafe(t *testing.T) {
	src := NewSource("c.yaml", []byte("\ufeffa: \x1b[2J\tb\u202ec\r\np: hunter2 more\n"))
	src.Hide(Position{Line: 2, Column: 4}, -1)
	for column := range 20 {
		for line := 1; line <= 4; line++ {
			d := src.At(SeverityError, Position{Line: line, Column: column}, "x", "")
			if strings.ContainsAny(d.Excerpt, "\x1b\t\r\u202e\ufeff") || strings.Contains(d.Excerpt, "hunter") || strings.Contains(d.Excerpt, "more") {
				t.Errorf("%d:%d: excerpt %q", line, column, d.Excerpt)
			}
			if d.Caret < 0 || d.Caret > len([]rune(d.Excerpt)) {
				t.Errorf("%d:%d: caret %d in %q", line, column, d.Caret, d.Excerpt)
			}
		}
	}
}

func TestExcerptOfLongLine(t *testing.T) {
	src := NewSource("c.yaml", []byte(strings.Repeat("a", 500)+"X"+strings.Repeat("b", 500)))
	for column, want := range map[int]byte{1: 'a', 501: 'X', 1001: 'b'} {
		d := src.At(SeverityError, Position{Line: 1, Column: column}, "x", "")
		runes := []rune(d.Excerpt)
		if len(runes) > excerptWidth+2 || runes[d.Caret] != rune(want) {
			t.Errorf("column %d: caret %d in %q", column, d.Caret, d.Excerpt)
		}
	}
}

func TestList(t *testing.T) {
	warning := Diagnostic{Severity: SeverityWarning, Summary: "w", Line: 9, Column: 1}
	first := Diagnostic{Severity: SeverityError, Summary: "first", File: "f", Line: 2, Column: 5, Hint: "do this"}
	second := Diagnostic{Severity: SeverityError, Summary: "second", File: "f", Line: 10, Column: 1}

	if err := (List{warning}).Err(); err != nil {
		t.Errorf("only warnings are the error %v", err)
	}
	list := List{second, warning, first}
	list.Sort()
	if diff := cmp.Diff(List{first, warning, second}, list); diff != "" {
		t.Errorf("sorted (-want +got):\n%s", diff)
	}
	err := fmt.Errorf("reading: %w", list.Err())
	if want := "reading: f:2:5: first (do this)\nf:10:1: second"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if found, ok := errors.AsType[*Error](err); !ok || len(found.List) != 3 {
		t.Errorf("the error does not hold the list: %v", err)
	}
	if len(list.Warnings()) != 1 || len(list.Errors()) != 2 {
		t.Errorf("warnings %v, errors %v", list.Warnings(), list.Errors())
	}
}
