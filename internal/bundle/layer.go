package bundle

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// layerEntry is one file, directory or symbolic link of an image layer, owned
// by root.
type layerEntry struct {
	Path string      // without a leading slash
	Mode fs.FileMode // fs.ModeDir and fs.ModeSymlink say what it is; fs.ModeSticky is kept
	Link string      // a symbolic link's target
	Size int64
	Open func() (io.ReadCloser, error) // a file's content
}

// textEntry is a small file.
func textEntry(name, content string) layerEntry {
	return layerEntry{Path: name, Mode: 0o644, Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(content)), nil
	}}
}

// dirEntry is a directory.
func dirEntry(name string, mode fs.FileMode) layerEntry {
	return layerEntry{Path: name, Mode: mode | fs.ModeDir}
}

// linkEntry is a symbolic link.
func linkEntry(name, target string) layerEntry {
	return layerEntry{Path: name, Mode: 0o777 | fs.ModeSymlink, Link: target}
}

// writeLayer writes a tar that depends on the entries alone: sorted by path,
// parents added, one fixed time, root as the owner. Two entries with one path
// are an error.
func writeLayer(w io.Writer, entries []layerEntry) error {
	entries = withParents(entries)
	slices.SortFunc(entries, func(a, b layerEntry) int { return strings.Compare(a.Path, b.Path) })
	out := tar.NewWriter(w)
	for i, e := range entries {
		if i > 0 && entries[i-1].Path == e.Path {
			return fmt.Errorf("layer holds %s twice", e.Path)
		}
		if err := writeEntry(out, e); err != nil {
			return fmt.Errorf("packing %s: %w", e.Path, err)
		}
	}
	return out.Close()
}

// writeEntry writes one entry.
func writeEntry(out *tar.Writer, e layerEntry) error {
	header := &tar.Header{
		Name: e.Path, Mode: int64(e.Mode.Perm()), Size: e.Size, Linkname: e.Link,
		ModTime: time.Unix(0, 0).UTC(), Uname: "root", Gname: "root", Typeflag: tar.TypeReg,
	}
	switch {
	case e.Mode.IsDir():
		header.Typeflag, header.Name = tar.TypeDir, e.Path+"/"
	case e.Mode&fs.ModeSymlink != 0:
		header.Typeflag = tar.TypeSymlink
	}
	if e.Mode&fs.ModeSticky != 0 {
		header.Mode |= 0o1000
	}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	in, err := e.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	return err
}

// withParents adds the directories that entries lie in, mode 0755, where no
// entry says otherwise.
func withParents(entries []layerEntry) []layerEntry {
	all := slices.Clone(entries)
	known := map[string]bool{}
	for _, e := range entries {
		known[e.Path] = true
	}
	for _, e := range entries {
		for dir := path.Dir(e.Path); dir != "." && !known[dir]; dir = path.Dir(dir) {
			known[dir] = true
			all = append(all, dirEntry(dir, 0o755))
		}
	}
	return all
}
