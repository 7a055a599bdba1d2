package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// fakeSystemd runs the units of faults as systemd does: their process, and when that
// has ended what undoes it.
type fakeSystemd struct {
	t     *testing.T
	mu    sync.Mutex
	units map[string]*fakeUnit
	// folder is where the faults have theirs.
	folder string
	// calls are the systemctl commands, without the questions.
	calls []string
	// armed is called when a unit was started, before whoever started it hears.
	armed func()
	// stopFails is what stopping a unit says instead of doing it, postKilled has what
	// undoes killed before it began.
	stopFails  string
	postKilled bool
}

type fakeUnit struct {
	active string
	end    context.CancelFunc
	ended  chan error
}

// on gives an agent on a folder of its own whose systemd this is.
func (s *fakeSystemd) on(t *testing.T) *Agent {
	t.Helper()
	root := t.TempDir()
	s.t, s.units, s.folder = t, map[string]*fakeUnit{}, filepath.Join(root, protocol.FaultFolder)
	a := New(Options{Root: root, Exec: s.exec})
	t.Cleanup(a.Close)
	return a
}

func (s *fakeSystemd) exec(ctx context.Context, c Command) (protocol.RunReply, error) {
	var reply protocol.RunReply
	if err := ctx.Err(); err != nil {
		return reply, protocol.Failure(protocol.KindCancelled, "%s: %v", c.Argv[0], err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := c.Argv[len(c.Argv)-1]
	if c.Argv[0] == "systemctl" && c.Argv[1] != "show" && c.Argv[1] != "list-units" {
		s.calls = append(s.calls, strings.Join(c.Argv, " "))
	}
	switch {
	case c.Argv[0] == "systemd-run":
		name = FaultUnit(filepath.Base(name))
		failure := s.start(name, c.Argv[len(c.Argv)-1])
		if s.armed != nil {
			s.armed()
		}
		if err := ctx.Err(); err != nil {
			return reply, protocol.Failure(protocol.KindCancelled, "systemd-run was ended: %v", err)
		}
		if failure != nil {
			reply.ExitCode, reply.Stderr = 1, []byte("Job for "+name+" failed.")
		}
	case c.Argv[1] == "show":
		unit := s.units[name]
		if unit == nil {
			unit = &fakeUnit{active: "inactive"}
			reply.Stdout = fmt.Appendf(nil, "LoadState=not-found\n")
		}
		reply.Stdout = fmt.Appendf(reply.Stdout, "ActiveState=%s\n", unit.active)
	case c.Argv[1] == "list-units":
		for name, unit := range s.units {
			reply.Stdout = fmt.Appendf(reply.Stdout, "%s loaded %s running A drill of quorate\n", name, unit.active)
		}
	case c.Argv[1] == "stop" && s.stopFails != "":
		reply.ExitCode, reply.Stderr = 1, []byte(s.stopFails)
	case c.Argv[1] == "stop" && s.units[name] != nil:
		s.stop(name)
	case c.Argv[1] == "stop":
		reply.ExitCode, reply.Stderr = 5, []byte("Unit "+name+" not loaded.")
	default:
		s.t.Errorf("%q", c.Argv)
	}
	return reply, nil
}

// start starts a fault's process and waits until it is ready or has failed.
func (s *fakeSystemd) start(name, dir string) error {
	socket := filepath.Join(s.t.TempDir(), "notify")
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		s.t.Error(err)
		return err
	}
	defer ready.Close()
	s.t.Setenv("NOTIFY_SOCKET", socket)
	ctx, end := context.WithCancel(context.Background())
	unit := &fakeUnit{active: "active", end: end, ended: make(chan error, 1)}
	s.units[name] = unit
	go func() {
		err := HoldFault(ctx, dir)
		ready.SetReadDeadline(time.Now()) // where it ended without being ready
		unit.ended <- err
	}()
	if _, err := ready.Read(make([]byte, 20)); err != nil {
		failure := <-unit.ended
		unit.ended <- failure
		s.stop(name)
		return failure
	}
	return nil
}

// stop ends a unit's process and undoes.
func (s *fakeSystemd) stop(name string) {
	unit := s.units[name]
	if unit.end != nil {
		unit.end()
		<-unit.ended
	}
	if !s.postKilled {
		_ = UndoFault(context.Background(), filepath.Join(s.folder, strings.TrimSuffix(strings.TrimPrefix(name, protocol.FaultUnitPrefix), ".service")))
	}
	delete(s.units, name)
}

// fakePrograms puts scripts before the host's own programs. Each notes how it was
// called, with its standard input, before it runs; the answer reads the notes.
func fakePrograms(t *testing.T, scripts map[string]string) (calls func() []string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "calls")
	for name, script := range scripts {
		text := fmt.Sprintf("#!/bin/sh\necho \"%s $*\" >>%s\n%s\n", name, log, script)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() []string {
		text, err := os.ReadFile(log)
		if err != nil {
			return nil
		}
		return slices.Collect(strings.Lines(string(text)))
	}
}
