package strict

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/diag"
)

// MaxFileSize is the size in bytes of the largest file that is read. A thousand
// hosts with everything said about each are less than half a megabyte.
const MaxFileSize = 4 << 20

// ReadFile reads a file of at most MaxFileSize; "-" is standard input. It does
// not trust the file's own word about its size: it may be a pipe.
func ReadFile(path string) ([]byte, *diag.Diagnostic) {
	fail := func(hint, format string, args ...any) ([]byte, *diag.Diagnostic) {
		return nil, &diag.Diagnostic{Severity: diag.SeverityError, File: path, Summary: fmt.Sprintf(format, args...), Hint: hint}
	}
	in := os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fail("name an existing file with -f, or make one with `quorate init`", "there is no such file")
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
	data, err := ReadAll(in)
	if err != nil {
		return fail("", "the file cannot be read: %v", cause(err))
	}
	return data, nil
}

// ReadAll reads at most one byte more than MaxFileSize, for CheckText to refuse.
func ReadAll(in io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(in, MaxFileSize+1)) }

// cause is a file error without the path, which the diagnostic has already.
func cause(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

// File is one of the files that are read together as one cluster's.
type File struct {
	// Path is as it was given; "-" is standard input.
	Path   string
	Data   []byte
	Source *diag.Source
	// Gathered is true for a file that nobody named: it is read because it
	// belongs to one that was.
	Gathered bool
	// Roots are the file's YAML documents, empty ones left out; nil where the
	// file is no YAML.
	Roots []*yaml.Node
}

// NewFile makes a file of its content.
func NewFile(path string, data []byte) *File {
	name := path
	if path == "-" {
		name = "standard input"
	}
	return &File{Path: path, Data: data, Source: diag.NewSource(name, data)}
}
