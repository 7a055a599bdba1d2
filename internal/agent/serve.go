package agent

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// Serve answers the operations that arrive on conn until it ends, ctx is
// done, or the exit operation was answered. It closes conn and the agent.
func (a *Agent) Serve(ctx context.Context, conn net.Conn) error {
	defer a.Close()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	listener := newOneConn(conn)
	server := &http.Server{
		Handler:   a.Handler(),
		Protocols: &protocols,
		ErrorLog:  slog.NewLogLogger(a.log.Handler(), slog.LevelError),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 1000,
			// The largest windows that net/http takes: uploads fill a link
			// with a long round trip only with large ones.
			MaxReceiveBufferPerConnection: 4<<20 - 1,
			MaxReceiveBufferPerStream:     4<<20 - 1,
			MaxReadFrameSize:              256 << 10,
			// An operator who vanished without a word is noticed by a ping.
			SendPingTimeout: 15 * time.Second,
			PingTimeout:     30 * time.Second,
		},
	}
	stop := context.AfterFunc(ctx, a.exit)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-a.exited.Done():
			// Let the answer to exit leave before the connection goes.
			grace, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if ctx.Err() == nil {
				server.Shutdown(grace)
			}
		case <-listener.closed:
		}
		server.Close()
		conn.Close()
	}()
	err := server.Serve(listener)
	<-listener.closed
	a.exit()
	<-ended
	if err == http.ErrServerClosed || err == io.EOF {
		return nil
	}
	return err
}

// exitOp ends the agent, and removes its folder when asked to.
func (a *Agent) exitOp(_ context.Context, request protocol.ExitRequest) (protocol.ChangedReply, error) {
	defer a.exit()
	if !request.RemoveSelf || a.ownFolder == "" {
		return protocol.ChangedReply{}, nil
	}
	if err := os.RemoveAll(a.ownFolder); err != nil {
		return protocol.ChangedReply{}, err
	}
	a.releaseLock()
	// The folder above goes only when nothing else is kept in it.
	os.Remove(filepath.Dir(a.ownFolder))
	return protocol.ChangedReply{Changed: true}, nil
}

// oneConn is a listener that accepts a single connection and ends with it.
type oneConn struct {
	conns  chan net.Conn
	addr   net.Addr
	closed chan struct{}
	once   sync.Once
}

func newOneConn(conn net.Conn) *oneConn {
	l := &oneConn{conns: make(chan net.Conn, 1), addr: conn.LocalAddr(), closed: make(chan struct{})}
	l.conns <- &closeNotifier{Conn: conn, closed: l.end}
	return l
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, io.EOF
	}
}

func (l *oneConn) end()           { l.once.Do(func() { close(l.closed) }) }
func (l *oneConn) Close() error   { l.end(); return nil }
func (l *oneConn) Addr() net.Addr { return l.addr }

// closeNotifier tells the listener that its one connection is gone.
type closeNotifier struct {
	net.Conn
	closed func()
}

func (c *closeNotifier) Close() error {
	err := c.Conn.Close()
	c.closed()
	return err
}
