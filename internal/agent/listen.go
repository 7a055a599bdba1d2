package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// reportInterval is how often a report of HTTPS listeners is looked at for
// changes to tell.
const reportInterval = 250 * time.Millisecond

// listen listens until the request ends: it sends the nonce to all who
// connect, or stands in for an API server.
func (a *Agent) listen(w http.ResponseWriter, r *http.Request, request protocol.ListenRequest) error {
	reply := protocol.ListenReply{}
	var stand *standIn
	if request.HTTPS {
		var err error
		if stand, err = newStandIn(request.Nonce); err != nil {
			return err
		}
		reply.Certificate = stand.certificate.Certificate[0]
		defer stand.close()
	}
	var listeners []io.Closer
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() {
		for _, l := range listeners {
			l.Close()
		}
	}()
	failed := func(address string, err error) {
		if reply.Errors == nil {
			reply.Errors = map[string]string{}
		}
		reply.Errors[address] = err.Error()
	}
	for _, address := range request.Addresses {
		if request.UDP {
			conn, err := net.ListenPacket("udp", address)
			if err != nil {
				failed(address, err)
				continue
			}
			listeners = append(listeners, conn)
			wg.Go(func() { echo(conn, request.Nonce) })
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			failed(address, err)
			continue
		}
		listeners = append(listeners, l)
		wg.Go(func() {
			if stand != nil {
				stand.serve(l)
			} else {
				greet(l, request.Nonce)
			}
		})
	}
	if err := sendLine(w, reply); err != nil {
		return nil // the caller is gone; nobody is left to tell
	}
	ended, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(a.exited, cancel)()
	if stand == nil {
		<-ended.Done()
		return nil
	}
	stand.watch(ended)
	tick := time.NewTicker(reportInterval)
	defer tick.Stop()
	var told int
	for {
		select {
		case <-ended.Done():
			return nil
		case <-tick.C:
		}
		report, version := stand.report()
		if version == told {
			continue
		}
		if err := sendLine(w, report); err != nil {
			return nil
		}
		told = version
	}
}

// sendLine sends a value as one line of JSON, at once.
func sendLine(w http.ResponseWriter, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(text, '\n')); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

// acceptPause is how long a listener rests after it could take nobody in: where no file
// descriptor is left, it would be told so again at once, and again.
const acceptPause = 50 * time.Millisecond

// acceptAll takes connections until the listener is closed, one after another.
func acceptAll(l net.Listener, each func(net.Conn)) {
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(acceptPause)
		default:
			each(conn)
		}
	}
}

// greet sends the nonce to everyone who connects.
func greet(l net.Listener, nonce string) {
	acceptAll(l, func(conn net.Conn) {
		conn.SetDeadline(time.Now().Add(time.Second))
		io.WriteString(conn, nonce)
		conn.Close()
	})
}
