package agent

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// relayStream is a connection that a relay carries.
type relayStream struct {
	near, far *net.TCPConn
	last      atomic.Int64 // when something passed, as nanoseconds of the clock
}

func (s *relayStream) touch() { s.last.Store(time.Now().UnixNano()) }

func (s *relayStream) touched() time.Time { return time.Unix(0, s.last.Load()) }

func (s *relayStream) close() {
	s.near.Close()
	s.far.Close()
}

// carry copies both ways until both sides have ended, or one has failed.
func (s *relayStream) carry() {
	var both sync.WaitGroup
	both.Go(func() { s.copy(s.far, s.near) })
	both.Go(func() { s.copy(s.near, s.far) })
	both.Wait()
	s.close()
}

// copy carries one way. The end of one side is told to the other, which may still
// have something to say; a failure is one of the whole connection.
func (s *relayStream) copy(to, from *net.TCPConn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		s.touch()
		if n > 0 {
			if _, failed := to.Write(buffer[:n]); failed != nil {
				s.close()
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if to.CloseWrite() != nil {
				s.close()
			}
			return
		case err != nil:
			_ = to.SetLinger(0) // as it was cut here
			s.close()
			return
		}
	}
}
