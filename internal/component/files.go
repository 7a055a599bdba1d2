package component

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/plan"
)

// File is a file as it must be on a host. The owner is root unless another is given.
type File struct {
	Path     string
	Content  []byte
	Mode     fs.FileMode
	UID, GID int
}

// Rewritten is a file of others with a new content: its mode and owner stay.
func Rewritten(path string, content []byte, old protocol.File) File {
	return File{Path: path, Content: content, Mode: fs.FileMode(old.Mode).Perm(), UID: old.UID, GID: old.GID}
}

// SHA256 is the hex digest of the content.
func (f File) SHA256() string {
	sum := sha256.Sum256(f.Content)
	return hex.EncodeToString(sum[:])
}

// AskFiles asks for what FileChanges compares. None of the paths may be a
// file that holds a secret, since their content is observed too.
func AskFiles(q *protocol.FactsRequest, paths ...string) {
	for _, p := range paths {
		q.Files = append(q.Files, protocol.FileQuery{Path: p, Content: true, Digest: true})
	}
}

// FileChanges tells which of the files differ from what was observed, with
// a diff for each; files that are as they must be are left out.
func FileChanges(facts *protocol.Facts, files []File) (differ []File, changes []plan.Change) {
	for _, f := range files {
		old := facts.Files[f.Path]
		if old.Exists && old.SHA256 == f.SHA256() && fs.FileMode(old.Mode).Perm() == f.Mode.Perm() {
			continue
		}
		action := "update"
		if !old.Exists {
			action = "create"
		}
		differ = append(differ, f)
		changes = append(changes, plan.Change{
			What:   f.Path,
			Action: action,
			Diff:   plan.FileDiff(f.Path, []byte(old.Content), f.Content),
		})
	}
	return differ, changes
}

// WriteFiles writes the files and tells whether any was changed.
func WriteFiles(ctx context.Context, rt *Runtime, hostName string, files []File) (changed bool, err error) {
	h, err := rt.Host(hostName)
	if err != nil {
		return false, err
	}
	for _, f := range files {
		c, err := h.Write(ctx, protocol.WriteRequest{Path: f.Path, Mode: uint32(f.Mode.Perm()), UID: f.UID, GID: f.GID}, f.Content)
		if err != nil {
			return changed, err
		}
		changed = changed || c
	}
	return changed, nil
}

// FilesAreSo reports whether all files are on the host as they must be.
func FilesAreSo(ctx context.Context, rt *Runtime, hostName string, files []File) (bool, error) {
	h, err := rt.Host(hostName)
	if err != nil {
		return false, err
	}
	q := protocol.FactsRequest{Brief: true}
	for _, f := range files {
		q.Files = append(q.Files, protocol.FileQuery{Path: f.Path, Digest: true})
	}
	facts, err := h.Facts(ctx, q)
	if err != nil {
		return false, err
	}
	differ, _ := FileChanges(facts, files)
	return len(differ) == 0, nil
}

// ReadSame reads a file from every host named and returns its content when
// all that have it agree; hosts that lack it are listed in missing.
func ReadSame(ctx context.Context, rt *Runtime, path string, hosts []string) (content []byte, missing []string, err error) {
	from := ""
	for _, name := range hosts {
		h, err := rt.Host(name)
		if err != nil {
			return nil, nil, err
		}
		got, err := h.ReadFile(ctx, path)
		switch {
		case isNotExist(err), err == nil && len(got) == 0:
			missing = append(missing, name)
		case err != nil:
			return nil, nil, err
		case content == nil:
			content, from = got, name
		case !bytes.Equal(content, got):
			return nil, nil, fmt.Errorf("%s and %s have different files at %s: they belong to different clusters; reset the one that is wrong", from, name, path)
		}
	}
	return content, missing, nil
}

// PlainFiles is the work of writing files that no service must be told about.
type PlainFiles struct {
	Host  string
	Files []File
}

// Check implements Checker.
func (p PlainFiles) Check(ctx context.Context, rt *Runtime, _ func(string)) (bool, error) {
	return FilesAreSo(ctx, rt, p.Host, p.Files)
}

// Apply implements Op.
func (p PlainFiles) Apply(ctx context.Context, rt *Runtime, _ func(string)) error {
	_, err := WriteFiles(ctx, rt, p.Host, p.Files)
	return err
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
