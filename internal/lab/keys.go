package lab

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// keyPair is an ed25519 SSH key in the formats that OpenSSH's files have.
type keyPair struct {
	private []byte // PEM
	public  string // one authorized_keys line, no newline
}

func newKeyPair(comment string) (keyPair, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("making an SSH key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(key, comment)
	if err != nil {
		return keyPair{}, fmt.Errorf("encoding an SSH key: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return keyPair{}, fmt.Errorf("encoding an SSH key: %w", err)
	}
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))) + " " + comment
	return keyPair{private: pem.EncodeToMemory(block), public: public}, nil
}

// ensureKeyPair reads the key pair at path and path.pub, or makes it. The
// public file is written last, so a pair with both files is complete.
func ensureKeyPair(path, comment string) (keyPair, error) {
	private, err1 := os.ReadFile(path)
	public, err2 := os.ReadFile(path + ".pub")
	if err1 == nil && err2 == nil {
		return keyPair{private: private, public: strings.TrimSpace(string(public))}, nil
	}
	if err := errors.Join(ignoreMissing(err1), ignoreMissing(err2)); err != nil {
		return keyPair{}, fmt.Errorf("reading SSH key: %w", err)
	}
	pair, err := newKeyPair(comment)
	if err != nil {
		return keyPair{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return keyPair{}, fmt.Errorf("writing SSH key: %w", err)
	}
	if err := replaceFile(path, pair.private, 0o600); err != nil {
		return keyPair{}, fmt.Errorf("writing SSH key: %w", err)
	}
	if err := replaceFile(path+".pub", []byte(pair.public+"\n"), 0o644); err != nil {
		return keyPair{}, fmt.Errorf("writing SSH key: %w", err)
	}
	return pair, nil
}

// knownHosts renders an OpenSSH known_hosts file: each host under its name and address.
func knownHosts(hosts []HostSpec, publicKeys map[string]string) []byte {
	var out strings.Builder
	for _, host := range hosts {
		fields := strings.Fields(publicKeys[host.Name])
		fmt.Fprintf(&out, "%s,%s %s\n", host.Name, host.Address, strings.Join(fields[:min(2, len(fields))], " "))
	}
	return []byte(out.String())
}

// ensurePassword reads the one-line secret at path, or makes one.
func ensurePassword(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading password: %w", err)
	}
	password := rand.Text()
	if err := replaceFile(path, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing password: %w", err)
	}
	return password, nil
}

// hasRole reports whether the host has the role.
func (h HostSpec) hasRole(role Role) bool { return slices.Contains(h.Roles, role) }
