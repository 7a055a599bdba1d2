package bounded

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReader(t *testing.T) {
	for _, source := range []func(string) io.Reader{
		func(s string) io.Reader { return strings.NewReader(s) },
		func(s string) io.Reader { return iotest.OneByteReader(strings.NewReader(s)) },
		func(s string) io.Reader { return iotest.DataErrReader(strings.NewReader(s)) },
	} {
		if got, err := io.ReadAll(Reader(source("abcd"), 4)); string(got) != "abcd" || err != nil {
			t.Errorf("as much as may be: %q, %v", got, err)
		}
		got, err := io.ReadAll(Reader(source("abcde"), 4))
		if e, ok := errors.AsType[*Error](err); string(got) != "abcd" || !ok || e.Limit != 4 {
			t.Errorf("more: %q, %v", got, err)
		}
	}
	if got := (&Error{16 << 20}).Error(); got != "it answers more than 16 MiB" {
		t.Error(got)
	}
}

func TestLines(t *testing.T) {
	next := Lines(strings.NewReader("one\ntwo\n"+strings.Repeat("x", 64)), 32)
	for _, want := range []string{"one\n", "two\n"} {
		if line, err := next(); string(line) != want || err != nil {
			t.Errorf("%q, %v", line, err)
		}
	}
	if line, err := next(); line != nil || err == nil || err.Error() != "it answers more than 0 KiB" {
		t.Errorf("%q, %v", line, err)
	}
}
