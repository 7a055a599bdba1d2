package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/host"
	"golang.org/x/crypto/ssh"
)

// client is an SSH connection that notices when the host is gone.
type client struct {
	*ssh.Client
	stop   context.CancelFunc // ends the keepalives
	lost   atomic.Pointer[error]
	behind *client       // the bastion, nil when the host is reached directly
	ended  chan struct{} // closed when the connection has ended
}

// Close ends the connection and those that it runs through.
func (c *client) Close() error {
	c.stop()
	err := c.Client.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if c.behind != nil {
		err = errors.Join(err, c.behind.Close())
	}
	return err
}

// reason is why the connection ended, nil when nobody knows better than the
// connection itself.
func (c *client) reason() error {
	if err := c.lost.Load(); err != nil {
		return *err
	}
	if c.behind != nil {
		return c.behind.reason()
	}
	return nil
}

// endedGrace is how long the end of a connection may take to be noticed after what ran
// on it has failed.
const endedGrace = 200 * time.Millisecond

// hasEnded tells whether the connection itself is at its end, and not just what ran on it.
func (c *client) hasEnded() bool {
	grace := time.NewTimer(endedGrace)
	defer grace.Stop()
	select {
	case <-c.ended:
		return true
	case <-grace.C:
		return false
	}
}

// dial connects and authenticates, through the bastion where there is one.
func dial(ctx context.Context, options *Options) (*client, error) {
	var behind *client
	if options.Bastion != nil {
		var err error
		if behind, err = dial(ctx, options.Bastion); err != nil {
			return nil, fmt.Errorf("%s: through its bastion: %w", options.title(), err)
		}
	}
	c, err := dialPinned(ctx, options, behind)
	for attempt := 1; attempt < dialAttempts && errors.Is(err, errTurnedAway); attempt++ {
		// At random, or all that were turned away would come back together.
		pause := time.NewTimer(time.Duration(attempt)*dialPause + rand.N(dialPause))
		select {
		case <-ctx.Done():
			pause.Stop()
		case <-pause.C:
			c, err = dialPinned(ctx, options, behind)
			continue
		}
		break
	}
	if err != nil && behind != nil {
		behind.Close()
	}
	return c, err
}

// A server turns connections away before it shows its key when many come at
// once (sshd's MaxStartups: ten by default), as they do at a bastion.
const (
	dialAttempts = 5
	dialPause    = 150 * time.Millisecond
)

var errTurnedAway = errors.New("the server closed the connection before the handshake")

// dialPinned asks a server that does not show the pinned key for its other ones: it has
// several, and shows one at a time.
func dialPinned(ctx context.Context, options *Options, behind *client) (*client, error) {
	var shown []string
	var refused error
	for {
		c, err := dialOne(ctx, options, behind, shown)
		if _, ok := errors.AsType[*ssh.AlgorithmNegotiationError](err); ok && refused != nil {
			return nil, refused // it has no other
		}
		changed, ok := errors.AsType[*HostKeyChangedError](err)
		if !ok || !changed.Pinned {
			return c, err
		}
		if kind := shortKeyType(changed.KeyType); !slices.Contains(shown, kind) {
			shown = append(shown, kind)
		} else {
			return nil, err
		}
		if refused == nil {
			refused = err
		}
		if len(shown) == keyKinds {
			return nil, refused
		}
	}
}

// keyKinds are the kinds of host keys: Ed25519, ECDSA and RSA.
const keyKinds = 3

