package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bounded"
)

// MaxReadFile is the most bytes that ReadFile takes.
const MaxReadFile = 16 << 20

// Facts asks the host for all that the request names, in one round trip.
func (h *Host) Facts(ctx context.Context, request protocol.FactsRequest) (*protocol.Facts, error) {
	facts := new(protocol.Facts)
	if err := h.call(ctx, "gathering facts", protocol.OpFacts, request, facts); err != nil {
		return nil, err
	}
	return facts, nil
}

// ReadFile gives a file's content, which may have MaxReadFile bytes. The error
// is an fs.ErrNotExist when there is no such file.
func (h *Host) ReadFile(ctx context.Context, path string) ([]byte, error) {
	doing := "reading " + path
	response, err := h.send(ctx, protocol.OpRead, protocol.ReadRequest{Path: path}, nil, 0)
	if err != nil {
		return nil, h.failed(ctx, doing, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(bounded.Reader(response.Body, MaxReadFile))
	if err != nil {
		return nil, h.failed(ctx, doing, err)
	}
	return content, nil
}

// WriteFile puts content at path, owned by root, with the permission bits of
// mode, atomically and durably. Changed is false when it was so already.
// Missing parent directories are made.
func (h *Host) WriteFile(ctx context.Context, path string, content []byte, mode fs.FileMode) (changed bool, err error) {
	return h.Write(ctx, protocol.WriteRequest{Path: path, Mode: uint32(mode.Perm())}, content)
}

// Write is WriteFile with an owner. The request's digest is filled in.
func (h *Host) Write(ctx context.Context, request protocol.WriteRequest, content []byte) (changed bool, err error) {
	sum := sha256.Sum256(content)
	request.SHA256 = hex.EncodeToString(sum[:])
	var reply protocol.WriteReply
	err = h.callStream(ctx, "writing "+request.Path, protocol.OpWrite, request, bytes.NewReader(content), int64(len(content)), maxAnswer, &reply)
	return reply.Changed, err
}

// Sync has files, and all that is below folders, on the host's disk: what other
// programs wrote may be in its memory alone. Missing paths are no error.
func (h *Host) Sync(ctx context.Context, paths ...string) error {
	var reply protocol.ChangedReply
	return h.call(ctx, "syncing what was written", protocol.OpSync, protocol.SyncRequest{Paths: paths}, &reply)
}

// Remove removes a file or an empty directory; a missing one is no error.
func (h *Host) Remove(ctx context.Context, path string) error {
	return h.remove(ctx, protocol.RemoveRequest{Path: path})
}

// RemoveAll removes a path and all below it; a missing one is no error.
func (h *Host) RemoveAll(ctx context.Context, path string) error {
	return h.remove(ctx, protocol.RemoveRequest{Path: path, Recursive: true})
}

// UnmountAndRemoveAll lazily unmounts all that is mounted at or below path,
// then removes it and all below it.
func (h *Host) UnmountAndRemoveAll(ctx context.Context, path string) error {
	return h.remove(ctx, protocol.RemoveRequest{Path: path, Recursive: true, Unmount: true})
}

// EmptyDir removes what is in a directory, and the directory itself unless it
// is a mount point or a symbolic link. What is mounted below it is lazily
// unmounted, never removed; a missing one is no error.
func (h *Host) EmptyDir(ctx context.Context, path string) error {
	return h.remove(ctx, protocol.RemoveRequest{Path: path, Empty: true})
}

// RemoveIfEmpty removes a directory if it is empty and no mount point.
func (h *Host) RemoveIfEmpty(ctx context.Context, path string) error {
	return h.remove(ctx, protocol.RemoveRequest{Path: path, IfEmpty: true})
}

func (h *Host) remove(ctx context.Context, request protocol.RemoveRequest) error {
	var reply protocol.ChangedReply
	return h.call(ctx, "removing "+request.Path, protocol.OpRemove, request, &reply)
}

// Mkdir makes a directory and its parents and sets its permission bits.
func (h *Host) Mkdir(ctx context.Context, path string, mode fs.FileMode) error {
	var reply protocol.ChangedReply
	return h.call(ctx, "making the directory "+path, protocol.OpMkdir, protocol.MkdirRequest{Path: path, Mode: uint32(mode.Perm())}, &reply)
}

// Unpack writes the files of a tar stream whose entries are named by absolute
// paths and carry the records protocol.PAXSHA256 and, when compressed,
// protocol.PAXEncoding. Either all entries are written or none. Changed lists
// the paths that were different before. When the stream is a pipe, its
// reading end is closed in the end, so that a writer never waits for a host
// that has given up.
func (h *Host) Unpack(ctx context.Context, tarStream io.Reader) (changed []string, err error) {
	defer releasePipe(tarStream)
	var reply protocol.UnpackReply
	err = h.callStream(ctx, "unpacking files", protocol.OpUnpack, struct{}{}, bodyReader{tarStream}, -1, maxAnswer, &reply)
	return reply.Changed, err
}

// releasePipe lets whoever writes into r, if it is a pipe, go on.
func releasePipe(r io.Reader) {
	if pipe, ok := r.(*io.PipeReader); ok {
		pipe.Close()
	}
}
