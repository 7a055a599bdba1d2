package strict

import (
	"bytes"
	"unicode/utf8"

	"github.com/quorate/quorate/internal/diag"
)

// CheckText refuses what is no text before the YAML parser sees it, and reports
// whether it went well.
func CheckText(r *Report, data []byte) bool {
	whole := diag.Position{}
	switch {
	case len(data) > MaxFileSize:
		r.ErrorAt(whole, "is it the right file?", "the file is larger than %d MiB", MaxFileSize>>20)
	case len(bytes.TrimSpace(data)) == 0:
		r.ErrorAt(whole, "", "the file is empty")
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		r.ErrorAt(whole, "save it as UTF-8", "the file is UTF-16 text")
	case bytes.IndexByte(data, 0) >= 0:
		r.ErrorAt(whole, "is it the right file?", "the file is not text, it holds zero bytes")
	case !utf8.Valid(data):
		at := invalidUTF8(data)
		HideSecretText(r.src)
		r.ErrorAt(at, "save it as UTF-8", "the file is not UTF-8 text")
	default:
		at, odd := oddLineBreak(data)
		if odd == 0 {
			return true
		}
		HideSecretText(r.src)
		r.ErrorAt(at, "end lines with a newline (LF, or CR and LF)", "the line ends in %U, which some programs take for a line break and others do not", odd)
	}
	return false
}

// oddLineBreak finds a line break other than LF and CR LF. YAML has some that
// nobody sees: lines would be counted otherwise than in the user's editor, and
// secrets be hidden in the wrong one.
func oddLineBreak(data []byte) (diag.Position, rune) {
	at := diag.Position{Line: 1, Column: 1}
	for i, char := range string(data) {
		switch char {
		case '\n':
			at = diag.Position{Line: at.Line + 1}
		case '\u0085', '\u2028', '\u2029':
			return at, char
		case '\r':
			if i+1 == len(data) || data[i+1] != '\n' {
				return at, char
			}
		}
		at.Column++
	}
	return diag.Position{}, 0
}

// invalidUTF8 is where the first byte stands that is not UTF-8.
func invalidUTF8(data []byte) diag.Position {
	at := diag.Position{Line: 1, Column: 1}
	for len(data) > 0 {
		char, size := utf8.DecodeRune(data)
		if char == utf8.RuneError && size <= 1 {
			break
		}
		if at.Column++; char == '\n' {
			at = diag.Position{Line: at.Line + 1, Column: 1}
		}
		data = data[size:]
	}
	return at
}
