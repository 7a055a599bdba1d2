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
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
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

// Up makes the lab, or whatever is missing of it: hosts that are off are
// started, hosts that the spec has on top are added, the rest is left alone.
// When it returns without an error, SSH answers on every host. progress gets a
// line for every stage, and one at least every ten seconds.
func (s Store) Up(ctx context.Context, spec Spec, progress func(string)) (*Lab, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if err := problemsError(s.Check()); err != nil {
		return nil, err
	}
	lock, err := s.lockLab(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	defer lock.release()
	b, err := s.base()
	if err != nil {
		return nil, err
	}
	baseDir, err := b.ensure(ctx, progress)
	if err != nil {
		return nil, err
	}
	l, err := s.define(ctx, spec, baseDir)
	if err != nil {
		return nil, err
	}
	if err := l.provision(ctx); err != nil {
		return nil, fmt.Errorf("lab %s: %w", l.Name(), err)
	}
	progress(fmt.Sprintf("starting %d hosts on %s", len(l.record.Hosts), l.Subnet()))
	if err := l.startAll(ctx, progress); err != nil {
		return nil, err
	}
	return l, nil
}

func (s Store) lockLab(ctx context.Context, name string) (*fileLock, error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	return acquire(ctx, s.lockPath(name))
}

// lockMachine serialises what labs do to the machine they share.
func (s Store) lockMachine(ctx context.Context) (*fileLock, error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	return acquire(ctx, filepath.Join(s.Root, ".machine.lock"))
}

// define writes the lab's state file, choosing a free subnet for a new lab,
// and notes and raises the machine's settings.
func (s Store) define(ctx context.Context, spec Spec, baseDir string) (*Lab, error) {
	lock, err := s.lockMachine(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.release()
	layout, err := readCgroupLayout()
	if err != nil {
		return nil, err
	}
	if err := s.machine().prepare(layout); err != nil {
		return nil, err
	}
	l, err := s.Open(spec.Name)
	switch {
	case errors.Is(err, ErrNotFound):
		l = &Lab{store: s, dir: s.dir(spec.Name), record: record{Base: baseDir, Made: time.Now().UTC()}}
		if l.record.Subnet, err = s.chooseSubnet(); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		if _, err := os.Stat(l.record.Base); err != nil {
			return nil, fmt.Errorf("the root file system under lab %s is gone (%w); take the lab down: quorate lab down --name %[1]s", spec.Name, err)
		}
		if kind := spec.shrinks(l.record.Spec); kind != "" {
			return nil, fmt.Errorf("lab %s has more %s than asked for, and a lab only grows; take it down first: quorate lab down --name %[1]s", spec.Name, kind)
		}
		if (spec.Etcds > 0) != (l.record.Spec.Etcds > 0) {
			return nil, fmt.Errorf("lab %s: etcd cannot move between control planes and hosts of its own; take the lab down first: quorate lab down --name %[1]s", spec.Name)
		}
	}
	l.record.Spec = spec
	l.record.Hosts = spec.hosts(l.record.Subnet)
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the lab's folder: %w", err)
	}
	if err := writeJSON(l.recordPath(), l.record); err != nil {
		return nil, fmt.Errorf("writing the lab's state: %w", err)
	}
	return l, nil
}

// chooseSubnet picks a subnet that neither another lab nor a route of the machine uses.
func (s Store) chooseSubnet() (subnet, error) {
	taken, err := usedPrefixes()
	if err != nil {
		return 0, err
	}
	labs, err := s.List()
	if err != nil {
		return 0, err
	}
	for _, other := range labs {
		taken = append(taken, other.Subnet())
	}
	return freeSubnet(taken)
}

// provision makes what does not run: keys, disks, files, the switch.
func (l *Lab) provision(ctx context.Context) error {
	key, err := ensureKeyPair(l.KeyPath(), "quorate-lab-"+l.Name())
	if err != nil {
		return err
	}
	password, err := ensurePassword(l.OperatorPasswordPath())
	if err != nil {
		return err
	}
	hash := ""
	publicKeys := map[string]string{}
	for _, host := range l.record.Hosts {
		if err := os.MkdirAll(l.hostDir(host.Name), 0o700); err != nil {
			return fmt.Errorf("creating the folder of %s: %w", host.Name, err)
		}
		hostKey, err := ensureKeyPair(filepath.Join(l.hostDir(host.Name), "ssh_host_ed25519_key"), host.Name)
		if err != nil {
			return err
		}
		publicKeys[host.Name] = hostKey.public
		if hash == "" {
			if hash, err = hashPassword(ctx, l.record.Base, password); err != nil {
				return err
			}
		}
		err = l.disk(host.Name).create(identity{
			host: host, hostKey: hostKey, authorizedKey: key.public,
			operatorHash: hash, nameserver: l.record.Subnet.gateway().String(),
		})
		if err != nil {
			return err
		}
	}
	err = errors.Join(
		replaceFile(l.KnownHostsPath(), knownHosts(l.record.Hosts, publicKeys), 0o644),
		replaceFile(l.ClusterFilePath(), l.ClusterFile(), 0o600),
		l.copyProgram())
	if err != nil {
		return err
	}
	return l.network().up()
}

// startAll starts every host that is off and waits until all answer. A host
// that was frozen stays so, and is not waited for.
func (l *Lab) startAll(ctx context.Context, progress func(string)) error {
	stop := heartbeat(progress, "still waiting for hosts to answer")
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	for _, host := range l.record.Hosts {
		group.Go(func() error { return l.start(ctx, host) })
	}
	return group.Wait()
}

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
	if !slices.ContainsFunc(names, func(name string) bool { return name != l.Name() }) {
		if err := (cgroup{layout, cgroupParent}).remove(ctx); err != nil {
			return err
		}
		if err := l.store.machine().restore(layout); err != nil {
			return err
		}
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
	return removeTree(l.dir)
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
	// Whoever waits for a lock of a new lab keeps its folder: Remove fails
	// then, which is fine.
	_ = os.Remove(filepath.Join(s.Root, ".locks"))
	lock.remove()
	_ = os.Remove(s.Root)
	return nil
}
