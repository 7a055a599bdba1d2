package ssh

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/quorate/quorate/internal/host"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func TestUnknownHostKey(t *testing.T) {
	server := serve(t, withPassword("right"))
	options := server.options()
	options.KnownHostsPaths = []string{filepath.Join(t.TempDir(), "ssh", "known_hosts")}

	_, err := Connect(t.Context(), options)
	unknown, ok := errors.AsType[*UnknownHostKeyError](err)
	if !ok || !errors.Is(err, ErrUnknownHostKey) {
		t.Fatalf("an unknown key: %v", err)
	}
	fingerprint := ssh.FingerprintSHA256(server.hostKey.PublicKey())
	if unknown.Fingerprint != fingerprint || !strings.Contains(err.Error(), fingerprint) ||
		!strings.Contains(err.Error(), "--accept-new-host-keys") || !strings.Contains(err.Error(), options.KnownHostsPaths[0]) {
		t.Errorf("the error lacks something: %v", err)
	}
	if len(server.ran()) != 0 {
		t.Errorf("ran %q on a host that is not known", server.ran())
	}
	// The line that the error shows is what makes the host known.
	os.MkdirAll(filepath.Dir(options.KnownHostsPaths[0]), 0o700)
	writeTestFile(t, options.KnownHostsPaths[0], unknown.Line+"\n", 0o600)
	mustConnect(t, options)
}

func TestAcceptNewHostKeys(t *testing.T) {
	server := serve(t, withPassword("right"))
	options := server.options()
	path := filepath.Join(t.TempDir(), "ssh", "known_hosts")
	options.KnownHostsPaths = []string{path}
	options.AcceptNewHostKeys = true
	var wg sync.WaitGroup
	for range 4 { // several at once, as several hosts are connected to
		wg.Go(func() {
			h, err := Connect(t.Context(), options)
			if err != nil {
				t.Error(err)
				return
			}
			h.Close(t.Context())
		})
	}
	wg.Wait()
	content, err := os.ReadFile(path)
	if err != nil || strings.Count(string(content), "\n") != 1 {
		t.Errorf("known hosts: %q, %v", content, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}
	options.AcceptNewHostKeys = false
	mustConnect(t, options)
}

// A host that ~/.ssh/config gives a name for its keys is known by that, and a new one's
// key is noted under it, as OpenSSH does.
func TestHostKeyAlias(t *testing.T) {
	server := serve(t, withPassword("right"))
	options := server.options()
	options.SSHConfig, options.SSHConfigPath = true, filepath.Join(t.TempDir(), "config")
	writeTestFile(t, options.SSHConfigPath, "Host 127.0.0.1\n  HostKeyAlias the-host\n", 0o600)
	if _, err := Connect(t.Context(), options); !errors.Is(err, ErrUnknownHostKey) || !strings.Contains(err.Error(), "the-host") {
		t.Errorf("known by its address alone: %v", err)
	}
	known := "the-host " + string(ssh.MarshalAuthorizedKey(server.hostKey.PublicKey()))
	writeTestFile(t, options.KnownHostsPaths[0], known, 0o600)
	mustConnect(t, options)
	writeTestFile(t, options.KnownHostsPaths[0], "", 0o600)
	options.AcceptNewHostKeys = true
	mustConnect(t, options)
	if got, err := os.ReadFile(options.KnownHostsPaths[0]); err != nil || string(got) != known {
		t.Errorf("noted as %q, %v; want %q", got, err, known)
	}
}

func TestAcceptKeepsAnUnendedLastLine(t *testing.T) {
	server := serve(t, withPassword("right"))
	options := server.options()
	other := "other.example " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(newSigner(t).PublicKey())))
	writeTestFile(t, options.KnownHostsPaths[0], other, 0o600)
	options.AcceptNewHostKeys = true
	mustConnect(t, options)
	content, err := os.ReadFile(options.KnownHostsPaths[0])
	if err != nil || !strings.HasPrefix(string(content), other+"\n[127.0.0.1]:") {
		t.Errorf("known hosts: %q, %v", content, err)
	}
}

