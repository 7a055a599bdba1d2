package agent

import (
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fullListener is one of a process that has no file descriptor left, until it has again.
type fullListener struct {
	net.Listener
	until time.Time
	asked int
}

func (l *fullListener) Accept() (net.Conn, error) {
	l.asked++
	if time.Now().Before(l.until) {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return nil, net.ErrClosed
}

// A listener that can take nobody in does not keep a processor of the host busy.
func TestNoFileDescriptorLeft(t *testing.T) {
	for name, serve := range map[string]func(net.Listener){
		"greeting":    func(l net.Listener) { greet(l, "nonce") },
		"standing in": (&standIn{}).serve,
	} {
		synctest.Test(t, func(t *testing.T) {
			l := &fullListener{until: time.Now().Add(10 * time.Second)}
			serve(l)
			if want := int(10*time.Second/acceptPause) + 1; l.asked != want {
				t.Errorf("%s: asked %d times in 10 s, want %d", name, l.asked, want)
			}
		})
	}
}
