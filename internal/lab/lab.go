// Package lab makes real systemd hosts on one Linux machine, for trying and
// testing clusters on: each with an init, an SSH server, a disk that survives
// power-off, a network interface with a fixed address, and nothing installed
// that a freshly set up server would not have.
//
// A host is a set of Linux namespaces and a cgroup, no container engine and no
// virtual machine. One supervising process per host, detached from the
// command that made it, boots it and boots it again when it reboots. Each lab
// has a switch (a bridge in a network namespace) and a /24 of its own, in
// which the machine itself is .1, so that everything reaches the hosts as it
// reaches servers. There is no way out of that network.
//
// What exists is read from the kernel and from the lab's folder, never from
// memory, so any process of a lab may be killed at any time and `lab up` or
// `lab down` still finish the job. Everything made carries the lab's name
// behind "quorate-lab", and only that is ever removed.
package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Store is where labs live on the machine.
type Store struct {
	Root  string // the labs' folders; on a real disk
	Cache string // base root file systems, kept when labs go
}

// DefaultStore is the machine's store. QUORATE_LAB_ROOT and QUORATE_LAB_CACHE
// move it, for a machine whose /var is small.
func DefaultStore() Store {
	s := Store{Root: "/var/lib/quorate/labs", Cache: "/var/cache/quorate/lab"}
	if dir := os.Getenv("QUORATE_LAB_ROOT"); dir != "" {
		s.Root = dir
	}
	if dir := os.Getenv("QUORATE_LAB_CACHE"); dir != "" {
		s.Cache = dir
	}
	return s
}

// record is a lab's state file: what was decided once and holds for its life.
type record struct {
	Spec   Spec       `json:"spec"`
	Subnet subnet     `json:"subnet"`
	Base   string     `json:"base"` // the base root file system all its hosts use
	Hosts  []HostSpec `json:"hosts"`
	Made   time.Time  `json:"made"`
}

// Lab is one lab on this machine.
type Lab struct {
	store  Store
	dir    string
	record record
}

// bootTimeout is how long a host may take until SSH answers. Hosts need about
// two seconds; the rest is for many of them on a busy machine.
const bootTimeout = 90 * time.Second

// lockTimeout is how long to wait for another quorate that works on the same lab.
const lockTimeout = 2 * time.Minute

func (s Store) dir(name string) string        { return filepath.Join(s.Root, name) }
func (s Store) lockPath(name string) string   { return filepath.Join(s.Root, ".locks", name) }
func (l *Lab) recordPath() string             { return filepath.Join(l.dir, "lab.json") }
func (l *Lab) hostDir(host string) string     { return filepath.Join(l.dir, "hosts", host) }
func (l *Lab) consolePath(host string) string { return filepath.Join(l.hostDir(host), "console.log") }

// Name is the lab's name.
func (l *Lab) Name() string { return l.record.Spec.Name }

// Spec is what the lab was asked to have.
func (l *Lab) Spec() Spec { return l.record.Spec }

// Dir is the lab's folder.
func (l *Lab) Dir() string { return l.dir }

// Subnet is the lab's network; the machine is its .1.
func (l *Lab) Subnet() netip.Prefix { return l.record.Subnet.prefix() }

func (l *Lab) network() network { return network{lab: l.Name(), subnet: l.record.Subnet} }

func (l *Lab) hostCgroup(layout cgroupLayout, host string) cgroup {
	return labCgroup(layout, l.Name()).child(host)
}

func (l *Lab) disk(host string) disk { return disk{dir: l.hostDir(host), base: l.record.Base} }

// spec finds a host of the lab by name.
func (l *Lab) spec(host string) (HostSpec, error) {
	var names []string
	for _, h := range l.record.Hosts {
		if h.Name == host {
			return h, nil
		}
		names = append(names, h.Name)
	}
	return HostSpec{}, fmt.Errorf("lab %s has no host %q; it has %s", l.Name(), host, strings.Join(names, ", "))
}

// openFolder reads the lab whose folder is dir.
func openFolder(dir string) (*Lab, error) {
	l := &Lab{store: Store{Root: filepath.Dir(dir)}, dir: dir}
	if err := readJSON(l.recordPath(), &l.record); err != nil {
		return nil, fmt.Errorf("reading the lab's state: %w", err)
	}
	return l, nil
}

// ErrNotFound says that there is no lab of that name.
var ErrNotFound = errors.New("no such lab")

// Open finds a lab by name, whether its hosts are running or not.
func (s Store) Open(name string) (*Lab, error) {
	if err := ValidateName(name); err != nil {
		return nil, err
	}
	l, err := openFolder(s.dir(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("lab %s: %w; `quorate lab list` shows the labs of this machine", name, ErrNotFound)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("lab %s: %w; run it with sudo", name, err)
	case err != nil:
		return nil, fmt.Errorf("lab %s: %w", name, err)
	}
	l.store = s
	return l, nil
}

// List opens all labs of the machine, by name.
func (s Store) List() ([]*Lab, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	var labs []*Lab
	for _, name := range names {
		l, err := s.Open(name)
		if errors.Is(err, ErrNotFound) {
			continue // being made or being removed right now
		}
		if err != nil {
			return nil, err
		}
		labs = append(labs, l)
	}
	return labs, nil
}

// names lists the labs' folders.
func (s Store) names() ([]string, error) {
	entries, err := os.ReadDir(s.Root)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("listing labs: %w; run it with sudo", err)
	}
	if err != nil {
		if err := ignoreMissing(err); err != nil {
			return nil, fmt.Errorf("listing labs: %w", err)
		}
		return nil, nil
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && labName.MatchString(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
