package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Down removes the lab: hosts, switch, cgroups, folder, and with the last lab
// what was changed on the machine. It finishes what an interrupted Down or Up
// began. Removing a lab that does not exist is an error (ErrNotFound).
func (s Store) Down(ctx context.Context, name string) error {
	if err := ValidateName(name); err != nil {
		return err
	}
	if err := requireRoot(); err != nil {
		return err
	}
	if _, err := os.Stat(s.dir(name)); err != nil {
		if err := s.tidy(ctx); err != nil {
			return err
		}
		return fmt.Errorf("lab %s: %w; `quorate lab list` shows the labs of this machine", name, ErrNotFound)
	}
	lock, err := s.lockLab(ctx, name)
	if err != nil {
		return err
	}
	if err := s.tearDown(ctx, name); err != nil {
		lock.release()
		return fmt.Errorf("taking lab %s down: %w", name, err)
	}
	lock.remove()
	return s.tidy(ctx)
}

func (s Store) tearDown(ctx context.Context, name string) error {
	layout, err := readCgroupLayout()
	if err != nil {
		return err
	}
	l, err := s.Open(name)
	if errors.Is(err, ErrNotFound) { // interrupted before anything was made, or after all was removed
		l, err = &Lab{store: s, dir: s.dir(name)}, nil
		l.record.Spec.Name = name
	}
	if err != nil {
		return err
	}
	var group errgroup.Group
	for _, host := range l.record.Hosts {
		group.Go(func() error { return l.stop(ctx, host.Name) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	all := labCgroup(layout, name)
	if err := all.kill(ctx); err != nil {
		return err
	}
	if err := all.remove(ctx); err != nil {
		return err
	}
	if len(l.record.Hosts) > 0 {
		if err := l.network().down(); err != nil {
			return err
		}
	}
	return l.forget(ctx, layout)
}

// forget restores the machine if this is the last lab, and removes the folder,
// the state file last: until then Down can be repeated.
func (l *Lab) forget(ctx context.Context, layout cgroupLayout) error {
	lock, err := l.store.lockMachine(ctx)
	if err != nil {
		return err
	}
	defer lock.release()
	names, err := l.store.names()
	if err != nil {
		return err
	}
	var restored error
	if !slices.ContainsFunc(names, func(name string) bool { return name != l.Name() }) {
		if err := (cgroup{layout, cgroupParent}).remove(ctx); err != nil {
			return err
		}
		restored = l.store.machine().restore(layout)
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if path := filepath.Join(l.dir, entry.Name()); path != l.recordPath() {
			if err := removeTree(path); err != nil {
				return err
			}
		}
	}
	return errors.Join(restored, removeTree(l.dir))
}

// tidy removes the store's own folders when no lab is left in them.
func (s Store) tidy(ctx context.Context) error {
	lock, err := s.lockMachine(ctx)
	if err != nil {
		return err
	}
	names, err := s.names()
	if err != nil || len(names) > 0 {
		lock.release()
		return err
	}
	tries, err := filepath.Glob(filepath.Join(s.Root, tryPattern)) // of interrupted checks
	for _, try := range tries {
		err = errors.Join(err, removeTree(try))
	}
	if err != nil {
		lock.release()
		return err
	}
	// Whoever waits for a lock of a new lab keeps its folder: Remove fails
	// then, which is fine.
	_ = os.Remove(filepath.Join(s.Root, ".locks"))
	lock.remove()
	_ = os.Remove(s.Root)
	return nil
}