func dialOne(ctx context.Context, options *Options, behind *client, shown []string) (*client, error) {
	keys, err := newHostKeys(options, shown)
	if err != nil {
		return nil, err
	}
	unreachable := func(err error) error {
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("%s: connecting: %w", options.title(), cause)
		}
		through := ""
		if behind != nil {
			through = " through " + options.Bastion.title()
		}
		return fmt.Errorf("%s: %w", options.title(), &unreachableError{options.endpoint() + through, err})
	}
	conn, err := connectTCP(ctx, options, behind)
	if err != nil {
		return nil, unreachable(err)
	}
	// A password or a passphrase may be typed by a person, so that the
	// handshake's time is that of the network only until keys are exchanged.
	// Closing the connection is the one way to interrupt it everywhere.
	clock := newDeadline(options.ConnectTimeout, func() { conn.Close() })
	defer clock.stop()
	interrupted := context.AfterFunc(ctx, func() { conn.Close() })
	defer interrupted()

	offered := newCredentials(ctx, options)
	defer offered.close()
	config := &ssh.ClientConfig{
		User: options.User,
		Auth: offered.methods(),
		HostKeyCallback: func(_ string, remote net.Addr, key ssh.PublicKey) error {
			err := keys.check(remote, key)
			if err == nil && asksPerson(options) {
				clock.stop()
			}
			return err
		},
		HostKeyAlgorithms: keys.algorithms(),
		ClientVersion:     "SSH-2.0-quorate",
	}
	watched := &watchedConn{Conn: conn}
	sshConn, channels, requests, err := ssh.NewClientConn(watched, options.endpoint(), config)
	// The time may have run out while the handshake was being finished: then the
	// connection was closed all the same.
	late := !clock.stop()
	if err == nil && late {
		sshConn.Close()
		return nil, unreachable(&silenceError{options.ConnectTimeout})
	}
	if err != nil {
		conn.Close()
		switch {
		case keys.refused != nil:
			return nil, keys.refused
		case ctx.Err() == nil && offered.failure() != nil:
			return nil, fmt.Errorf("%s: %w", options.title(), offered.failure())
		case ctx.Err() == nil && strings.Contains(err.Error(), "unable to authenticate"):
			return nil, &AuthError{Host: options.title(), User: options.User, Tried: offered.tried}
		case late:
			err = &silenceError{options.ConnectTimeout}
		case !keys.asked && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
			err = fmt.Errorf("%w: %w", errTurnedAway, err)
		}
		return nil, unreachable(err)
	}
	alive, stop := context.WithCancel(context.Background())
	c := &client{Client: ssh.NewClient(sshConn, channels, requests), stop: stop, behind: behind, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		c.Client.Wait()
	}()
	go c.keepAlive(alive, options.KeepAlive, watched)
	return c, nil
}

// asksPerson tells whether authenticating may take as long as a person types.
func asksPerson(options *Options) bool {
	return options.Password != nil || options.Passphrase != nil
}

func connectTCP(ctx context.Context, options *Options, behind *client) (net.Conn, error) {
	within, cancel := context.WithTimeout(ctx, options.ConnectTimeout)
	defer cancel()
	dial := (&net.Dialer{}).DialContext
	if behind != nil {
		dial = behind.DialContext
	}
	conn, err := dial(within, "tcp", options.endpoint())
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		err = &silenceError{options.ConnectTimeout}
	}
	return conn, err
}

// deadline calls back once its time has run out, unless it was stopped before.
type deadline struct {
	timer *time.Timer
	kept  atomic.Bool
}

func newDeadline(after time.Duration, late func()) *deadline {
	return &deadline{timer: time.AfterFunc(after, late)}
}

// stop ends it, and tells whether the time had not run out before it was first stopped.
func (d *deadline) stop() bool {
	if d.timer.Stop() {
		d.kept.Store(true)
	}
	return d.kept.Load()
}

// watchedConn knows when it last received anything.
type watchedConn struct {
	net.Conn
	received atomic.Int64 // Unix nanoseconds
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.received.Store(time.Now().UnixNano())
	}
	return n, err
}

// keepAlive asks the server again and again whether it is there, and closes
// the connection when it does not answer. An answer may queue behind a long
// upload; the host counts as gone only when nothing at all was received.
func (c *client) keepAlive(ctx context.Context, every time.Duration, conn *watchedConn) {
	const request = "keepalive@openssh.com"
	limit := every * missedKeepAlives
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		answered := make(chan error, 1)
		asked := time.Now()
		go func() {
			_, _, err := c.SendRequest(request, true, nil)
			answered <- err
		}()
	waiting:
		for {
			select {
			case <-ctx.Done():
				return
			case err := <-answered:
				if err != nil {
					return // the connection has ended by itself
				}
				break waiting
			case <-ticker.C:
				last := time.Unix(0, conn.received.Load())
				if time.Since(asked) >= limit && time.Since(last) >= limit {
					err := fmt.Errorf("the host answered nothing for %s", limit)
					c.lost.Store(&err)
					conn.Close()
					return
				}
			}
		}
	}
}

// unreachableError says that an SSH server could not be reached.
type unreachableError struct {
	where string
	cause error
}

func (e *unreachableError) Error() string {
	if silence, ok := errors.AsType[*silenceError](e.cause); ok {
		return fmt.Sprintf("SSH at %s did not answer within %s (busy, or away?): check that the host is on, its load, its address and port, and the firewall between", e.where, silence.limit)
	}
	return fmt.Sprintf("cannot reach SSH at %s (%v): check that the host is on, its address and port, and the firewall between", e.where, e.cause)
}

func (e *unreachableError) Is(target error) bool { return target == host.ErrUnreachable }
func (e *unreachableError) Unwrap() error        { return e.cause }

// silenceError says that a time to answer was over.
type silenceError struct{ limit time.Duration }

func (e *silenceError) Error() string { return fmt.Sprintf("no answer within %s", e.limit) }
