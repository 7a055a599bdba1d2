package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys verifies the key of one host.
type hostKeys struct {
	options *Options
	files   []string
	db      *knownhosts.HostKeyDB
	asked   bool  // the server has shown a key
	refused error // why the key was not taken, since the handshake hides it
}

func newHostKeys(options *Options) (*hostKeys, error) {
	k := &hostKeys{options: options, files: options.KnownHostsPaths}
	if len(k.files) == 0 {
		k.files = []string{expandHome("~/.ssh/known_hosts"), "/etc/ssh/ssh_known_hosts"}
	}
	return k, k.load()
}

func (k *hostKeys) load() error {
	var present []string
	for _, file := range k.files {
		if _, err := os.Stat(file); err == nil {
			present = append(present, file)
		}
	}
	db, err := knownhosts.NewDB(present...)
	if err != nil {
		return fmt.Errorf("%s: reading the known hosts: %w", k.options.title(), err)
	}
	k.db = db
	return nil
}

// algorithms are the kinds of key to ask the host for: those that are known
// of it, since a host has several keys and any but the known one looks new.
// Of a host that is not known, certificates are of no use.
func (k *hostKeys) algorithms() []string {
	if k.options.HostKeyFingerprint == "" {
		if known := k.db.HostKeyAlgorithms(k.options.endpoint()); len(known) > 0 {
			return known
		}
	}
	return slices.DeleteFunc(ssh.SupportedAlgorithms().HostKeys, func(algorithm string) bool {
		return strings.Contains(algorithm, "-cert-")
	})
}

// check is the handshake's question whether the key is the host's.
func (k *hostKeys) check(hostname string, remote net.Addr, key ssh.PublicKey) error {
	k.asked = true
	k.refused = k.verify(hostname, remote, key)
	return k.refused
}

func (k *hostKeys) verify(hostname string, remote net.Addr, key ssh.PublicKey) error {
	fingerprint := ssh.FingerprintSHA256(key)
	changed := &HostKeyChangedError{
		Host: k.options.title(), Address: knownhosts.Normalize(hostname),
		Fingerprint: fingerprint, KeyType: key.Type(),
	}
	if pin := k.options.HostKeyFingerprint; pin != "" {
		if fingerprint == pin {
			return nil
		}
		changed.Pinned, changed.Known = true, []string{pin}
		return changed
	}
	err := k.db.HostKeyCallback()(hostname, remote, key)
	switch {
	case err == nil:
		return nil
	case knownhosts.IsHostKeyChanged(err):
		if keyErr, ok := errors.AsType[*xknownhosts.KeyError](err); ok {
			for _, known := range keyErr.Want {
				changed.Known = append(changed.Known, fmt.Sprintf("%s (%s:%d)", ssh.FingerprintSHA256(known.Key), known.Filename, known.Line))
			}
		}
		return changed
	case !knownhosts.IsHostUnknown(err):
		return fmt.Errorf("%s: verifying the host's key: %w", k.options.title(), err)
	}
	line := knownhosts.Line([]string{hostname}, key)
	if !k.options.AcceptNewHostKeys {
		return &UnknownHostKeyError{
			Host: k.options.title(), Address: knownhosts.Normalize(hostname),
			Fingerprint: fingerprint, KeyType: key.Type(), Line: line, File: k.files[0],
		}
	}
	return k.accept(hostname, remote, key, line)
}

// accept adds a new key to the first known_hosts file. The file is locked
// meanwhile and read anew, since several hosts are connected to at once and
// two of them may be the same.
func (k *hostKeys) accept(hostname string, remote net.Addr, key ssh.PublicKey, line string) error {
	path := k.files[0]
	failed := func(err error) error {
		return fmt.Errorf("%s: adding the host's key to %s: %w", k.options.title(), path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return failed(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return failed(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return failed(err)
	}
	if err := k.load(); err != nil {
		return err
	}
	switch err := k.db.HostKeyCallback()(hostname, remote, key); {
	case err == nil:
		return nil // somebody else has just added it
	case !knownhosts.IsHostUnknown(err):
		return k.verify(hostname, remote, key)
	}
	content, err := io.ReadAll(f)
	if err != nil {
		return failed(err)
	}
	if len(content) > 0 && !bytes.HasSuffix(content, []byte("\n")) {
		line = "\n" + line
	}
	if _, err := io.WriteString(f, line+"\n"); err != nil {
		return failed(err)
	}
	return nil
}

// expandHome replaces a leading ~ by the user's home.
func expandHome(path string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, strings.TrimPrefix(path, "~"))
		}
	}
	return path
}
