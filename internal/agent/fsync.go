package agent

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

const (
	fsyncWrite    = 2300 // bytes: about what etcd appends for a small put
	maxFsyncCount = 10000
)

// fsync measures appended writes, each followed by fdatasync.
func (a *Agent) fsync(ctx context.Context, request protocol.FsyncRequest) (protocol.FsyncReply, error) {
	dir, err := a.path(request.Dir)
	if err != nil {
		return protocol.FsyncReply{}, err
	}
	if request.Count < 1 || request.Count > maxFsyncCount {
		return protocol.FsyncReply{}, protocol.Failure(protocol.KindInvalid, "count %d is not between 1 and %d", request.Count, maxFsyncCount)
	}
	f, err := os.CreateTemp(existingParent(dir), ".quorate-fsync-*")
	if err != nil {
		return protocol.FsyncReply{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, fsyncWrite)
	took := make([]int64, 0, request.Count)
	for range request.Count {
		if err := ctx.Err(); err != nil {
			return protocol.FsyncReply{}, err
		}
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return protocol.FsyncReply{}, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return protocol.FsyncReply{}, err
		}
		took = append(took, time.Since(began).Microseconds())
	}
	slices.Sort(took)
	at := func(percent int) int64 { return took[(len(took)*percent-1)/100] }
	return protocol.FsyncReply{P50Micros: at(50), P99Micros: at(99), MaxMicros: took[len(took)-1]}, nil
}

// existingParent is path, or the nearest directory above it that exists.
func existingParent(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == "/" {
			return path
		}
		path = filepath.Dir(path)
	}
}
