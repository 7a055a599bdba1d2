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
)

// HoldFault is the process of a fault's unit: it does the fault that the
// folder describes, tells systemd that it is done, and waits until ctx ends.
// What it leaves is for UndoFault, which systemd runs afterwards.
func HoldFault(ctx context.Context, dir string) error {
	kind, id, err := readFault(dir)
	if err == nil {
		err = holdFault(ctx, kind, faultPlace{dir, id})
	}
	if err != nil {
		os.WriteFile(filepath.Join(dir, errorFile), []byte(err.Error()), 0o600)
	}
	return err
}

func holdFault(ctx context.Context, kind faultKind, in faultPlace) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	begin, err := kind.prepare(ctx, in)
	if err != nil {
		return err
	}
	if err := beginFault(in.dir); err != nil {
		return err
	}
	did, err := begin()
	if err != nil {
		return err
	}
	if did.end != nil {
		defer did.end()
	}
	text, err := json.Marshal(did.reply)
	if err != nil {
		return err
	}
	if err := os.WriteFile(in.file(replyFile), text, 0o600); err != nil {
		return err
	}
	if err := notifyReady(os.Getenv("NOTIFY_SOCKET")); err != nil {
		return err
	}
	if did.later != nil {
		delay := time.NewTimer(time.Duration(did.reply.BeginsMillis) * time.Millisecond)
		defer delay.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-delay.C:
		}
		if err := did.later(); err != nil {
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
		kind, id, err := readFault(dir)
		if err != nil {
			return fmt.Errorf("what was done is not known: %w; once it is put right by hand, remove %s", err, dir)
		}
		if err := kind.undo(ctx, faultPlace{dir, id}); err != nil {
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
