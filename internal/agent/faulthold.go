package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

func readFault(dir string) (protocol.FaultRequest, error) {
	var request protocol.FaultRequest
	text, err := os.ReadFile(filepath.Join(dir, requestFile))
	if err == nil {
		err = json.Unmarshal(text, &request)
	}
	if err == nil {
		err = checkFault(request)
	}
	return request, err
}

func holdFault(ctx context.Context, dir string, request protocol.FaultRequest) error {
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
		if err := program(ctx, "", "systemctl", "stop", "--", request.Unit.Name); err != nil {
			return err
		}
	case request.Network != nil:
		begin, err := networkFault(ctx, *request.Network)
		if err != nil {
			return err
		}
		reply.BeginsMillis, later = networkDelay.Milliseconds(), begin
	case request.Clock != nil:
		if err := shiftClock(kernelClock{}, filepath.Join(dir, clockFile), *request.Clock); err != nil {
			return err
		}
	case request.Certificate != nil:
		n, err := expire(dir, *request.Certificate)
		if err != nil {
			return err
		}
		reply.Processes = n
	case request.Data != nil:
		if err := lose(ctx, *request.Data); err != nil {
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

// UndoFault undoes the fault that the folder describes and removes the folder.
// It is run whatever became of the fault, so nothing to undo is no error.
func UndoFault(ctx context.Context, dir string) error {
	request, err := readFault(dir)
	if err == nil {
		err = undoFault(ctx, dir, request)
	}
	if err != nil {
		os.WriteFile(filepath.Join(dir, errorFile), []byte(err.Error()), 0o600)
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, replyFile)); err != nil {
		return nil // it never began; whoever asked reads why, and removes the folder
	}
	return clearFault(dir)
}

// clearFault removes a fault's folder, and the folder of all faults when this
// was the last: nothing is to be left on a host, also when nobody is there any
// more to look after it.
func clearFault(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	os.Remove(filepath.Dir(dir)) // goes when it is empty
	return nil
}

func undoFault(ctx context.Context, dir string, request protocol.FaultRequest) error {
	switch {
	case request.Process != nil:
		return goOn(filepath.Join(dir, stoppedFile))
	case request.Unit != nil:
		// Not waited for: a unit that needs long to start is still started.
		return program(ctx, "", "systemctl", "start", "--no-block", "--", request.Unit.Name)
	case request.Network != nil:
		return endNetworkFault(ctx, *request.Network)
	case request.Clock != nil:
		return unshiftClock(kernelClock{}, filepath.Join(dir, clockFile))
	case request.Certificate != nil:
		return unexpire(*request.Certificate)
	case request.Data != nil:
		return find(ctx, *request.Data)
	}
	return nil
}

// program runs a program with text as its standard input; its own words are in
// the error.
func program(ctx context.Context, input string, argv ...string) error {
	// What is begun here is finished, also when the unit is being stopped.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", argv[0], err, strings.TrimSpace(string(out)))
	}
	return nil
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
