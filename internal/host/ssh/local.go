package ssh

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"sync"
	"syscall"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
)

// Local starts the agent on this machine, through sudo where the user is not
// root and sudo wants no password.
func Local(ctx context.Context, name string) (*host.Host, error) {
	return LocalWithSudo(ctx, name, nil)
}

// LocalWithSudo is Local with a password for sudo, which is asked for at most
// once and only if sudo wants it.
func LocalWithSudo(ctx context.Context, name string, sudoPassword func(context.Context) (string, error)) (*host.Host, error) {
	return local(ctx, name, protocol.AgentFolder, sudoPassword)
}

func local(ctx context.Context, name, folder string, sudoPassword func(context.Context) (string, error)) (*host.Host, error) {
	who := "the current user"
	if current, err := user.Current(); err == nil {
		who = current.Username
	}
	start := starter{
		host: name, user: who, root: os.Getuid() == 0, sudoPassword: sudoPassword,
		folder: folder,
		log:    slog.New(slog.DiscardHandler), launch: launchLocal,
	}
	p, err := start.start(ctx)
	if err != nil {
		return nil, err
	}
	nothingKnown := func() error { return nil }
	conn := &agentConn{process: p, reason: nothingKnown}
	return host.NewConn(ctx, name, conn, func() error {
		conn.awaitEnd()
		return nil
	})
}

// launchLocal starts a command on this machine, in a process group of its own
// so that the terminal's Ctrl-C reaches quorate only, which then ends its
// agents in good order.
func launchLocal(command string) (*process, error) {
	cmd := exec.Command("sh", "-c", command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// Pipes of our own: exec's would be closed by Wait before they are read.
	stdout, stdoutEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	stderr, stderrEnd, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, stdout.Close(), stdoutEnd.Close())
	}
	cmd.Stdout, cmd.Stderr = stdoutEnd, stderrEnd
	err = cmd.Start()
	stdoutEnd.Close()
	stderrEnd.Close()
	if err != nil {
		stdout.Close()
		stderr.Close()
		return nil, err
	}
	// Once the process was reaped, its number may be another's.
	var mu sync.Mutex
	reaped := false
	return &process{
		stdin: stdin, stdout: stdout, stderr: stderr,
		wait: func() (int, error) {
			err := cmd.Wait()
			mu.Lock()
			reaped = true
			mu.Unlock()
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				return exit.ExitCode(), nil
			}
			return 0, err
		},
		kill: func() {
			// Its input ends, and with it the agent. What is still in the
			// script (or sudo's question) is ended by the signal.
			stdin.Close()
			mu.Lock()
			defer mu.Unlock()
			if !reaped {
				syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
			}
			stdout.Close()
		},
	}, nil
}
