package bundle

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// command is a child process of a build.
type command struct {
	dir  string
	env  []string // added to the process's own
	argv []string
	// line is called with each line of stderr; nil ignores them.
	line func(string)
}

// shutdownGrace is how long a child's pipes may stay open after it was killed.
const shutdownGrace = 5 * time.Second

// run starts the child in its own process group and returns what it wrote to
// stdout. When ctx ends, the whole group is killed. The error of a failed
// child ends with the last lines that it wrote to stderr.
func (c command) run(ctx context.Context) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = shutdownGrace
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	tail := &lastLines{each: c.line}
	reader, writer := io.Pipe()
	cmd.Stderr = writer
	read := make(chan struct{})
	go func() {
		defer close(read)
		tail.read(reader)
	}()
	err := cmd.Run()
	writer.Close()
	<-read
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", c.argv[0], stopped(ctx))
	case err != nil:
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(c.argv[:min(2, len(c.argv))], " "), err, strings.Join(tail.lines, "\n"))
	}
	return stdout.Bytes(), nil
}

// stopped says why a context ended. The error is ctx.Err() too, so that callers
// can tell an interruption from a failure.
func stopped(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("%w (%w)", cause, ctx.Err())
	}
	return ctx.Err()
}

// lastLines keeps the end of an output for an error message.
type lastLines struct {
	lines []string
	each  func(string)
}

// keptLines is how many lines of a failed command are shown.
const keptLines = 20

// read takes lines until the end; a very long line ends it early.
func (l *lastLines) read(r io.Reader) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		l.lines = append(l.lines, scanner.Text())
		if len(l.lines) > keptLines {
			l.lines = l.lines[1:]
		}
		if l.each != nil {
			l.each(scanner.Text())
		}
	}
	// The child must be able to go on writing.
	_, _ = io.Copy(io.Discard, r)
}
