package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// NewConn makes a handle that speaks HTTP/2 to an agent at the other end of
// conn, which it owns from then on. The closer, if any, is called after conn
// was closed.
func NewConn(ctx context.Context, name string, conn net.Conn, closer func() error) (*Host, error) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	var taken atomic.Bool
	transport := &http.Transport{
		Protocols: &protocols,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			if taken.Swap(true) {
				return nil, errors.New("the connection was used already")
			}
			return conn, nil
		},
		DisableCompression: true,
		ReadBufferSize:     64 << 10,
		WriteBufferSize:    64 << 10,

		MaxResponseHeaderBytes: 64 << 10, // the agent sends next to none
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerConnection: 4<<20 - 1,
			MaxReceiveBufferPerStream:     4<<20 - 1,
			MaxReadFrameSize:              256 << 10,
			StrictMaxConcurrentRequests:   true,
			// A host that froze answers no ping; SSH's keepalives notice a
			// host that is gone, this an agent that hangs.
			SendPingTimeout: 15 * time.Second,
			PingTimeout:     30 * time.Second,
		},
	}
	client, err := transport.NewClientConn(ctx, "http", "agent:80")
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("%s: speaking to the agent: %w", name, err)
	}
	return New(name, client, func() error {
		err := client.Close()
		conn.Close()
		if closer != nil {
			err = errors.Join(err, closer())
		}
		return err
	}), nil
}
