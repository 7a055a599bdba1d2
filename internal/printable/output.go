package printable

import (
	"io"
	"os"
	"sync"
	"unicode/utf8"
)

// Output is the standard output or error of the tool. Whatever is written to it is
// made printable, wherever it comes from; what a view has drawn itself, colours and
// all, goes by Painted.
type Output struct {
	file io.Writer
	mu   sync.Mutex
	held []byte // the beginning of a character whose rest is yet to come
}

// NewOutput makes an output of a file.
func NewOutput(file io.Writer) *Output { return &Output{file: file} }

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := append(o.held, p...)
	whole := len(text) - begun(text)
	o.held = append([]byte(nil), text[whole:]...)
	if _, err := io.WriteString(o.file, Text(string(text[:whole]))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// begun is how many bytes at the end are the beginning of a character.
func begun(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if last := text[len(text)-n]; utf8.RuneStart(last) {
			if last >= utf8.RuneSelf && !utf8.FullRune(text[len(text)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// Painted is where a view writes what it has drawn: colours, moves of the cursor, and
// texts that it has made printable itself.
func Painted(w io.Writer) io.Writer {
	if o, ok := w.(*Output); ok {
		return o.file
	}
	return w
}

// File is the file behind a writer, nil when there is none.
func File(w io.Writer) *os.File {
	f, _ := Painted(w).(*os.File)
	return f
}
