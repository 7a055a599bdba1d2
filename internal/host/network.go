package host

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bounded"
)

// Dial connects from the host to an address ("tcp" or "unix") and gives the
// stream, with working deadlines. It fits client-go's and etcd's dialers. Ctx
// bounds the dialling only; the connection lives until it is closed.
func (h *Host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return h.dial(ctx, protocol.ConnectRequest{Network: network, Address: addr})
}

// DialFromPod connects to a TCP address from the network of the pod on the
// host that has the given IP address; otherwise it is as Dial.
func (h *Host) DialFromPod(ctx context.Context, podIP, addr string) (net.Conn, error) {
	return h.dial(ctx, protocol.ConnectRequest{Network: "tcp", Address: addr, PodIP: podIP})
}

func (h *Host) dial(ctx context.Context, request protocol.ConnectRequest) (net.Conn, error) {
	network, addr := request.Network, request.Address
	doing := fmt.Sprintf("connecting to %s from the host", addr)
	switch network {
	case "tcp4", "tcp6":
		network = "tcp"
	}
	request.Network = network
	if deadline, ok := ctx.Deadline(); ok {
		request.TimeoutMillis = max(int(time.Until(deadline).Milliseconds()), 1)
	}
	life, end := context.WithCancel(context.Background())
	dialling := context.AfterFunc(ctx, end)
	upload, feed := io.Pipe()
	response, err := h.send(life, protocol.OpConnect, request, upload, -1)
	if err == nil && !dialling() {
		response.Body.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		dialling()
		end()
		feed.Close()
		return nil, h.failed(ctx, doing, err)
	}
	return newTunnel(network, addr, feed, response.Body, end), nil
}

// Reach tries to reach TCP addresses from the host, all at once, with one
// result each. With expect, the peer must send just that first.
func (h *Host) Reach(ctx context.Context, addrs []string, timeout time.Duration, expect string) ([]protocol.DialResult, error) {
	return h.reach(ctx, protocol.DialRequest{Addresses: addrs, TimeoutMillis: int(timeout.Milliseconds()), Expect: expect})
}

// ReachUDP sends nonce to UDP addresses from the host, all at once, until a
// ListenUDP there sends it back.
func (h *Host) ReachUDP(ctx context.Context, addrs []string, timeout time.Duration, nonce string) ([]protocol.DialResult, error) {
	return h.reach(ctx, protocol.DialRequest{Addresses: addrs, TimeoutMillis: int(timeout.Milliseconds()), Expect: nonce, UDP: true})
}

func (h *Host) reach(ctx context.Context, request protocol.DialRequest) ([]protocol.DialResult, error) {
	addrs := request.Addresses
	var reply protocol.DialReply
	err := h.call(ctx, "reaching peers", protocol.OpDial, request, &reply)
	if err == nil && len(reply.Results) != len(addrs) {
		err = fmt.Errorf("%s: reaching peers: %d results for %d addresses", h.name, len(reply.Results), len(addrs))
	}
	return reply.Results, err
}

// Listen listens on TCP addresses of the host and sends nonce to whoever
// connects, until stop is called. Errs maps an address to why it could not be
// listened on. Ctx bounds the start only.
func (h *Host) Listen(ctx context.Context, addrs []string, nonce string) (stop func(), errs map[string]string, err error) {
	return h.listen(ctx, protocol.ListenRequest{Addresses: addrs, Nonce: nonce})
}

// ListenUDP receives datagrams on UDP addresses of the host and sends those
// that are nonce back, as Listen does for TCP.
func (h *Host) ListenUDP(ctx context.Context, addrs []string, nonce string) (stop func(), errs map[string]string, err error) {
	return h.listen(ctx, protocol.ListenRequest{Addresses: addrs, Nonce: nonce, UDP: true})
}

func (h *Host) listen(ctx context.Context, request protocol.ListenRequest) (stop func(), errs map[string]string, err error) {
	life, end := context.WithCancel(context.Background())
	starting := context.AfterFunc(ctx, end)
	response, err := h.send(life, protocol.OpListen, request, nil, 0)
	var reply protocol.ListenReply
	if err == nil {
		err = readLine(bounded.Lines(response.Body, maxLine), &reply)
		if err == nil && !starting() {
			err = context.Cause(ctx)
		}
		if err != nil {
			response.Body.Close()
		}
	}
	if err != nil {
		starting()
		end()
		return nil, nil, h.failed(ctx, "listening", err)
	}
	return sync.OnceFunc(func() {
		end()
		response.Body.Close()
	}), reply.Errors, nil
}

// StandIn stands in for an API server on TCP addresses of a host until Stop
// is called: it answers every request over TLS with 200, and remembers who
// came.
type StandIn struct {
	// Certificate (DER) is what it proves itself with.
	Certificate []byte
	// Errors maps an address to why it could not be listened on.
	Errors map[string]string
	// Stop ends it; it may be called more than once.
	Stop func()

	mu     sync.Mutex
	report protocol.ListenReport
}

// Report is what was seen so far.
func (s *StandIn) Report() protocol.ListenReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}

// StandIn begins to stand in for an API server, with nonce as every answer's
// body. Ctx bounds the start only.
func (h *Host) StandIn(ctx context.Context, addrs []string, nonce string) (*StandIn, error) {
	life, end := context.WithCancel(context.Background())
	starting := context.AfterFunc(ctx, end)
	response, err := h.send(life, protocol.OpListen, protocol.ListenRequest{Addresses: addrs, Nonce: nonce, HTTPS: true}, nil, 0)
	var lines func() ([]byte, error)
	var reply protocol.ListenReply
	if err == nil {
		lines = bounded.Lines(response.Body, maxReport)
		err = readLine(lines, &reply)
		if err == nil && !starting() {
			err = context.Cause(ctx)
		}
		if err != nil {
			response.Body.Close()
		}
	}
	if err != nil {
		starting()
		end()
		return nil, h.failed(ctx, "listening", err)
	}
	s := &StandIn{Certificate: reply.Certificate, Errors: reply.Errors}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			var report protocol.ListenReport
			if readLine(lines, &report) != nil {
				return // stopped, or the host is gone, which who calls it notices
			}
			s.mu.Lock()
			s.report = report
			s.mu.Unlock()
		}
	}()
	s.Stop = sync.OnceFunc(func() {
		end()
		response.Body.Close()
		<-read
	})
	return s, nil
}

// Fsync measures n small synced writes in dir (or its nearest existing parent).
func (h *Host) Fsync(ctx context.Context, dir string, n int) (protocol.FsyncReply, error) {
	var reply protocol.FsyncReply
	err := h.call(ctx, "measuring the disk under "+dir, protocol.OpFsync, protocol.FsyncRequest{Dir: dir, Count: n}, &reply)
	return reply, err
}
