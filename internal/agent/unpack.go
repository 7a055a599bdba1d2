package agent

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/quorate/quorate/internal/agent/protocol"
)

// maxWindow bounds the memory that decoding an entry takes, in bytes. It
// admits zstd's levels up to 19.
const maxWindow = 64 << 20

// unpack writes the files of a tar stream. All entries are received, verified
// and synced before the first gets its name, so an interrupted or corrupted
// stream changes nothing.
func (a *Agent) unpack(w http.ResponseWriter, r *http.Request, _ struct{}) error {
	u := &unpacking{agent: a, seen: map[string]bool{}, slots: make(chan struct{}, 4)}
	defer u.discard()
	// Closed before the discarding, so that the decoder cannot be waiting for
	// bytes that an operator who has seen an error no longer sends.
	defer r.Body.Close()
	archive := tar.NewReader(r.Body)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return streamFailure("reading the archive", err)
		}
		if err := u.entry(header, archive); err != nil {
			return err
		}
	}
	changed, err := u.commit()
	if err != nil {
		return err
	}
	answer(w, protocol.UnpackReply{Changed: changed})
	return nil
}

// unpacking is the state of one unpack operation.
type unpacking struct {
	agent   *Agent
	seen    map[string]bool
	pending []pendingFile
	changed []string // paths, as named in the stream, whose mode or owner changed
	decoder *zstd.Decoder

	slots   chan struct{} // bounds the syncs under way
	syncing sync.WaitGroup
	mu      sync.Mutex
	syncErr error
}

type pendingFile struct {
	name   string // as in the stream
	staged *staged
}

// entry receives one file.
func (u *unpacking) entry(header *tar.Header, content io.Reader) error {
	if header.Typeflag != tar.TypeReg {
		return protocol.Failure(protocol.KindInvalid, "entry %q is not a regular file", header.Name)
	}
	path, err := u.agent.path(header.Name)
	if err != nil {
		return err
	}
	if u.seen[path] {
		return protocol.Failure(protocol.KindInvalid, "entry %q comes twice", header.Name)
	}
	u.seen[path] = true
	want := header.PAXRecords[protocol.PAXSHA256]
	if len(want) != 64 {
		return protocol.Failure(protocol.KindInvalid, "entry %q has no sha256 record", header.Name)
	}
	owner := owned{mode: fs.FileMode(header.Mode) & fs.ModePerm, uid: header.Uid, gid: header.Gid}
	if u.agent.root != "" && u.agent.root != "/" {
		owner.uid, owner.gid = os.Getuid(), os.Getgid()
	}
	if sum, err := digestFile(path); err == nil && sum == want {
		changed, err := owner.apply(path)
		if changed {
			u.changed = append(u.changed, header.Name)
		}
		return err // the content is skipped by the archive's next entry
	}
	decoded, err := u.decode(header, content)
	if err != nil {
		return err
	}
	if err := makeParents(path, 0o755); err != nil {
		return err
	}
	file, err := stage(path)
	if err != nil {
		return err
	}
	u.pending = append(u.pending, pendingFile{header.Name, file})
	sum, err := file.fill(decoded)
	if err != nil {
		return streamFailure("entry "+header.Name, err)
	}
	if sum != want {
		return protocol.Failure(protocol.KindDigest, "entry %q has digest %s, want %s", header.Name, sum, want)
	}
	// The disk writes this file while the next one arrives.
	u.slots <- struct{}{}
	u.syncing.Go(func() {
		defer func() { <-u.slots }()
		if err := file.sync(owner); err != nil {
			u.mu.Lock()
			u.syncErr = errors.Join(u.syncErr, err)
			u.mu.Unlock()
		}
	})
	return nil
}

// decode undoes an entry's encoding.
func (u *unpacking) decode(header *tar.Header, content io.Reader) (io.Reader, error) {
	switch encoding := header.PAXRecords[protocol.PAXEncoding]; encoding {
	case "":
		return content, nil
	case "zstd":
	default:
		return nil, protocol.Failure(protocol.KindInvalid, "entry %q has unknown encoding %q", header.Name, encoding)
	}
	if u.decoder != nil {
		return u.decoder, u.decoder.Reset(content)
	}
	decoder, err := zstd.NewReader(content, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
	if err != nil {
		return nil, err
	}
	u.decoder = decoder
	return decoder, nil
}

// commit gives all files their names once they are on the disk.
func (u *unpacking) commit() ([]string, error) {
	u.syncing.Wait()
	if u.syncErr != nil {
		return nil, u.syncErr
	}
	dirs := map[string]bool{}
	changed := u.changed
	for _, file := range u.pending {
		if err := file.staged.commit(); err != nil {
			return nil, err
		}
		dirs[filepath.Dir(file.staged.path)] = true
		changed = append(changed, file.name)
	}
	for dir := range dirs {
		if err := syncDir(dir); err != nil {
			return nil, err
		}
	}
	slices.Sort(changed)
	return changed, nil
}

// discard removes what was received and not committed.
func (u *unpacking) discard() {
	u.syncing.Wait()
	for _, file := range u.pending {
		file.staged.discard()
	}
	if u.decoder != nil {
		u.decoder.Close()
	}
}

// streamFailure classes an error met while reading or decoding a stream: what
// the file system says keeps its kind, all else is malformed input.
func streamFailure(doing string, err error) error {
	if kindOf(err) != protocol.KindOther {
		return err
	}
	return protocol.Failure(protocol.KindInvalid, "%s: %v", doing, err)
}
