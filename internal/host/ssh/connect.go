package ssh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/user"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
	"golang.org/x/crypto/ssh"
)

// Connect reaches a host, starts its agent and gives the handle. Ctx bounds
// the connecting only; the handle lives until it is closed.
func Connect(ctx context.Context, options Options) (*host.Host, error) {
	o, err := resolve(options)
	if err != nil {
		return nil, err
	}
	h, err := connect(ctx, o)
	if lost, ok := errors.AsType[*lostError](err); ok && ctx.Err() == nil {
		// Once more: a busy server ends what it has let in already, and a network
		// loses a connection now and then.
		o.Log.Debug("connecting once more", "host", o.title(), "lost", lost.cause)
		h, err = connect(ctx, o)
	}
	return h, err
}

func connect(ctx context.Context, o *Options) (*host.Host, error) {
	client, err := dial(ctx, o)
	if err != nil {
		return nil, err
	}
	start := starter{
		host: o.title(), user: o.User, root: o.User == "root", folder: o.agentFolder, sudoPassword: o.SudoPassword, log: o.Log,
		launch: func(command string) (*process, error) { return launchRemote(client, command) },
	}
	agent, err := start.start(ctx)
	if err != nil {
		lost := client.hasEnded()
		client.Close()
		if ctx.Err() == nil && lost {
			return nil, fmt.Errorf("%s: starting the agent: %w", o.title(), &lostError{cause: cmp.Or(client.reason(), errEnded)})
		}
		return nil, err
	}
	conn := &agentConn{process: agent, reason: client.reason}
	return host.NewConn(ctx, o.title(), conn, func() error {
		conn.awaitEnd()
		return client.Close()
	})
}

// lostError says that a connection that had let the user in ended before the agent was up.
type lostError struct{ cause error }

func (e *lostError) Error() string {
	return (&host.UnreachableError{Cause: e.cause}).Error()
}

func (e *lostError) Is(target error) bool { return target == host.ErrUnreachable }
func (e *lostError) Unwrap() error        { return e.cause }

var errEnded = errors.New("its SSH server ended it before the agent was up")

// Login is who logs in at a host, and at which port.
func Login(options Options) (user string, port int, err error) {
	o, err := resolve(options)
	if err != nil {
		return "", 0, err
	}
	return o.User, o.Port, nil
}

// resolve fills in what the options leave open, for the bastions too.
func resolve(options Options) (*Options, error) {
	o := options
	if o.SSHConfig {
		if err := applySSHConfig(&o); err != nil {
			return nil, err
		}
	}
	if o.Address == "" {
		return nil, fmt.Errorf("%s: no address to connect to", o.title())
	}
	// An address goes into known_hosts lines and messages, so it must be one.
	if strings.ContainsFunc(o.Address, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune("'\"`\\,*?#|@/", r)
	}) {
		return nil, fmt.Errorf("%q: %q is not a host name or an IP address", o.title(), o.Address)
	}
	if strings.ContainsFunc(o.User, unicode.IsControl) {
		return nil, fmt.Errorf("%s: %q is not a user name", o.title(), o.User)
	}
	if o.Port == 0 {
		o.Port = 22
	}
	if o.User == "" {
		o.User = o.DefaultUser
	}
	if o.User == "" {
		current, err := user.Current()
		if err != nil {
			return nil, fmt.Errorf("%s: no user to log in as: %w", o.title(), err)
		}
		o.User = current.Username
	}
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = defaultConnectTimeout
	}
	if o.KeepAlive <= 0 {
		o.KeepAlive = defaultKeepAlive
	}
	if o.agentFolder == "" {
		o.agentFolder = protocol.AgentFolder
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Bastion != nil {
		bastion, err := resolve(*o.Bastion)
		if err != nil {
			return nil, err
		}
		o.Bastion = bastion
	}
	return &o, nil
}

// launchRemote starts a command on the host.
func launchRemote(client *client, command string) (*process, error) {
	session, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	stdin, err := session.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := session.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := session.Start(command); err != nil {
		session.Close()
		return nil, fmt.Errorf("the SSH server runs no commands for this user: %w", err)
	}
	return &process{
		stdin: stdin, stdout: stdout, stderr: stderr,
		wait: func() (int, error) {
			err := session.Wait()
			if exit, ok := errors.AsType[*ssh.ExitError](err); ok {
				return exit.ExitStatus(), nil
			}
			return 0, err
		},
		kill: func() { session.Close() },
	}, nil
}

// agentConn is a started agent's standard input and output as a connection.
type agentConn struct {
	*process
	reason func() error // why the connection under it ended, if known
	once   sync.Once
	ended  chan struct{} // closed when the process has ended; made by Close

	// An SSH channel takes no write while its input is being closed.
	writing sync.Mutex
	closed  bool
}

func (c *agentConn) Read(p []byte) (int, error) {
	n, err := c.stdout.Read(p)
	if err != nil {
		if reason := c.reason(); reason != nil {
			err = reason
		} else if words := c.said(); words != "" && err == io.EOF {
			err = fmt.Errorf("the agent ended; it said: %s", words)
		}
	}
	return n, err
}

func (c *agentConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	n, err := c.stdin.Write(p)
	if err != nil {
		if reason := c.reason(); reason != nil {
			err = reason
		}
	}
	return n, err
}

// endGrace is how long an agent may take to end what it started before the
// connection is taken from it: a little more than its own grace for programs.
const endGrace = 4 * time.Second

// Close ends the agent's input, and with it the agent. It does not wait.
func (c *agentConn) Close() error {
	c.once.Do(func() {
		c.ended = make(chan struct{})
		if c.writing.TryLock() {
			c.closed = true
			c.stdin.Close()
			c.writing.Unlock()
		} else {
			c.kill() // a write that the host does not take must not hold this up
		}
		go func() {
			defer close(c.ended)
			timer := time.AfterFunc(endGrace, c.kill)
			defer timer.Stop()
			c.wait() // how it ended says nothing that its answers did not
			c.kill()
		}()
	})
	return nil
}

// awaitEnd returns when the agent has ended or was given up on.
func (c *agentConn) awaitEnd() {
	c.Close()
	<-c.ended
}

func (c *agentConn) LocalAddr() net.Addr              { return agentAddr{} }
func (c *agentConn) RemoteAddr() net.Addr             { return agentAddr{} }
func (c *agentConn) SetDeadline(time.Time) error      { return nil }
func (c *agentConn) SetReadDeadline(time.Time) error  { return nil }
func (c *agentConn) SetWriteDeadline(time.Time) error { return nil }

type agentAddr struct{}

func (agentAddr) Network() string { return "agent" }
func (agentAddr) String() string  { return "agent" }
