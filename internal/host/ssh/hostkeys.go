package ssh

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	names   map[string]string // of files that were copied
	db      *knownhosts.HostKeyDB
	shown   []string // kinds of key that the server has shown and that were not the pinned one
	asked   bool     // the server has shown a key
	refused error    // why the key was not taken, since the handshake hides it
}

func newHostKeys(options *Options, shown []string) (*hostKeys, error) {
	k := &hostKeys{options: options, files: options.KnownHostsPaths, shown: shown}
	if len(k.files) == 0 {
		k.files = []string{expandHome("~/.ssh/known_hosts"), "/etc/ssh/ssh_known_hosts"}
	}
	return k, k.load()
}

func (k *hostKeys) load() error {
	k.names = map[string]string{}
	var present []string
	for _, file := range k.files {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: reading the known hosts: %w", k.options.title(), err)
		}
		good, bad := readable(content)
		if len(bad) == 0 {
			present = append(present, file)
			continue
		}
		for _, line := range bad {
			k.options.Warn(fmt.Sprintf("%s:%d is no line of known hosts, and is passed over; mend or remove it", file, line))
		}
		copied, err := copyOf(good)
		if err != nil {
			return fmt.Errorf("%s: reading the known hosts: %w", k.options.title(), err)
		}
		defer os.Remove(copied)
		k.names[copied] = file
		present = append(present, copied)
	}
	db, err := knownhosts.NewDB(present...)
	if err != nil {
		return fmt.Errorf("%s: reading the known hosts: %w", k.options.title(), err)
	}
	k.db = db
	return nil
}

// readable is what of a known_hosts file can be read, with an empty line in the place of
// each that cannot, and the numbers of those: OpenSSH passes them over, too.
func readable(content []byte) (good []byte, bad []int) {
	lines := bytes.Split(content, []byte("\n"))
	for i, line := range lines {
		trimmed := bytes.TrimSpace(line)
		if len(trimmed) == 0 || trimmed[0] == '#' {
			continue
		}
		marker, _, _, _, _, err := ssh.ParseKnownHosts(trimmed)
		if err != nil || (marker != "" && marker != "cert-authority" && marker != "revoked") {
			bad, lines[i] = append(bad, i+1), nil
		}
	}
	return bytes.Join(lines, []byte("\n")), bad
}

// copyOf is a file of this content, since the library reads files only.
func copyOf(content []byte) (path string, err error) {
	f, err := os.CreateTemp("", "quorate-known-hosts-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return f.Name(), err
}

// algorithms are the kinds of key to ask the host for: those that are known
// of it, since a host has several keys and any but the known one looks new.
// Of a host that is not known, certificates are of no use; its best key is asked for
// first, in OpenSSH's order, which is also the one that people pin.
func (k *hostKeys) algorithms() []string {
	if k.options.HostKeyFingerprint == "" {
		if known := k.db.HostKeyAlgorithms(k.options.keyName()); len(known) > 0 {
			return known
		}
	}
	algorithms := slices.DeleteFunc(ssh.SupportedAlgorithms().HostKeys, func(algorithm string) bool {
		return strings.Contains(algorithm, "-cert-") || slices.Contains(k.shown, shortKeyType(algorithm))
	})
	order := []string{"ed25519", "ecdsa", "rsa"}
	slices.SortStableFunc(algorithms, func(a, b string) int {
		return slices.Index(order, shortKeyType(a)) - slices.Index(order, shortKeyType(b))
	})
	return algorithms
}

// check is the handshake's question whether the key is the host's.
func (k *hostKeys) check(remote net.Addr, key ssh.PublicKey) error {
	k.asked = true
	k.refused = k.verify(k.options.keyName(), remote, key)
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
				changed.Known = append(changed.Known, fmt.Sprintf("%s (%s:%d)", ssh.FingerprintSHA256(known.Key), cmp.Or(k.names[known.Filename], known.Filename), known.Line))
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
	if err := appendWhole(f, int64(len(content)), line+"\n"); err != nil {
		return failed(err)
	}
	return nil
}

// appendWhole appends a line, or nothing of it: a part of one, which a full disk leaves,
// would be in the way of all that comes after it.
func appendWhole(f interface {
	io.Writer
	Truncate(int64) error
}, size int64, line string) error {
	_, err := io.WriteString(f, line)
	if err != nil {
		err = errors.Join(err, f.Truncate(size))
	}
	return err
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
