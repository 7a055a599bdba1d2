package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// connect opens a stream and carries its bytes in the bodies of request and
// response until either side ends.
func (a *Agent) connect(w http.ResponseWriter, r *http.Request, request protocol.ConnectRequest) error {
	switch request.Network {
	case "tcp", "unix":
	default:
		return protocol.Failure(protocol.KindInvalid, "cannot connect to network %q", request.Network)
	}
	timeout := 5 * time.Second
	if request.TimeoutMillis > 0 {
		timeout = time.Duration(request.TimeoutMillis) * time.Millisecond
	}
	dialer := net.Dialer{Timeout: timeout}
	dial := dialer.DialContext
	if request.PodIP != "" {
		dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialFromPod(ctx, dialer, network, address, request.PodIP)
		}
	}
	conn, err := dial(r.Context(), request.Network, request.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(r.Context(), func() { conn.Close() })
	defer stop()

	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	if err := control.Flush(); err != nil {
		return nil // the caller is gone; nobody is left to tell
	}
	go func() {
		// The handler does not wait for this: it ends with the request's body.
		io.Copy(conn, r.Body)
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return nil
			}
			if err := control.Flush(); err != nil {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			panic(http.ErrAbortHandler) // a reset stays a reset for the caller
		}
	}
}

// dial tries to reach TCP addresses, all at once.
func (a *Agent) dial(ctx context.Context, request protocol.DialRequest) (protocol.DialReply, error) {
	timeout := time.Duration(request.TimeoutMillis) * time.Millisecond
	if timeout <= 0 {
		timeout = time.Second
	}
	reply := protocol.DialReply{Results: make([]protocol.DialResult, len(request.Addresses))}
	var wg sync.WaitGroup
	if request.UDP {
		if request.Expect == "" {
			return reply, protocol.Failure(protocol.KindInvalid, "datagrams need something to expect")
		}
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		for i, address := range request.Addresses {
			wg.Go(func() { reply.Results[i] = sendDatagrams(ctx, address, request.Expect) })
		}
		wg.Wait()
		return reply, nil
	}
	for i, address := range request.Addresses {
		wg.Go(func() { reply.Results[i] = dialOne(ctx, address, timeout, request.Expect) })
	}
	wg.Wait()
	return reply, ctx.Err()
}

func dialOne(ctx context.Context, address string, timeout time.Duration, expect string) protocol.DialResult {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	result := protocol.DialResult{Micros: time.Since(began).Microseconds()}
	if err != nil {
		result.Error = err.Error()
		return result
	}
	defer conn.Close()
	result.Connected = true
	if expect == "" {
		return result
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetReadDeadline(deadline)
	}
	got := make([]byte, len(expect))
	n, err := io.ReadFull(conn, got)
	switch {
	case string(got[:n]) == expect:
		result.Answer = protocol.AnswerExpected
	case string(got[:n]) != expect[:n]:
		result.Answer = protocol.AnswerOther
		result.Error = fmt.Sprintf("somebody else answers at %s: it sent %.64q", address, got[:n])
	case n > 0:
		result.Answer = protocol.AnswerPartial
		result.Error = fmt.Sprintf("connected to %s but only %d of %d bytes came: %v", address, n, len(expect), err)
	default:
		result.Answer = protocol.AnswerPartial
		result.Error = fmt.Sprintf("connected to %s but no answer came: %v", address, err)
	}
	return result
}
