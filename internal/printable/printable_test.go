package printable

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\nline":         "plain\ttext\nline",
		"\x1b[31mred\x1b[0m":        "red",
		"\x1b]0;title\x07after":     "after",
		"a\rb\x08\x00\x7f\u0085c":   "abc",
		"evil\u202etxt\u2066x":      "eviltxtx",
		"bad\xff\xfeutf8":           "bad?utf8",
		"中文 stays":                  "中文 stays",
		"\x1b[2J\x1b]52;c;Zm9v\x07": "",
		"said: \x1b]0;no end\nhint": "said: \nhint", // a sequence without an end hides no other line
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("\x1b[31mred\x9b0m\x1b\x1b[")
	f.Fuzz(func(t *testing.T, s string) {
		if got := Text(s); strings.ContainsFunc(got, steers) {
			t.Errorf("Text(%q) = %q", s, got)
		}
	})
}

// The terminal is not steered whatever the pieces in which a text is written.
func TestOutput(t *testing.T) {
	const in = "中文\x1b[2J\x1b]0;title\x07 \u009b31m\xc3\nnext"
	for size := 1; size <= len(in); size++ {
		var b bytes.Buffer
		o := NewOutput(&b)
		for rest := in; rest != ""; {
			n := min(size, len(rest))
			if written, err := o.Write([]byte(rest[:n])); written != n || err != nil {
				t.Fatal(written, err)
			}
			rest = rest[n:]
		}
		got := b.String()
		if strings.ContainsFunc(got, steers) || !strings.HasPrefix(got, "中文") || !strings.HasSuffix(got, "\nnext") {
			t.Errorf("in pieces of %d: %q", size, got)
		}
	}
}

func TestPaintedAndFile(t *testing.T) {
	var b bytes.Buffer
	if _, err := Painted(NewOutput(&b)).Write([]byte("\x1b[31mred\x1b[0m")); err != nil || b.String() != "\x1b[31mred\x1b[0m" {
		t.Errorf("%q, %v", b.String(), err)
	}
	if File(NewOutput(os.Stderr)) != os.Stderr || File(os.Stderr) != os.Stderr || File(NewOutput(&b)) != nil {
		t.Error("the file behind an output")
	}
}

func TestJSON(t *testing.T) {
	in := map[string]string{"key\u009b": "a\x1b[2J\u009b31m\u202e<中文>\u0085\x7f"}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"indented": func(b *bytes.Buffer) error { return JSON(b, in) },
		"a line":   func(b *bytes.Buffer) error { return JSONLine(b, in) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(b.String(), steers) || !strings.Contains(b.String(), "<中文>") {
			t.Errorf("%s: %q", name, b.String())
		}
		var out map[string]string
		if err := json.Unmarshal(b.Bytes(), &out); err != nil || out["key\u009b"] != in["key\u009b"] {
			t.Errorf("%s: %v, %v", name, out, err)
		}
	}
}
