package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// RelayPort is the word that a copy of the agent is started with as a relay: the
// address of a control-plane host follows, and two ports.
const RelayPort = "relay-port"

const (
	// relayLook is how often a relay looks where the API server listens. A kubelet
	// takes a second or more from the end of one API server to the start of the
	// next, which must find its port free.
	relayLook = 50 * time.Millisecond
	// relayDial bounds how long the API server may take to accept a connection.
	relayDial = 5 * time.Second
	// soReusePort is SO_REUSEPORT (asm-generic/socket.h), which package syscall
	// does not have on every architecture.
	soReusePort = 0xf
)

// Relay holds that one of two ports which the API server of the host does not have,
// and carries what comes there to the one that it has, until ctx ends. While a
// cluster's API servers are given another port, each of them so serves on both.
//
// It goes by what listens on the host, on its address or on all of them. As long as
// the API server has neither port, as while it is started anew, the relay has none
// as well: it does not know which one will be wanted.
func Relay(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return errors.New("a relay is started with an address and two ports")
	}
	address, err := netip.ParseAddr(args[0])
	if err != nil {
		return err
	}
	r := &relay{address: address}
	for i, text := range args[1:] {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return fmt.Errorf("a port: %w", err)
		}
		r.ports[i] = uint16(port)
	}
	looks := time.NewTicker(relayLook)
	defer looks.Stop()
	told := "" // what failed last: it is told once
	for {
		failed := ""
		if err := r.follow(ctx); err != nil {
			failed = err.Error()
		}
		if failed != told && failed != "" {
			fmt.Printf("%s; it is tried again\n", failed)
		}
		told = failed
		select {
		case <-ctx.Done():
			r.release()
			r.streams.drain()
			return nil
		case <-looks.C:
		}
	}
}

type relay struct {
	address netip.Addr
	ports   [2]uint16

	held    net.Listener // nil for none
	inode   string       // of held
	holds   uint16       // the port of held
	streams relayStreams
}

// follow looks where the API server listens, and holds the other port.
func (r *relay) follow(ctx context.Context) error {
	want, target := r.choose(socketsIn(stateListen))
	if r.held != nil && want == r.holds {
		return nil
	}
	r.release()
	if want == 0 {
		return nil
	}
	return r.hold(ctx, want, target)
}

// choose is the port to hold, and where the API server listens; 0 for none.
func (r *relay) choose(sockets []socket) (want uint16, target netip.AddrPort) {
	var has [2]netip.AddrPort
	for _, s := range sockets {
		a := s.address.Addr().Unmap()
		i := slices.Index(r.ports[:], s.address.Port())
		if i < 0 || s.inode == r.inode || (!a.IsUnspecified() && a != r.address) {
			continue // a load balancer on the host listens on its virtual address
		}
		if a.IsUnspecified() {
			a = r.address
		}
		has[i] = netip.AddrPortFrom(a, r.ports[i])
	}
	switch {
	case has[0].IsValid() == has[1].IsValid():
		return 0, netip.AddrPort{}
	case has[0].IsValid():
		return r.ports[1], has[0]
	default:
		return r.ports[0], has[1]
	}
}

// hold listens on a port and carries what comes there to target. Load balancers on
// the host share the port on other addresses.
func (r *relay) hold(ctx context.Context, port uint16, target netip.AddrPort) error {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1)
		})
		return errors.Join(err, failed)
	}}
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	inode, err := inodeOf(listener.(*net.TCPListener))
	if err != nil {
		listener.Close()
		return err
	}
	r.held, r.inode, r.holds = listener, inode, port
	fmt.Printf("the API server is at %s; its other port is %d\n", target, port)
	go r.streams.serve(listener, target.String())
	return nil
}

// release gives the port up; connections that came by it go on.
func (r *relay) release() {
	if r.held != nil {
		r.held.Close()
		fmt.Printf("port %d is given up\n", r.holds)
	}
	r.held, r.inode, r.holds = nil, "", 0
}

// inodeOf is the inode of a listener's socket, as the kernel lists it.
func inodeOf(l *net.TCPListener) (string, error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return "", err
	}
	var stat syscall.Stat_t
	var failed error
	err = raw.Control(func(fd uintptr) { failed = syscall.Fstat(int(fd), &stat) })
	return strconv.FormatUint(stat.Ino, 10), errors.Join(err, failed)
}

// relayStreams are the connections that a relay carries.
type relayStreams struct {
	mu   sync.Mutex
	open map[*relayStream]bool
}

// serve carries what a listener accepts to target, until the listener is closed.
func (s *relayStreams) serve(l net.Listener, target string) {
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // too many open files, as long as they are
			time.Sleep(relayLook)
			continue
		}
		go s.carry(conn.(*net.TCPConn), target)
	}
}

// carry takes one connection to target. One that is refused there is reset, so that
// whoever made it learns that at once.
func (s *relayStreams) carry(near *net.TCPConn, target string) {
	conn, err := net.DialTimeout("tcp", target, relayDial)
	if err != nil {
		_ = near.SetLinger(0)
		near.Close()
		return
	}
	stream := &relayStream{near: near, far: conn.(*net.TCPConn)}
	stream.touch()
	s.mu.Lock()
	if s.open == nil {
		s.open = map[*relayStream]bool{}
	}
	s.open[stream] = true
	s.mu.Unlock()
	stream.carry()
	s.mu.Lock()
	delete(s.open, stream)
	s.mu.Unlock()
}

// A relay that ends closes a connection at a moment when nothing has passed on it
// for relayQuiet, and all that are left after relayPatience: clients see their
// connection end between two requests, and make another one.
const (
	relayQuiet    = 500 * time.Millisecond
	relayPatience = 10 * time.Second
)

// drain ends the connections.
func (s *relayStreams) drain() {
	for end := time.Now().Add(relayPatience); ; time.Sleep(relayLook) {
		s.mu.Lock()
		left := len(s.open)
		for stream := range s.open {
			if time.Since(stream.touched()) >= relayQuiet || !time.Now().Before(end) {
				stream.close()
			}
		}
		s.mu.Unlock()
		if left == 0 {
			return
		}
	}
}
