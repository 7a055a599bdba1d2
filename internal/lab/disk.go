package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// dataDirs are kept on the machine's real file system instead of the host's
// overlay: containerd puts overlays of its own into its directory, and etcd's
// fsync should cost what a disk costs.
var dataDirs = []string{"var/lib/containerd", "var/lib/kubelet", "var/lib/etcd"}

// disk is a host's own storage. It survives power-off; it goes with the lab.
type disk struct {
	dir  string // the host's folder
	base string
}

func (d disk) upper() string { return filepath.Join(d.dir, "disk", "upper") }
func (d disk) work() string  { return filepath.Join(d.dir, "disk", "work") }
func (d disk) root() string  { return filepath.Join(d.dir, "root") } // where it is mounted, in the host's own mount namespace
func (d disk) data(dir string) string {
	return filepath.Join(d.dir, "data", filepath.Base(dir))
}

// identity is what tells one host's disk from another's.
type identity struct {
	host          HostSpec
	hostKey       keyPair
	authorizedKey string // may log in as root and admin
	operatorHash  string // crypt(3) hash of operator's password
	nameserver    string
}

// create makes the disk unless it exists. It appears whole or not at all.
func (d disk) create(id identity) error {
	final := filepath.Join(d.dir, "disk")
	if _, err := os.Stat(final); err == nil {
		return nil
	}
	for _, dir := range dataDirs {
		if err := os.MkdirAll(d.data(dir), 0o711); err != nil {
			return fmt.Errorf("creating the disk of %s: %w", id.host.Name, err)
		}
	}
	partial := filepath.Join(d.dir, "disk.partial")
	err := errors.Join(os.RemoveAll(partial), os.MkdirAll(d.root(), 0o755), os.MkdirAll(filepath.Join(partial, "work"), 0o755))
	if err == nil {
		err = writeIdentity(imprint{base: d.base, upper: filepath.Join(partial, "upper")}, id)
	}
	if err == nil {
		err = os.Rename(partial, final)
	}
	if err != nil {
		return fmt.Errorf("creating the disk of %s: %w", id.host.Name, err)
	}
	return nil
}

func writeIdentity(to imprint, id identity) error {
	machineID := make([]byte, 16)
	if _, err := rand.Read(machineID); err != nil {
		return err
	}
	shadow, err := shadowWith(filepath.Join(to.base, "etc/shadow"), "operator", id.operatorHash)
	if err != nil {
		return err
	}
	name := id.host.Name
	hosts := "127.0.0.1 localhost\n127.0.1.1 " + name + "\n::1 localhost ip6-localhost ip6-loopback\n"
	to.write("etc/hostname", name+"\n", 0o644)
	to.write("etc/hosts", hosts, 0o644)
	to.write("etc/resolv.conf", "nameserver "+id.nameserver+"\n", 0o644)
	to.write("etc/machine-id", hex.EncodeToString(machineID)+"\n", 0o444)
	to.write("etc/ssh/ssh_host_ed25519_key", string(id.hostKey.private), 0o600)
	to.write("etc/ssh/ssh_host_ed25519_key.pub", id.hostKey.public+"\n", 0o644)
	to.write("etc/shadow", shadow, 0o640)
	to.write("root/.ssh/authorized_keys", id.authorizedKey+"\n", 0o600)
	to.write("home/admin/.ssh/authorized_keys", id.authorizedKey+"\n", 0o600)
	return to.err
}

// imprint writes files into the upper layer over a base so that the merged
// directories keep the base's owners and modes: in an overlay, the upper
// directory's count. The first error sticks.
type imprint struct {
	base, upper string
	err         error
}

func (i *imprint) write(path, content string, mode os.FileMode) {
	if i.err != nil {
		return
	}
	owner, err := i.parents(filepath.Dir(path))
	if err != nil {
		i.err = err
		return
	}
	// An existing file keeps its owner, a new one gets that of its directory.
	if info, err := os.Lstat(filepath.Join(i.base, path)); err == nil {
		owner = info.Sys().(*syscall.Stat_t)
	}
	target := filepath.Join(i.upper, path)
	i.err = errors.Join(
		os.WriteFile(target, []byte(content), mode),
		os.Chown(target, int(owner.Uid), int(owner.Gid)),
		os.Chmod(target, mode))
}

// parents makes the directory and those above it, each like the base's; one
// that the base lacks is its parent's owner's alone. It returns the owner.
func (i *imprint) parents(dir string) (*syscall.Stat_t, error) {
	if dir == "." {
		return &syscall.Stat_t{}, errors.Join(os.MkdirAll(i.upper, 0o755), os.Chmod(i.upper, 0o755))
	}
	owner, err := i.parents(filepath.Dir(dir))
	if err != nil {
		return nil, err
	}
	mode := os.FileMode(0o700)
	if info, err := os.Lstat(filepath.Join(i.base, dir)); err == nil {
		owner, mode = info.Sys().(*syscall.Stat_t), info.Mode().Perm()
	}
	target := filepath.Join(i.upper, dir)
	if err := os.Mkdir(target, mode); errors.Is(err, fs.ErrExist) {
		return owner, nil
	} else if err != nil {
		return nil, err
	}
	return owner, errors.Join(os.Chown(target, int(owner.Uid), int(owner.Gid)), os.Chmod(target, mode))
}

// shadowWith returns the shadow file with the user's password hash replaced.
func shadowWith(path, user, hash string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	found := false
	for line := range strings.Lines(string(content)) {
		if fields := strings.SplitN(line, ":", 3); len(fields) == 3 && fields[0] == user {
			line = user + ":" + hash + ":" + fields[2]
			found = true
		}
		out.WriteString(line)
	}
	if !found {
		return "", fmt.Errorf("%s has no user %s", path, user)
	}
	return out.String(), nil
}

// hashPassword makes the crypt(3) hash of a password with the base's own perl,
// which every Debian has. The password goes through a pipe.
func hashPassword(ctx context.Context, base, password string) (string, error) {
	const script = `chomp(my $p = <STDIN>); chomp(my $s = <STDIN>); print crypt($p, '$6$' . $s . '$')`
	stdin := strings.NewReader(password + "\n" + rand.Text()[:16] + "\n")
	hash, err := outputIn(ctx, base, stdin, "perl", "-e", script)
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	if !strings.HasPrefix(string(hash), "$6$") {
		return "", errors.New("hashing a password: crypt(3) of the base does not know SHA-512")
	}
	return string(hash), nil
}
