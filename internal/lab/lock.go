package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// fileLock is an exclusive lock that ends with the process that holds it.
type fileLock struct{ file *os.File }

// acquire takes the lock at path, waiting until the context ends. The file may be
// deleted by its holder, so what was locked must still be what path names.
func acquire(ctx context.Context, path string) (*fileLock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("creating the folder of lock %s: %w", path, err)
	}
	var lock *fileLock
	err := poll(ctx, 50*time.Millisecond, func() error {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			file.Close()
			return errors.New("another quorate holds it")
		}
		locked, err1 := file.Stat()
		named, err2 := os.Stat(path)
		if err1 != nil || err2 != nil || !os.SameFile(locked, named) {
			file.Close()
			return errors.New("it was replaced")
		}
		lock = &fileLock{file}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for lock %s: %w", path, err)
	}
	return lock, nil
}

// release gives the lock up and keeps the file.
func (l *fileLock) release() { l.file.Close() }

// remove deletes the lock's file and gives it up.
func (l *fileLock) remove() {
	os.Remove(l.file.Name())
	l.file.Close()
}

// holdRecordLock takes the lock by which a supervisor shows that it lives.
// Unlike fileLock's, the kernel tells others who holds it. It is held until
// the process ends or the file is closed.
func holdRecordLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// recordLockHolder returns the process that holds the lock, 0 if none does.
func recordLockHolder(path string) int {
	lock := queryRecordLock(path)
	if lock.Type == unix.F_UNLCK {
		return 0
	}
	return int(lock.Pid)
}

// recordLockHeld reports whether anybody holds the lock, also when the holder
// is outside our pid namespace.
func recordLockHeld(path string) bool { return queryRecordLock(path).Type != unix.F_UNLCK }

func queryRecordLock(path string) unix.Flock_t {
	free := unix.Flock_t{Type: unix.F_UNLCK}
	file, err := os.Open(path)
	if err != nil {
		return free
	}
	defer file.Close()
	query := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &query); err != nil {
		return free
	}
	return query
}
