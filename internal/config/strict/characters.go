package strict

import (
	"fmt"
	"strings"
	"unicode"
)

// Printable is a text with what would steer a terminal replaced.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

// ControlCharacter names the first control character of a text, or is "".
// Newlines are among them: no value of a cluster file has several lines.
func ControlCharacter(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return characterName(r)
		}
	}
	return ""
}

// OddCharacter names the first character of a text that ok refuses, or is "".
func OddCharacter(s string, ok func(rune) bool) string {
	for _, r := range s {
		if !ok(r) {
			return characterName(r)
		}
	}
	return ""
}

// characterName is how a character is called in a message.
func characterName(r rune) string {
	switch {
	case r == '\n':
		return "a newline"
	case r == '\r':
		return "a carriage return"
	case r == '\t':
		return "a tab"
	case r == ' ':
		return "a space"
	case r == '\'' || r == '"' || r == '`':
		return fmt.Sprintf("a quote (%c)", r)
	case unicode.IsUpper(r):
		return fmt.Sprintf("an upper-case letter (%c)", r)
	case !unicode.IsPrint(r):
		return fmt.Sprintf("a control character (%U)", r)
	}
	return fmt.Sprintf("%q", string(r))
}

// EnvCharacter reports whether a character may be in the name of an environment
// variable.
func EnvCharacter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
}
