package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/quorate/quorate/internal/diag"
)

// maxFileSize is the size in bytes of the largest file that is read. A thousand
// hosts with everything said about each are less than half a megabyte.
const maxFileSize = 4 << 20

// maxDepth is how deep a file's mappings and lists may be in each other.
const maxDepth = 100

// readFile reads a file of at most maxFileSize; "-" is standard input. It does
// not trust the file's own word about its size: it may be a pipe.
func readFile(path string) ([]byte, *diag.Diagnostic) {
	fail := func(hint, format string, args ...any) ([]byte, *diag.Diagnostic) {
		return nil, &diag.Diagnostic{Severity: diag.SeverityError, File: path, Summary: fmt.Sprintf(format, args...), Hint: hint}
	}
	in := os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fail("name an existing file with -f", "there is no such file")
		case errors.Is(err, fs.ErrPermission):
			return fail("check who may read it: ls -l "+path, "the file may not be read: %v", cause(err))
		case err != nil:
			return fail("", "the file cannot be opened: %v", cause(err))
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return fail("name the cluster file in it", "this is a folder, not a file")
		}
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFileSize+1))
	if err != nil {
		return fail("", "the file cannot be read: %v", cause(err))
	}
	return data, nil
}

// cause is a file error without the path, which the diagnostic has already.
func cause(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

// checkText refuses what is no text before the YAML parser sees it, and reports
// whether it went well.
func checkText(r *report, data []byte) bool {
	whole := diag.Position{}
	switch {
	case len(data) > maxFileSize:
		r.errorAt(whole, "is it the right file?", "the file is larger than %d MiB", maxFileSize>>20)
	case len(bytes.TrimSpace(data)) == 0:
		r.errorAt(whole, "", "the file is empty")
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		r.errorAt(whole, "save it as UTF-8", "the file is UTF-16 text")
	case bytes.IndexByte(data, 0) >= 0:
		r.errorAt(whole, "is it the right file?", "the file is not text, it holds zero bytes")
	case !utf8.Valid(data):
		at := invalidUTF8(data)
		hideSecretText(r.src, at.Line)
		r.errorAt(at, "save it as UTF-8", "the file is not UTF-8 text")
	default:
		at, odd := oddLineBreak(data)
		if odd == 0 {
			return true
		}
		hideSecretText(r.src, at.Line)
		r.errorAt(at, "end lines with a newline (LF, or CR and LF)", "the line ends in %U, which some programs take for a line break and others do not", odd)
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

// parseYAML returns the roots of a file's documents, empty ones left out, or
// reports the syntax error and returns nil.
func parseYAML(r *report, data []byte) []*yaml.Node {
	limits := loaderlimits.New(loaderlimits.DepthValue(maxDepth))
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(limits))
	if err != nil {
		r.errorAt(diag.Position{}, "", "the YAML reader does not start: %v", err)
		return nil
	}
	var roots []*yaml.Node
	for {
		var doc yaml.Node
		err := loader.Load(&doc)
		if errors.Is(err, io.EOF) {
			return roots
		}
		if err != nil {
			syntaxError(r, err)
			return nil
		}
		if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 && doc.Content[0].ShortTag() != "!!null" {
			roots = append(roots, doc.Content[0])
		}
	}
}

// syntaxError reports what the YAML parser could not read. It stops there: the
// rest of the file cannot be understood.
func syntaxError(r *report, err error) {
	at, message := diag.Position{Line: 1, Column: 1}, err.Error()
	if load, ok := errors.AsType[*yaml.LoadError](err); ok {
		message = load.Message
		mark := load.Mark
		if mark.Line == 0 {
			mark = load.ContextMark
		}
		if mark.Line > 0 {
			at = diag.Position{Line: min(mark.Line, r.src.LineCount()), Column: max(mark.Column, 1)}
		}
	}
	hideSecretText(r.src, at.Line)
	hint := ""
	switch {
	case strings.Contains(message, "max depth"):
		message, hint = fmt.Sprintf("lists and mappings are in each other more than %d deep", maxDepth), "is it the right file?"
	case strings.Contains(message, "unknown anchor"):
		// The parser quotes the name, which may be a password that begins with *.
		message, hint = "the alias (*) names an anchor that the file does not have", "put a value that begins with * in quotes"
	case strings.Contains(r.src.Line(at.Line), "\t"):
		hint = "indent with spaces, YAML takes no tabs"
	case strings.Contains(message, "cannot start any token"):
		hint = "put a value that begins with @, % or ` in quotes"
	case strings.Contains(message, "mapping values are not allowed"):
		hint = "is the line indented as its neighbours are, and is a value with \": \" in it in quotes?"
	}
	r.errorAt(at, hint, "this is not YAML: %s", message)
}
