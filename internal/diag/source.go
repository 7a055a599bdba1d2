package diag

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// excerptWidth is how many characters of a line an excerpt shows at most;
// longer lines are shown around the place only.
const excerptWidth = 110

// hiddenText stands where a secret stood. It has a fixed length, so that it
// does not tell the secret's.
const hiddenText = "********"

// Source is the text that diagnostics are about. It cuts excerpts out of it
// that are safe to print.
type Source struct {
	name   string
	lines  []string
	hidden map[int][]span // by line number
}

// span is a part of a line in characters, from inclusive, to exclusive.
type span struct{ from, to int }

// toEnd as a span's end hides the rest of the line.
const toEnd = int(^uint(0) >> 1)

// NewSource makes a source of a text. The name is shown as the file.
func NewSource(name string, data []byte) *Source {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	return &Source{name: name, lines: strings.Split(text, "\n"), hidden: map[int][]span{}}
}

// Name is the file's name as shown.
func (s *Source) Name() string { return s.name }

// Line returns a line of the text as it stands, secrets and all; line counts
// from 1. It is "" beyond the text.
func (s *Source) Line(line int) string {
	if line < 1 || line > len(s.lines) {
		return ""
	}
	return s.lines[line-1]
}

// LineCount is the number of lines, counting what follows the last newline.
func (s *Source) LineCount() int { return len(s.lines) }

// Hide keeps length characters from a place on out of all excerpts made after
// this call; a negative length hides the rest of the line.
func (s *Source) Hide(at Position, length int) {
	to := toEnd
	if length >= 0 {
		to = at.Column - 1 + length
	}
	s.hidden[at.Line] = append(s.hidden[at.Line], span{max(at.Column-1, 0), to})
}

// Hides reports whether a place is kept out of excerpts.
func (s *Source) Hides(at Position) bool { return covered(s.hidden[at.Line], at.Column-1) }

// At makes a diagnostic with its place and excerpt filled in. A zero position
// gives a diagnostic about the file as a whole.
func (s *Source) At(severity Severity, at Position, summary, hint string) Diagnostic {
	d := Diagnostic{Severity: severity, Summary: summary, Hint: hint, File: s.name, Line: at.Line, Column: at.Column}
	if at.Line > 0 && at.Line <= len(s.lines) {
		d.Excerpt, d.Caret = s.excerpt(at)
	}
	return d
}

// excerpt returns the line of a place, fit to print, and how many of its
// characters stand before the place.
func (s *Source) excerpt(at Position) (string, int) {
	line := strings.TrimRight(s.lines[at.Line-1], " \t\r")
	length := utf8.RuneCountInString(line)
	column := min(max(at.Column-1, 0), length)
	start, end := 0, length
	if length > excerptWidth {
		start = min(max(column-excerptWidth/2, 0), length-excerptWidth)
		end = start + excerptWidth
	}
	hidden := s.hiddenIn(at.Line, start, end)

	var out []rune
	if start > 0 {
		out = append(out, '…')
	}
	caret, i, inSecret := 0, 0, false
	for _, char := range line {
		if i == end {
			break
		}
		if i >= start {
			wasSecret := inSecret
			inSecret = covered(hidden, i)
			if i == column || inSecret && !wasSecret && column > i && coveredAll(hidden, i, column) {
				caret = len(out)
			}
			switch {
			case !inSecret:
				out = append(out, visible(char))
			case !wasSecret:
				out = append(out, []rune(hiddenText)...)
			}
		}
		i++
	}
	if column >= end {
		caret = len(out)
	}
	if end < length {
		out = append(out, '…')
	}
	return string(out), caret
}

// hiddenIn returns the hidden spans of a line that reach into a part of it.
func (s *Source) hiddenIn(line, from, to int) []span {
	var some []span
	for _, h := range s.hidden[line] {
		if h.from < to && h.to > from {
			some = append(some, h)
		}
	}
	return some
}

func covered(spans []span, i int) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return i >= s.from && i < s.to })
}

// coveredAll reports whether everything from one place to another is hidden.
func coveredAll(spans []span, from, to int) bool {
	for i := from; i <= to; i++ {
		if !covered(spans, i) {
			return false
		}
	}
	return true
}

// visible keeps a file from steering the terminal it is shown on.
func visible(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case !unicode.IsPrint(r):
		return '\ufffd'
	}
	return r
}
