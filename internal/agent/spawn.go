package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// Command is one program to run to its end.
type Command struct {
	Argv      []string
	Env       []string // added to the clean environment
	Dir       string
	Stdin     io.Reader // nil means none
	Timeout   time.Duration
	MaxOutput int // bytes kept of each stream's end; 0 means 1 MiB
}

const (
	defaultMaxOutput = 1 << 20
	killGrace        = 3 * time.Second // between SIGTERM and SIGKILL
	// pipeGrace is how long a program that has ended may keep its output open
	// through a daemon that it left in another session.
	pipeGrace = 2 * time.Second
)

// CleanPath is where programs are looked for, whatever environment the agent
// was started in.
const CleanPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// spawner starts programs, each in its own process group, and ends them all
// with the agent. All are forked by one locked thread: the kernel's
// parent-death signal, which kills them even if the agent is killed itself,
// is bound to the thread that forked.
type spawner struct {
	start  chan startRequest
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // orders adding to running before closing
	closed bool
	wg     sync.WaitGroup
}

type startRequest struct {
	cmd  *exec.Cmd
	done chan error
}

func newSpawner() *spawner {
	s := &spawner{start: make(chan startRequest)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	go func() {
		runtime.LockOSThread()
		for request := range s.start {
			request.done <- request.cmd.Start()
		}
	}()
	return s
}

// close kills every group that still runs and waits until all are gone.
func (s *spawner) close() {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
	if !already {
		close(s.start)
	}
}

// enter counts a run in; it fails once the spawner is closed.
func (s *spawner) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return protocol.Failure(protocol.KindCancelled, "the agent is ending")
	}
	s.wg.Add(1)
	return nil
}

// run runs a program to its end. Its whole process group is gone when run
// returns, whether it ended by itself or ctx or the timeout ended it.
func (s *spawner) run(ctx context.Context, c Command) (protocol.RunReply, error) {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return protocol.RunReply{}, protocol.Failure(protocol.KindInvalid, "no program to run")
	}
	if err := s.enter(); err != nil {
		return protocol.RunReply{}, err
	}
	defer s.wg.Done()

	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	if cmd.Err != nil {
		return protocol.RunReply{}, protocol.Failure(protocol.KindNotExist, "there is no program %s on the host", c.Argv[0])
	}
	cmd.Env = append([]string{"PATH=" + CleanPath, "LANG=C.UTF-8", "HOME=/root"}, c.Env...)
	cmd.Dir = c.Dir
	cmd.WaitDelay = pipeGrace
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	limit := c.MaxOutput
	if limit <= 0 {
		limit = defaultMaxOutput
	}
	stdout, stderr := &tail{max: limit}, &tail{max: limit}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	var stdin io.WriteCloser
	if c.Stdin != nil {
		pipe, err := cmd.StdinPipe()
		if err != nil {
			return protocol.RunReply{}, err
		}
		stdin = pipe
	}

	began := time.Now()
	started := startRequest{cmd: cmd, done: make(chan error, 1)}
	s.start <- started
	if err := <-started.done; err != nil {
		return protocol.RunReply{}, fmt.Errorf("starting %s: %w", c.Argv[0], err)
	}
	if stdin != nil {
		// Its end is not waited for: a program need not read all its input,
		// and the body it reads from ends with the request.
		go func() {
			io.Copy(stdin, c.Stdin)
			stdin.Close()
		}()
	}
	reason := s.await(ctx, cmd.Process.Pid, c.Timeout)
	err := cmd.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok && !errors.Is(err, exec.ErrWaitDelay) {
		return protocol.RunReply{}, fmt.Errorf("running %s: %w", c.Argv[0], err)
	}
	reply := protocol.RunReply{
		ExitCode: exitCode(cmd.ProcessState),
		Stdout:   stdout.bytes(),
		Stderr:   stderr.bytes(),
		Millis:   time.Since(began).Milliseconds(),
	}
	if reason != nil {
		return reply, protocol.Failure(protocol.KindCancelled, "%s was ended after %s: %v",
			c.Argv[0], time.Since(began).Round(time.Millisecond), reason)
	}
	return reply, nil
}

// await returns when the group's leader has ended and no process of the group
// is left. The leader is not yet reaped then, so that the group's number
// could not have been given to another. The answer is why it was killed, if
// it was.
func (s *spawner) await(ctx context.Context, pid int, timeout time.Duration) (reason error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		waitExited(pid)
	}()
	var expired <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-ended:
	case <-ctx.Done():
		reason = context.Cause(ctx)
	case <-s.ctx.Done():
		reason = errors.New("the connection to the operator ended")
	case <-expired:
		reason = fmt.Errorf("its timeout of %s passed", timeout)
	}
	if reason != nil {
		syscall.Kill(-pid, syscall.SIGTERM)
		timer := time.NewTimer(killGrace)
		defer timer.Stop()
		select {
		case <-ended:
		case <-timer.C:
		}
	}
	syscall.Kill(-pid, syscall.SIGKILL)
	<-ended
	return reason
}

// waitExited blocks until the child has ended and leaves it to be reaped.
func waitExited(pid int) {
	const (
		pPid   = 1
		exited = 0x4       // WEXITED
		noWait = 0x1000000 // WNOWAIT
	)
	var siginfo [128]byte
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pPid, uintptr(pid),
			uintptr(unsafe.Pointer(&siginfo)), exited|noWait, 0, 0)
		if errno != syscall.EINTR {
			return
		}
	}
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
