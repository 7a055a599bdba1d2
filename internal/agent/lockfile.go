package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

const (
	// lockEnd is how long a holder that is ending may take: SIGTERM, then
	// SIGKILL, for the programs that it runs.
	lockEnd = 10 * time.Second
	// breakGrace is how long a holder may take to end when it is asked to.
	breakGrace = 5 * time.Second
	lockPoll   = 20 * time.Millisecond
)

// longAgo is the expiry of a lock whose holder is ending.
var longAgo = time.Unix(1, 0)

// lockFile is the lock's file, locked. Its content, written once, says who
// holds it; its modification time is when it expires.
type lockFile struct {
	file *os.File
	path string
}

// acquireLock takes the lock at path. Where somebody else holds it, held is
// nil and holder says who; a holder that is just ending is waited for, and one
// that is to be broken is ended.
func acquireLock(ctx context.Context, path string, request protocol.LockRequest) (held *lockFile, holder *protocol.LockHolder, err error) {
	ctx, cancel := context.WithTimeout(ctx, lockEnd+breakGrace)
	defer cancel()
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	broken := false
	began := time.Now()
	for {
		held, err := tryLock(path)
		if held != nil || err != nil {
			return held, nil, err
		}
		holder, err = readHolder(path)
		switch {
		case err == nil && request.Break && !broken:
			if err := breakLock(ctx, path, holder.PID); err != nil {
				return nil, nil, err
			}
			broken = true
		case err == nil && broken, err == nil && holder.Expires.Equal(longAgo):
			// It is ending.
		case err == nil:
			return nil, holder, nil
		case time.Since(began) > time.Second:
			// Its content is not there yet, or nobody can read it.
			return nil, &protocol.LockHolder{Now: time.Now()}, nil
		}
		select {
		case <-ctx.Done():
			if holder == nil {
				holder = &protocol.LockHolder{Now: time.Now()}
			}
			return nil, holder, nil
		case <-tick.C:
		}
	}
}

// tryLock takes the lock, or returns nil when somebody else holds it.
func tryLock(path string) (*lockFile, error) {
	for {
		if err := makeParents(path, 0o755); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // the folder was removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == syscall.EWOULDBLOCK {
			file.Close()
			return nil, nil
		}
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("locking it: %w", err)
		}
		// Its last holder may have removed it meanwhile: then what was locked
		// is no longer what the path names.
		locked, err1 := file.Stat()
		named, err2 := os.Lstat(path)
		if err1 == nil && err2 == nil && os.SameFile(locked, named) {
			return &lockFile{file: file, path: path}, nil
		}
		file.Close()
	}
}

// describe says in the file who holds it. That is a courtesy to whoever is refused: a
// full disk, which an operator may be here to mend, keeps nobody from working.
func (l *lockFile) describe(request protocol.LockRequest, ttl time.Duration) error {
	now := time.Now()
	text, err := json.Marshal(protocol.LockHolder{
		Owner: request.Owner, Purpose: request.Purpose, RunID: request.RunID, PID: os.Getpid(), Since: now,
	})
	if err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	if _, err := l.file.WriteAt(append(text, '\n'), 0); errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return l.file.Truncate(0) // a part of it says nothing
	} else if err != nil {
		return err
	}
	l.expireAt(now.Add(ttl))
	return nil
}

// expireAt notes when the lock expires. It is a courtesy to whoever is
// refused, so a failure is of no consequence.
func (l *lockFile) expireAt(t time.Time) { os.Chtimes(l.path, t, t) }

// release removes the file and gives the lock up, in this order: nobody can
// have locked it in between.
func (l *lockFile) release() {
	os.Remove(l.path)
	l.file.Close()
}

// readHolder reads who holds the lock.
func readHolder(path string) (*protocol.LockHolder, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 64<<10))
	if err != nil {
		return nil, err
	}
	holder := new(protocol.LockHolder)
	if err := json.Unmarshal(text, holder); err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	holder.Expires, holder.Now = info.ModTime(), time.Now()
	return holder, nil
}

// breakLock ends the agent that holds the lock at path. The process is held
// by a descriptor of its own from before it is looked at, so that the number
// cannot pass to another one in between.
func breakLock(ctx context.Context, path string, pid int) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return nil // it is gone
	}
	defer process.Release()
	if !breakable(pid, path) {
		if locked, err := tryLock(path); err == nil && locked != nil {
			locked.release()
			return nil
		}
		return protocol.Failure(protocol.KindOther,
			"process %d, which the lock names, is no quorate agent from %s that has it open: end what holds %s by hand (see /proc/locks)",
			pid, agentsBeside(path), path)
	}
	if err := process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending the agent %d: %w", pid, err)
	}
	// One that does not end, because it is stopped or hangs, is killed, and
	// what it runs with it (the parent-death signal).
	deadline := time.NewTimer(breakGrace)
	defer deadline.Stop()
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for hasOpen(fmt.Sprintf("/proc/%d", pid), path) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-deadline.C:
			if err := process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return fmt.Errorf("killing the agent %d: %w", pid, err)
			}
			return nil
		case <-tick.C:
		}
	}
	return nil
}
