package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

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
	progress(fmt.Sprintf("bringing up %d hosts on %s", len(l.record.Hosts), l.Subnet()))
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
	loadModules(ctx)
	// The folder first: it is what `lab down` goes by.
	if err := os.MkdirAll(s.dir(spec.Name), 0o700); err != nil {
		return nil, fmt.Errorf("creating the lab's folder: %w", err)
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
	if err := writeJSON(l.recordPath(), l.record); err != nil {
		return nil, fmt.Errorf("writing the lab's state: %w", err)
	}
	return l, nil
}

// loadModules loads what has settings of its own to adapt before hosts run,
// where it is not built into the kernel. Modules stay loaded when labs go: no
// one can tell who else uses them by then. A module that is missing is not our
// error: what needs it says so.
func loadModules(ctx context.Context) {
	_ = exec.CommandContext(ctx, "modprobe", "--quiet", "--all", "br_netfilter", "nf_conntrack").Run()
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
