package agent

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// podNamespaces is where containerd keeps the network namespaces of pods.
const podNamespaces = "/run/netns"

// dialFromPod connects from a pod's network namespace.
func dialFromPod(ctx context.Context, dialer net.Dialer, network, address, podIP string) (net.Conn, error) {
	pod, err := netip.ParseAddr(podIP)
	if err != nil {
		return nil, protocol.Failure(protocol.KindInvalid, "%v", err)
	}
	// A name would be resolved by another thread, outside the namespace.
	if _, err := netip.ParseAddrPort(address); err != nil || network != "tcp" {
		return nil, protocol.Failure(protocol.KindInvalid, "from a pod, connect to an IP address, not to %q", address)
	}
	namespaces, err := filepath.Glob(podNamespaces + "/*")
	if err != nil {
		return nil, err
	}
	type result struct {
		conn  net.Conn
		found bool
		err   error
	}
	done := make(chan result, 1)
	go func() {
		// Never unlocked: the thread ends with this goroutine, and nothing else
		// ever runs in the pod's namespace.
		runtime.LockOSThread()
		for _, path := range namespaces {
			if enterNetwork(path) != nil || !hasAddress(pod) {
				continue // it is gone, or another pod's
			}
			conn, err := dialer.DialContext(ctx, network, address)
			done <- result{conn, true, err}
			return
		}
		done <- result{}
	}()
	r := <-done
	if !r.found {
		return nil, protocol.Failure(protocol.KindNotExist, "no pod of this host has the address %s", podIP)
	}
	return r.conn, r.err
}

// enterNetwork moves the calling thread into a network namespace.
func enterNetwork(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, _, errno := syscall.RawSyscall(sysSetns, file.Fd(), syscall.CLONE_NEWNET, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// hasAddress reports whether the calling thread's network has an address.
func hasAddress(want netip.Addr) bool {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == want {
			return true
		}
	}
	return false
}
