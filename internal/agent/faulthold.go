package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// networkDelay is the time between the answer to the operator and a network
// fault, which may cut the operator off.
const networkDelay = 300 * time.Millisecond

// HoldFault is the process of a fault's unit: it does the fault that the
// folder describes, tells systemd that it is done, and waits until ctx ends.
// What it leaves is for UndoFault, which systemd runs afterwards.
func HoldFault(ctx context.Context, dir string) error {
	request, err := readFault(dir)
	if err == nil {
		err = holdFault(ctx, dir, request)
	}
	if err != nil {
		os.WriteFile(filepath.Join(dir, errorFile), []byte(err.Error()), 0o600)
	}
	return err
}

func holdFault(ctx context.Context, dir string, request protocol.FaultRequest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var network func() error
	if n := request.Network; n != nil {
		var err error
		if network, err = networkFault(ctx, request.ID, *n); err != nil {
			return err // nothing to undo: what undoes it may be missing here, too
		}
	}
	if err := beginFault(dir); err != nil {
		return err
	}
	var reply protocol.FaultReply
	var later func() error
	switch {
	case request.Process != nil:
		n, err := hang(filepath.Join(dir, stoppedFile), request.Process.Program)
		if err != nil {
			return err
		}
		reply.Processes = n
	case request.Unit != nil:
		if err := stopUnit(ctx, dir, request.Unit.Name); err != nil {
			return err
		}
	case request.Network != nil && request.Network.DelayMillis > 0:
		if err := network(); err != nil {
			return err
		}
	case request.Network != nil: // it may cut the operator off
		reply.BeginsMillis, later = networkDelay.Milliseconds(), network
	case request.Clock != nil:
		if err := shiftClock(kernelClock{}, filepath.Join(dir, clockFile), *request.Clock); err != nil {
			return err
		}
	case request.Certificate != nil:
		n, err := expire(dir, request.ID, *request.Certificate)
		if err != nil {
			return err
		}
		reply.Processes = n
	case request.Data != nil:
		if err := lose(ctx, dir, request.ID, *request.Data); err != nil {
			return err
		}
	case request.Disk != nil:
		file, n, err := fill(*request.Disk)
		if err != nil {
			return err
		}
		defer file.Close() // and the space is free again
		reply.FilledBytes = n
	default:
		return errors.New("a fault of no kind that lasts")
	}
	text, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, replyFile), text, 0o600); err != nil {
		return err
	}
	if err := notifyReady(os.Getenv("NOTIFY_SOCKET")); err != nil {
		return err
	}
	if later != nil {
		delay := time.NewTimer(networkDelay)
		defer delay.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-delay.C:
		}
		if err := later(); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// UndoFault undoes the fault that the folder describes, as far as it was done, and
// removes the folder. It may be run any number of times, and by several.
func UndoFault(ctx context.Context, dir string) error {
	unlock, err := lockFault(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // undone before
	}
	if err != nil {
		return err
	}
	defer unlock()
	began, err := faultBegan(dir)
	if err != nil {
		return err
	}
	if began {
		request, err := readFault(dir)
		if err != nil {
			return fmt.Errorf("what was done is not known: %w; once it is put right by hand, remove %s", err, dir)
		}
		if err := undoFault(ctx, dir, request); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(dir, begunFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, replyFile)); err != nil {
		return nil // it could not be done; whoever asked reads why, and removes the folder
	}
	return clearFault(dir)
}

func undoFault(ctx context.Context, dir string, request protocol.FaultRequest) error {
	switch {
	case request.Process != nil:
		return goOn(filepath.Join(dir, stoppedFile))
	case request.Unit != nil:
		return startUnit(ctx, dir, request.Unit.Name)
	case request.Network != nil:
		return endNetworkFault(ctx, request.ID, *request.Network)
	case request.Clock != nil:
		return unshiftClock(kernelClock{}, filepath.Join(dir, clockFile))
	case request.Certificate != nil:
		return unexpire(dir, request.ID, *request.Certificate)
	case request.Data != nil:
		return find(ctx, dir, request.ID, *request.Data)
	}
	return nil
}

// stopUnit stops a unit that runs, and notes before that it did: what did not run
// is not to be started afterwards.
func stopUnit(ctx context.Context, dir, unit string) error {
	if _, err := program(ctx, "", "systemctl", "is-active", "--quiet", "--", unit); err != nil {
		return fmt.Errorf("%s does not run: %w", unit, err)
	}
	if err := os.WriteFile(filepath.Join(dir, unitFile), []byte(unit), 0o600); err != nil {
		return err
	}
	_, err := program(ctx, "", "systemctl", "stop", "--", unit)
	return err
}

// startUnit starts a unit that stopUnit stopped. Not waited for: one that needs long
// to start is still started.
func startUnit(ctx context.Context, dir, unit string) error {
	if _, err := os.Stat(filepath.Join(dir, unitFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	_, err := program(ctx, "", "systemctl", "start", "--no-block", "--", unit)
	return err
}

// program runs a program with text as its standard input; its own words are in
// the error.
func program(ctx context.Context, input string, argv ...string) (output string, err error) {
	// What is begun here is finished, also when the unit is being stopped.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), programTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", argv[0], err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// notifyReady tells systemd that the unit is up, as sd_notify(3) does.
func notifyReady(socket string) error {
	if socket == "" {
		return errors.New("not started by systemd")
	}
	if socket[0] == '@' {
		socket = "\x00" + socket[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte("READY=1"))
	return err
}
