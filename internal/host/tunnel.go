package host

import (
	"context"
	"io"
	"net"
	"time"
)

// tunnel is a connection that runs through the agent. The caller's end is one
// side of a net.Pipe, which has deadlines; two goroutines carry bytes between
// the pipe's other side and the request's two bodies.
type tunnel struct {
	net.Conn
	remote tunnelAddr
}

// linger is how long bytes that were written before Close may take to arrive.
const linger = time.Second

func newTunnel(network, addr string, up io.WriteCloser, down io.ReadCloser, end context.CancelFunc) net.Conn {
	near, far := net.Pipe()
	go func() {
		io.Copy(up, far)
		up.Close() // the peer sees the end of the stream and ends it too
		time.AfterFunc(linger, end)
	}()
	go func() {
		defer end()
		if _, err := io.Copy(far, down); err != nil {
			// The caller has closed its end: what still comes is of no use, but
			// its end tells that the peer has all that was sent.
			io.Copy(io.Discard, down)
		}
		down.Close()
		far.Close()
	}()
	return &tunnel{Conn: near, remote: tunnelAddr{network, addr}}
}

func (t *tunnel) LocalAddr() net.Addr  { return tunnelAddr{t.remote.network, "through the agent"} }
func (t *tunnel) RemoteAddr() net.Addr { return t.remote }

type tunnelAddr struct{ network, address string }

func (a tunnelAddr) Network() string { return a.network }
func (a tunnelAddr) String() string  { return a.address }
