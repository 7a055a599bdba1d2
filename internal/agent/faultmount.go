package agent

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// laidOver names what a fault lays over a path: an empty file system by its source, a
// file by its own name. The mounts of a fault are known by it, and no other is taken
// off, be it below, above or where a fault came to lay nothing.
func laidOver(id string) string { return protocol.FaultUnitPrefix + id }

// laidMounts are the mounts of a fault.
func laidMounts(id string) ([]mount, error) {
	all, err := readMounts()
	if err != nil {
		return nil, err
	}
	return laidAmong(all, id), nil
}

func laidAmong(all []mount, id string) []mount {
	var laid []mount
	for _, m := range all {
		file := filepath.Base(strings.TrimSuffix(m.root, "//deleted"))
		if m.kind == "tmpfs" && m.source == laidOver(id) || file == laidOver(id) {
			laid = append(laid, m)
		}
	}
	return laid
}

// takeOff unmounts what a fault laid over a path; nothing is no error.
func takeOff(id string) error {
	// One that is shared takes its copies in other places along.
	for {
		all, err := readMounts()
		if err != nil {
			return err
		}
		laid := laidAmong(all, id)
		if len(laid) == 0 {
			return nil
		}
		m := laid[len(laid)-1]
		for _, over := range all {
			if over.parent == m.id && over.point == m.point {
				return protocol.Failure(protocol.KindBusy, "something else (%s) was mounted over what the drill laid over %s; unmount that first", over.source, m.point)
			}
		}
		const noFollow = 0x8 // UMOUNT_NOFOLLOW
		if err := syscall.Unmount(m.point, syscall.MNT_DETACH|noFollow); err != nil {
			return &os.PathError{Op: "unmounting", Path: m.point, Err: err}
		}
	}
}
