package agent

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// resend is how long an answer to a datagram is waited for before it is sent
// again: datagrams may be lost.
const resend = 300 * time.Millisecond

// echo sends every datagram that is the nonce back to where it came from,
// until the socket is closed. Whoever does not know it gets no answer.
func echo(conn net.PacketConn, nonce string) {
	buffer := make([]byte, len(nonce)+1)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(acceptPause)
		} else if string(buffer[:n]) == nonce {
			_, _ = conn.WriteTo(buffer[:n], from) // one that is lost is asked for again
		}
	}
}

// sendDatagrams sends a text to an address until it comes back. Connected
// tells that it did.
func sendDatagrams(ctx context.Context, address, text string) protocol.DialResult {
	var result protocol.DialResult
	began := time.Now()
	for ctx.Err() == nil {
		err := sendDatagram(ctx, address, text)
		if err == nil {
			return protocol.DialResult{Connected: true, Answer: protocol.AnswerExpected, Micros: time.Since(began).Microseconds()}
		}
		result.Error = err.Error()
		var slow net.Error
		if errors.As(err, &slow) && slow.Timeout() {
			continue
		}
		// Refused or without a route: soon, perhaps, no longer.
		select {
		case <-time.After(resend):
		case <-ctx.Done():
		}
	}
	result.Micros = time.Since(began).Microseconds()
	return result
}

func sendDatagram(ctx context.Context, address, text string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(resend)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte(text)); err != nil {
		return err
	}
	got := make([]byte, len(text)+1)
	for {
		n, err := conn.Read(got)
		if err != nil {
			return err
		}
		if string(got[:n]) == text {
			return nil
		}
	}
}
