package ssh

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// Once the agent has greeted, sudo is over: whatever prints its question then is not
// given the password, and nothing is put between the agent's requests.
func TestPasswordAfterTheGreeting(t *testing.T) {
	for _, late := range []bool{false, true} {
		asked := false
		var stdin bytes.Buffer
		s := &starter{host: "cp-1", user: "alice", prompt: "p-1:", sudoPassword: func(context.Context) (string, error) { asked = true; return "hunter2", nil }}
		p := &process{stdin: nopCloser{&stdin}, kill: func() {}, words: &lastWords{log: slog.New(slog.DiscardHandler)}}
		d := &sudoDialogue{starter: s, process: p, ctx: t.Context(), asking: func() {}}
		if late {
			d.end()
		}
		if _, err := io.WriteString(d, "p-1:"); err != nil {
			t.Fatal(err)
		}
		if got := stdin.String(); asked == late || (got != "") == late {
			t.Errorf("after the greeting: %v; asked: %v; sent: %q", late, asked, got)
		}
	}
}

// The question that sudo is told to ask is another one for every connection.
func TestPromptIsOfOneConnection(t *testing.T) {
	server := withSudo(t, "ask", "right")
	options := aliceOn(server)
	options.SudoPassword = secret("right")
	mustConnect(t, options)
	mustConnect(t, options)
	prompt := regexp.MustCompile(` -p (\S{30,}) `)
	seen := map[string]bool{}
	for _, command := range server.ran() {
		if found := prompt.FindStringSubmatch(command); found != nil {
			seen[found[1]] = true
		}
	}
	if len(seen) != 2 {
		t.Errorf("two connections asked %d questions: %v", len(seen), seen)
	}
}

// sshd has keys of three kinds by default, and shows one of them.
func threeKeys(t *testing.T) (*testServer, map[string]ssh.PublicKey) {
	keys := map[string]ssh.PublicKey{}
	server := serve(t, func(s *testServer) {
		withPassword("right")(s)
		keys["ed25519"] = s.hostKey.PublicKey()
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for kind, key := range map[string]any{"rsa": private, "ecdsa": elliptical} {
			signer, err := ssh.NewSignerFromKey(key)
			if err != nil {
				t.Fatal(err)
			}
			s.config.AddHostKey(signer)
			keys[kind] = signer.PublicKey()
		}
	})
	return server, keys
}

// Whichever of a server's own keys is pinned, the server is not one in between.
func TestPinOfAServerWithSeveralKeys(t *testing.T) {
	server, keys := threeKeys(t)
	options := server.options()
	options.KnownHostsPaths = []string{filepath.Join(t.TempDir(), "none")}
	for kind, key := range keys {
		options.HostKeyFingerprint = ssh.FingerprintSHA256(key)
		if h, err := Connect(t.Context(), options); err != nil {
			t.Errorf("%s is pinned: %v", kind, err)
		} else {
			h.Close(t.Context())
		}
	}
	options.HostKeyFingerprint = ssh.FingerprintSHA256(newSigner(t).PublicKey())
	_, err := Connect(t.Context(), options)
	if changed, ok := errors.AsType[*HostKeyChangedError](err); !ok || changed.KeyType != "ssh-ed25519" {
		t.Errorf("another server's key is pinned: %v", err)
	}
	// What fails behind the right key is told as what it is.
	options.HostKeyFingerprint = ssh.FingerprintSHA256(keys["rsa"])
	options.Password = secret("wrong")
	if _, err := Connect(t.Context(), options); !errors.Is(err, ErrAuth) {
		t.Errorf("a wrong password: %v", err)
	}
}

// A new host's key is recorded as OpenSSH would, so that a plain ssh knows it, too.
func TestNewHostIsKnownByItsBestKey(t *testing.T) {
	server, keys := threeKeys(t)
	options := server.options()
	path := filepath.Join(t.TempDir(), "known_hosts")
	options.KnownHostsPaths, options.AcceptNewHostKeys = []string{path}, true
	mustConnect(t, options)
	content, err := os.ReadFile(path)
	if want := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(keys["ed25519"]))); err != nil || !strings.Contains(string(content), want) {
		t.Errorf("%q, %v; want %s", content, err, want)
	}
}

// Lines that cannot be read, as a full disk leaves them, keep nobody out, and are told.
func TestBadLinesOfKnownHosts(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	server := serve(t, withPassword("right"))
	options := server.options()
	good, err := os.ReadFile(options.KnownHostsPaths[0])
	if err != nil {
		t.Fatal(err)
	}
	bad := "127.0.0.1 ssh-rs\ngarbage\n@revoked\n@nonsense * ssh-ed25519 AAAA\nhost ssh-ed25519 AAAAC3Nz\n# a comment\n\n"
	writeTestFile(t, options.KnownHostsPaths[0], bad+string(good)+"cut ssh-ed2", 0o600)
	var warned []string
	options.Warn = func(message string) { warned = append(warned, message) }
	mustConnect(t, options)
	for _, line := range []string{":1 ", ":2 ", ":3 ", ":4 ", ":5 ", ":9 "} {
		if !strings.Contains(strings.Join(warned, "\n"), options.KnownHostsPaths[0]+line) {
			t.Errorf("line%sis not told: %q", line, warned)
		}
	}
	// What is behind them still counts, with the line it is in.
	writeTestFile(t, options.KnownHostsPaths[0], bad+server.knownHostsLine(newSigner(t).PublicKey()), 0o600)
	if _, err := Connect(t.Context(), options); !errors.Is(err, ErrHostKeyChanged) || !strings.Contains(err.Error(), options.KnownHostsPaths[0]+":8)") {
		t.Errorf("a changed key behind bad lines: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "quorate-known-hosts-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// fullDisk takes a part of what is written.
type fullDisk struct{ content []byte }

func (d *fullDisk) Write(p []byte) (int, error) {
	d.content = append(d.content, p[:len(p)/2]...)
	return len(p) / 2, syscall.ENOSPC
}

func (d *fullDisk) Truncate(size int64) error {
	d.content = d.content[:size]
	return nil
}

// A full disk leaves no part of a line in known_hosts.
func TestKnownHostsOnAFullDisk(t *testing.T) {
	d := &fullDisk{content: []byte("old\n")}
	err := appendWhole(d, 4, "127.0.0.1 ssh-ed25519 AAAA\n")
	if !errors.Is(err, syscall.ENOSPC) || string(d.content) != "old\n" {
		t.Errorf("%v, %q", err, d.content)
	}
}
