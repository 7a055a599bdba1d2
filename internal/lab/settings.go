package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// sharedSettings are kernel settings that no namespace separates and that the
// software on lab hosts changes: the kubelet, containerd, systemd's start and
// the preparation of an operating system for Kubernetes. Their values are
// noted before the first lab starts and put back after the last one is gone.
var sharedSettings = []string{
	"fs/aio-max-nr", "fs/file-max", "fs/nr_open", "fs/suid_dumpable",
	"fs/inotify/max_queued_events", "fs/inotify/max_user_instances", "fs/inotify/max_user_watches",
	"fs/protected_fifos", "fs/protected_hardlinks", "fs/protected_regular", "fs/protected_symlinks",
	"kernel/core_pattern", "kernel/core_uses_pid", "kernel/panic", "kernel/panic_on_oops", "kernel/pid_max",
	"kernel/sysrq", "kernel/threads-max", "kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys",
	"kernel/printk",
	"net/netfilter/nf_conntrack_max", "net/core/somaxconn",
	"vm/dirty_background_ratio", "vm/dirty_ratio", "vm/max_map_count", "vm/min_free_kbytes",
	"vm/overcommit_memory", "vm/panic_on_oom", "vm/swappiness",
}

// machineRecord is what was changed on the machine for the sake of labs, on disk
// before the change is made.
type machineRecord struct {
	// Boot identifies the machine's boot: after another one nothing of this
	// record is true any more.
	Boot string `json:"boot"`
	// Settings are the values before the first lab, by path under /proc/sys.
	Settings map[string]string `json:"settings"`
	// Delegated are the controllers enabled at the root of cgroup v2.
	Delegated []string `json:"delegated,omitempty"`
	// NetnsDir says that /run/netns was made a mount point.
	NetnsDir bool `json:"netnsDir,omitempty"`
}

// machine is the record's file and the directories it speaks of.
type machine struct {
	path   string // of the record
	sysctl string // "/proc/sys"
	netns  string // netnsDir
}

func (s Store) machine() machine {
	return machine{path: filepath.Join(s.Root, ".machine.json"), sysctl: "/proc/sys", netns: netnsDir}
}

// prepare notes the machine's settings, if no lab did before, and raises those
// that many hosts on one kernel need. The caller holds the machine lock.
func (m machine) prepare(layout cgroupLayout) error {
	record, err := m.read()
	if err != nil {
		return err
	}
	if record == nil {
		record = &machineRecord{Boot: bootID(), Settings: map[string]string{}, NetnsDir: !isMountPoint(m.netns)}
		for _, name := range sharedSettings {
			if value, err := os.ReadFile(filepath.Join(m.sysctl, name)); err == nil {
				record.Settings[name] = strings.TrimSpace(string(value))
			}
		}
		if h, ok := layout.unified(); ok && layout.pureV2() {
			if record.Delegated, err = undelegated(h.mount); err != nil {
				return err
			}
		}
		if err := writeJSON(m.path, record); err != nil {
			return fmt.Errorf("noting the machine's settings: %w", err)
		}
	}
	return m.raise()
}

// raise sets what hosts cannot set for themselves from inside their namespaces.
func (m machine) raise() error {
	wanted := []struct {
		name  string
		value int
		exact bool // else any higher value will do
	}{
		// Shared by all hosts, since all of them run as the same root user.
		{"fs/inotify/max_user_instances", 8192, false},
		{"fs/inotify/max_user_watches", 524288, false},
		{"kernel/keys/root_maxkeys", 1000000, false},
		{"kernel/keys/root_maxbytes", 25000000, false},
		// kube-proxy wants to see exactly the number it computes, and may not
		// write it outside the first network namespace.
		{"net/netfilter/nf_conntrack_max", max(131072, 32768*runtime.NumCPU()), true},
	}
	for _, want := range wanted {
		path := filepath.Join(m.sysctl, want.name)
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // not in this kernel, or its module is not loaded: nothing to adapt
		}
		if err != nil {
			return fmt.Errorf("reading setting %s: %w", want.name, err)
		}
		now, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err == nil && (now == want.value || now > want.value && !want.exact) {
			continue
		}
		if err := writeFile(path, strconv.Itoa(want.value)); err != nil {
			return fmt.Errorf("raising setting %s: %w", want.name, err)
		}
	}
	return nil
}

// restore puts everything back and forgets it. The caller holds the machine
// lock and knows that no lab is left.
func (m machine) restore(layout cgroupLayout) error {
	record, err := m.read()
	if err != nil || record == nil {
		return err
	}
	var errs []error
	for name, value := range record.Settings {
		path := filepath.Join(m.sysctl, name)
		if now, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(now)) == value {
			continue
		}
		if err := writeFile(path, value); err != nil {
			errs = append(errs, fmt.Errorf("restoring setting %s to %q: %w", name, value, err))
		}
	}
	if h, ok := layout.unified(); ok {
		for _, controller := range record.Delegated {
			// EBUSY: somebody else's groups use the controller by now.
			_ = writeFile(filepath.Join(h.mount, "cgroup.subtree_control"), "-"+controller)
		}
	}
	if record.NetnsDir {
		errs = append(errs, removeNetnsDir(m.netns))
	}
	// What cannot be restored now cannot be later either: the notes go, and the
	// error says what is left to do.
	return errors.Join(append(errs, os.Remove(m.path))...)
}

// read returns the record, or nil if there is none of the current boot.
func (m machine) read() (*machineRecord, error) {
	var record machineRecord
	err := readJSON(m.path, &record)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the machine's noted settings: %w", err)
	case record.Boot != bootID():
		return nil, nil // the reboot reset everything
	}
	return &record, nil
}

func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// writeJSON replaces the file atomically, so that an interruption leaves the
// old or the new content. The file is for its owner alone.
func writeJSON(path string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(path, append(content, '\n'), 0o600)
}

func readJSON(path string, value any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, value); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// replaceFile writes content under a temporary name, flushes it and renames it to path.
func replaceFile(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it was renamed
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
