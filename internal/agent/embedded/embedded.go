// Package embedded holds the agents that quorate puts onto hosts, one for each
// architecture, as hack/build-agent made them. A quorate that was built
// without them (a plain "go build" or "go test" of a fresh clone) works except
// that it cannot reach hosts, and says so.
package embedded

import (
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

//go:embed built/*
var built embed.FS

// ErrNotBuilt says that this quorate holds no agent.
var ErrNotBuilt = errors.New("this quorate was built without its agent; build it with: make build")

// Agent is one architecture's agent.
type Agent struct {
	// Name is the file's name on a host: the beginning of its digest.
	Name string
	// SHA256 is the hex digest of the program.
	SHA256 string

	folder fs.FS
	file   string
}

// Find gives the agent for an architecture as GOARCH names it. When the
// variable QUORATE_AGENT_DIR is set, agents are taken from that folder
// instead, so that tests and developers need not rebuild quorate.
func Find(arch string) (Agent, error) {
	file := "quorate-agent-linux-" + arch
	var folder fs.FS
	if dir := os.Getenv("QUORATE_AGENT_DIR"); dir != "" {
		folder = os.DirFS(dir)
	} else {
		var err error
		if folder, err = fs.Sub(built, "built"); err != nil {
			return Agent{}, err
		}
	}
	sum, err := fs.ReadFile(folder, file+".sha256")
	if errors.Is(err, fs.ErrNotExist) {
		return Agent{}, ErrNotBuilt
	}
	if err != nil {
		return Agent{}, err
	}
	digest := strings.TrimSpace(string(sum))
	if raw, err := hex.DecodeString(digest); err != nil || len(raw) != sha256.Size {
		return Agent{}, fmt.Errorf("the digest of the agent for %s inside this quorate is damaged: %q", arch, digest)
	}
	return Agent{Name: digest[:16], SHA256: digest, folder: folder, file: file + ".gz"}, nil
}

// Compressed opens the program, compressed with gzip, of a size in bytes. However many
// read it, it is in memory once.
func (a Agent) Compressed() (io.ReadCloser, int64, error) {
	f, err := a.folder.Open(a.file)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Program gives the program itself.
func (a Agent) Program() ([]byte, error) {
	compressed, _, err := a.Compressed()
	if err != nil {
		return nil, err
	}
	defer compressed.Close()
	decoder, err := gzip.NewReader(compressed)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(decoder)
}