func TestChangedHostKey(t *testing.T) {
	server := serve(t, withPassword("right"))
	options := server.options()
	old := newSigner(t).PublicKey()
	line := server.knownHostsLine(old)
	writeTestFile(t, options.KnownHostsPaths[0], line, 0o600)
	options.AcceptNewHostKeys = true // accepts new hosts, never a changed key
	_, err := Connect(t.Context(), options)
	changed, ok := errors.AsType[*HostKeyChangedError](err)
	if !ok || !errors.Is(err, ErrHostKeyChanged) || errors.Is(err, ErrUnknownHostKey) || errors.Is(err, host.ErrUnreachable) {
		t.Fatalf("a changed key: %v", err)
	}
	if changed.Fingerprint != ssh.FingerprintSHA256(server.hostKey.PublicKey()) || !strings.Contains(err.Error(), ssh.FingerprintSHA256(old)) {
		t.Errorf("the error lacks something: %v", err)
	}
	if content, _ := os.ReadFile(options.KnownHostsPaths[0]); string(content) != line {
		t.Errorf("the file was changed: %q", content)
	}
}

func TestHashedHostKey(t *testing.T) {
	server := serve(t, withPassword("right"))
	options := server.options()
	hashed := knownhosts.HashHostname(knownhosts.Normalize(fmt.Sprintf("127.0.0.1:%d", server.port())))
	writeTestFile(t, options.KnownHostsPaths[0], hashed+" "+string(ssh.MarshalAuthorizedKey(server.hostKey.PublicKey())), 0o600)
	mustConnect(t, options)
}

func TestHostCertificate(t *testing.T) {
	authority := newSigner(t)
	server := serve(t, func(s *testServer) {
		withPassword("right")(s)
		certificate := &ssh.Certificate{
			Key: s.hostKey.PublicKey(), CertType: ssh.HostCert, KeyId: "cp-1",
			ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: ssh.CertTimeInfinity,
		}
		if err := certificate.SignCert(strings.NewReader(strings.Repeat("nonce", 100)), authority); err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.NewCertSigner(certificate, s.hostKey)
		if err != nil {
			t.Fatal(err)
		}
		s.config.AddHostKey(s.hostKey) // the plain key, as sshd has both
		s.hostKey = signer
	})
	options := server.options()
	line := fmt.Sprintf("@cert-authority [127.0.0.1]:%d ", server.port()) + string(ssh.MarshalAuthorizedKey(authority.PublicKey()))
	writeTestFile(t, options.KnownHostsPaths[0], line, 0o600)
	mustConnect(t, options)
	other := fmt.Sprintf("@cert-authority [127.0.0.1]:%d ", server.port()) + string(ssh.MarshalAuthorizedKey(newSigner(t).PublicKey()))
	writeTestFile(t, options.KnownHostsPaths[0], other, 0o600)
	if _, err := Connect(t.Context(), options); err == nil {
		t.Error("a certificate of another authority was taken")
	}
	// A host that has a certificate is known by its plain key all the same.
	plain := server.hostKey.PublicKey().(*ssh.Certificate).Key
	writeTestFile(t, options.KnownHostsPaths[0], server.knownHostsLine(plain), 0o600)
	mustConnect(t, options)
	options.KnownHostsPaths = []string{"/nonexistent"}
	if _, err := Connect(t.Context(), options); !errors.Is(err, ErrUnknownHostKey) {
		t.Errorf("an unknown host with a certificate: %v", err)
	}
}

func TestPinnedFingerprint(t *testing.T) {
	server := serve(t, withPassword("right"))
	options := server.options()
	options.KnownHostsPaths = []string{"/nonexistent"}
	options.HostKeyFingerprint = ssh.FingerprintSHA256(server.hostKey.PublicKey())
	mustConnect(t, options)
	options.HostKeyFingerprint = "SHA256:" + strings.Repeat("A", 43)
	options.AcceptNewHostKeys = true
	if _, err := Connect(t.Context(), options); !errors.Is(err, ErrHostKeyChanged) {
		t.Errorf("another key than the pinned one: %v", err)
	}
}
