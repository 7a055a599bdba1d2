package agent

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// diskFault fills a file system.
type diskFault struct{ *protocol.DiskFault }

func (f diskFault) check() error {
	if f.LeaveBytes < 0 {
		return malformed("a disk cannot be left less than nothing")
	}
	return checkPath(f.Dir)
}

func (diskFault) able(context.Context, *Agent) error { return nil }

func (f diskFault) prepare(context.Context, faultPlace) (func() (begun, error), error) {
	return func() (begun, error) {
		file, n, err := fill(*f.DiskFault)
		if err != nil {
			return begun{}, err
		}
		return begun{reply: protocol.FaultReply{FilledBytes: n}, end: func() { file.Close() }}, nil // and the space is free again
	}, nil
}

// The file is gone with the process that held it.
func (diskFault) undo(context.Context, faultPlace) error { return nil }

// fill takes up a file system's space with a file that has no name: it is gone
// with the process that holds it open, also when the host loses power.
func fill(fault protocol.DiskFault) (*os.File, int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(fault.Dir, &fs); err != nil {
		return nil, 0, &os.PathError{Op: "measuring", Path: fault.Dir, Err: err}
	}
	// What is kept for root is free to whoever runs as root, as etcd does.
	n := int64(fs.Bfree)*fs.Bsize - fault.LeaveBytes
	if n <= 0 {
		return nil, 0, protocol.Failure(protocol.KindNoSpace, "%s has no more than %d bytes free already", fault.Dir, fault.LeaveBytes)
	}
	file, err := os.CreateTemp(fault.Dir, ".quorate-drill-*")
	if err != nil {
		return nil, 0, err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, 0, err
	}
	if err := syscall.Fallocate(int(file.Fd()), 0, 0, n); err != nil {
		file.Close()
		return nil, 0, fmt.Errorf("filling %s: %w", fault.Dir, err)
	}
	return file, n, nil
}
