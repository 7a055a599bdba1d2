package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/host"
)

func TestBastions(t *testing.T) {
	target := serve(t, withPassword("right"))
	inner := serve(t, withPassword("inner"))
	outer := serve(t, withPassword("outer"))
	options, nearer, farther := target.options(), inner.options(), outer.options()
	nearer.Name, nearer.Password = "inner", secret("inner")
	farther.Name, farther.Password = "outer", secret("outer")
	nearer.Bastion = &farther
	options.Bastion = &nearer
	mustConnect(t, options)
	if len(target.ran()) != 1 || len(inner.ran())+len(outer.ran()) != 0 {
		t.Errorf("target ran %d commands, bastions %d", len(target.ran()), len(inner.ran())+len(outer.ran()))
	}

	farther.Password = secret("wrong")
	_, err := Connect(t.Context(), options)
	if !errors.Is(err, ErrAuth) || !strings.Contains(err.Error(), "outer: ") || !strings.HasPrefix(err.Error(), "cp-1: through its bastion") {
		t.Errorf("a bastion that does not let us in: %v", err)
	}
	farther.Password = secret("outer")
	options.Port = freePort(t)
	if _, err := Connect(t.Context(), options); !errors.Is(err, host.ErrUnreachable) || !strings.Contains(err.Error(), "through inner") {
		t.Errorf("nothing listens behind the bastion: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	server := serve(t, withPassword("right"))
	options := server.options()
	options.Port = freePort(t)
	_, err := Connect(t.Context(), options)
	if !errors.Is(err, host.ErrUnreachable) || !strings.Contains(err.Error(), "firewall") || !strings.HasPrefix(err.Error(), "cp-1: ") {
		t.Errorf("nothing listens: %v", err)
	}

	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	options.Port = silent.Addr().(*net.TCPAddr).Port
	options.ConnectTimeout = 50 * time.Millisecond
	if _, err := Connect(t.Context(), options); !errors.Is(err, host.ErrUnreachable) || !strings.Contains(err.Error(), "did not answer within 50ms (busy, or away?)") {
		t.Errorf("a silent server: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	cancel(interrupted)
	if _, err := Connect(ctx, options); !errors.Is(err, interrupted) {
		t.Errorf("a cancelled connect: %v", err)
	}
}

func TestTurnedAway(t *testing.T) {
	server := serve(t, withPassword("right"))
	options := server.options()
	server.turnAway.Store(2)
	mustConnect(t, options)

	server.turnAway.Store(100)
	_, err := Connect(t.Context(), options)
	if tried := 100 - server.turnAway.Load(); !errors.Is(err, host.ErrUnreachable) || tried != dialAttempts {
		t.Errorf("after %d attempts: %v", tried, err)
	}
}

// A host that is lost while its agent is being started is tried once more, and is told
// of as lost, not as one whose SSH server runs no commands.
func TestLostWhileStarting(t *testing.T) {
	server := serve(t, withPassword("right"))
	options := server.options()
	server.cutStart.Store(1)
	mustConnect(t, options)

	server.cutStart.Store(100)
	_, err := Connect(t.Context(), options)
	if tried := 100 - server.cutStart.Load(); tried != 2 || !errors.Is(err, host.ErrUnreachable) || strings.Contains(err.Error(), "runs no commands") {
		t.Errorf("after %d attempts: %v", tried, err)
	}
}

// A connection that was closed because its time was over is late, also where the
// handshake was finished at the same moment.
func TestDeadline(t *testing.T) {
	fired := make(chan struct{})
	late := newDeadline(0, func() { close(fired) })
	<-fired
	for range 2 {
		if late.stop() {
			t.Error("the time was over, and is said not to be")
		}
	}
	kept := newDeadline(time.Hour, func() { t.Error("called back") })
	for range 2 {
		if !kept.stop() {
			t.Error("the time was not over, and is said to be")
		}
	}
}

// freezer passes bytes on until it is told to stop, as a host that froze or
// was cut off does.
type freezer struct {
	listener net.Listener
	frozen   atomic.Bool
	wg       sync.WaitGroup
	done     chan struct{}
}

func newFreezer(t *testing.T, target string) *freezer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &freezer{listener: listener, done: make(chan struct{})}
	f.wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			f.wg.Go(func() { f.pass(client, server) })
			f.wg.Go(func() { f.pass(server, client) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		close(f.done)
		f.wg.Wait()
	})
	return f
}

func (f *freezer) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if f.frozen.Load() {
			<-f.done
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func TestFrozenHostIsNoticed(t *testing.T) {
	server := serve(t, withPassword("right"))
	f := newFreezer(t, fmt.Sprintf("127.0.0.1:%d", server.port()))
	options := server.options()
	options.Port = f.listener.Addr().(*net.TCPAddr).Port
	options.AcceptNewHostKeys = true
	options.KeepAlive = 50 * time.Millisecond
	h, err := Connect(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	running := make(chan error, 1)
	go func() {
		_, err := h.Run(t.Context(), host.Command{Argv: []string{"sleep", "1000"}})
		running <- err
	}()
	f.frozen.Store(true)
	err = <-running
	if !errors.Is(err, host.ErrUnreachable) || !strings.HasPrefix(err.Error(), "cp-1: running sleep") || !strings.Contains(err.Error(), "answered nothing") {
		t.Errorf("a command on a host that froze: %v", err)
	}
	if _, err := h.ReadFile(t.Context(), "/etc/hostname"); !errors.Is(err, host.ErrUnreachable) {
		t.Errorf("a call afterwards: %v", err)
	}
}

func TestCutConnectionEndsWhatRan(t *testing.T) {
	server := serve(t, withPassword("right"))
	h, err := Connect(t.Context(), server.options())
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	pidFile := filepath.Join(t.TempDir(), "pid")
	running := make(chan error, 1)
	go func() {
		_, err := h.Run(t.Context(), host.Command{Argv: []string{"sh", "-c", "sleep 1000 & echo $! >" + pidFile + ".new; mv " + pidFile + ".new " + pidFile + "; wait"}})
		running <- err
	}()
	var pid string
	await(t, "the command to run", func() bool {
		content, err := os.ReadFile(pidFile)
		pid = strings.TrimSpace(string(content))
		return err == nil
	})
	server.cut()
	if err := <-running; !errors.Is(err, host.ErrUnreachable) {
		t.Errorf("the cut-off command: %v", err)
	}
	await(t, "process "+pid+" to end with the connection", func() bool { return ended(pid) })
}

func TestKilledAgentEndsWhatRan(t *testing.T) {
	server := serve(t, withPassword("right"))
	h, err := Connect(t.Context(), server.options())
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	pidFile := filepath.Join(t.TempDir(), "pid")
	// It tells its own number and the agent's, then becomes a sleep.
	_, err = h.Run(t.Context(), host.Command{Argv: []string{"sh", "-c", "echo $$ >" + pidFile + "; kill -9 $PPID; exec sleep 1000"}})
	if !errors.Is(err, host.ErrUnreachable) {
		t.Errorf("a killed agent: %v", err)
	}
	content, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid := strings.TrimSpace(string(content))
	await(t, "process "+pid+" to end with the agent", func() bool { return ended(pid) })
}

func TestCancelReachesTheProgram(t *testing.T) {
	server := serve(t, withPassword("right"))
	h, err := Connect(t.Context(), server.options())
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	pidFile := filepath.Join(t.TempDir(), "pid")
	running := make(chan error, 1)
	blocked, feed := io.Pipe() // an input that never ends must not keep it
	defer feed.Close()
	go func() {
		_, err := h.Run(ctx, host.Command{
			Argv:  []string{"sh", "-c", "echo $$ >" + pidFile + ".new; mv " + pidFile + ".new " + pidFile + "; exec cat"},
			Stdin: blocked,
		})
		running <- err
	}()
	var pid string
	await(t, "the command to run", func() bool {
		content, err := os.ReadFile(pidFile)
		pid = strings.TrimSpace(string(content))
		return err == nil
	})
	cancel()
	if err := <-running; !errors.Is(err, context.Canceled) || errors.Is(err, host.ErrUnreachable) {
		t.Errorf("the cancelled command: %v", err)
	}
	await(t, "process "+pid+" to end", func() bool { return ended(pid) })
	if _, err := h.ReadFile(t.Context(), "/proc/version"); err != nil {
		t.Errorf("the connection did not survive a cancelled command: %v", err)
	}
}

func ended(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestLocal(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root: sudo would be asked")
	}
	h, err := local(t.Context(), "here", agentFolder(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.ReadFile(t.Context(), "/proc/version"); err != nil {
		t.Error(err)
	}
	if err := h.CloseAndRemove(t.Context()); err != nil {
		t.Error(err)
	}
}
