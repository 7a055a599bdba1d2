package ansible

import (
	"errors"
	"strings"
	"unicode"
)

// word is one word of a host's line.
type word struct {
	text string // without quotes and escapes
	// from and to are the columns, counted from 1, that it takes as written;
	// to is behind it.
	from, to int
	cut      bool // a # inside it began a comment
	isQuoted bool // it has quotes or escapes
}

// splitWords splits a host's line as a POSIX shell does, and as Ansible does
// with Python's shlex: 'single' and "double" quotes, backslashes, and # begins
// a comment wherever it stands outside quotes, even inside a word.
func splitWords(line string) ([]word, error) {
	var words []word
	var b strings.Builder
	var quote rune
	started, escaped, quoted := false, false, false
	from := 0
	runes := []rune(line)
	begin := func(i int) {
		if !started {
			started, from = true, i+1
		}
	}
	finish := func(i int, cut bool) {
		if started {
			words = append(words, word{text: b.String(), from: from, to: i + 1, cut: cut, isQuoted: quoted})
		}
		b.Reset()
		started, quoted = false, false
	}
	for i, r := range runes {
		switch {
		case escaped:
			// Inside double quotes only \" and \\ are escapes.
			if quote == '"' && r != '"' && r != '\\' {
				b.WriteRune('\\')
			}
			b.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			begin(i)
			escaped, quoted = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			b.WriteRune(r)
		case r == '\'' || r == '"':
			begin(i)
			quote, quoted = r, true
		case r == '#':
			finish(i, started)
			return words, nil
		case unicode.IsSpace(r):
			finish(i, false)
		default:
			begin(i)
			b.WriteRune(r)
		}
	}
	switch {
	case quote != 0:
		return words, errors.New("a quote is not closed")
	case escaped:
		return words, errors.New("the line ends in a backslash")
	}
	finish(len(runes), false)
	return words, nil
}
