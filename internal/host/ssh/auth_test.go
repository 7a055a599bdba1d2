package ssh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/quorate/quorate/internal/host"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// mustConnect connects, checks that the agent answers, and disconnects.
func mustConnect(t *testing.T, options Options) {
	t.Helper()
	h, err := Connect(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	if _, err := h.ReadFile(t.Context(), "/proc/version"); err != nil {
		t.Error(err)
	}
}

func TestPassword(t *testing.T) {
	server := serve(t, withPassword("right"))
	mustConnect(t, server.options())

	options := server.options()
	options.Password = secret("wrong-Qx7")
	_, err := Connect(t.Context(), options)
	if !errors.Is(err, ErrAuth) || !strings.HasPrefix(err.Error(), "cp-1: ") || !strings.Contains(err.Error(), "tried password") {
		t.Errorf("wrong password: %v", err)
	}
	if strings.Contains(err.Error(), "Qx7") {
		t.Errorf("the password is in the error: %v", err)
	}
}

func TestKeyboardInteractive(t *testing.T) {
	server := serve(t, func(s *testServer) {
		s.config.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("root", "", []string{"Password: "}, []bool{false})
			if err != nil || len(answers) != 1 || answers[0] != "right" {
				return nil, errors.New("no")
			}
			return nil, nil
		}
	})
	mustConnect(t, server.options())
}

// keyPair is a user's key, as a file's content and as the server knows it.
func keyPair(t *testing.T, passphrase string) (private []byte, public ssh.PublicKey, raw ed25519.PrivateKey) {
	t.Helper()
	_, raw, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(raw, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(raw, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block), signer.PublicKey(), raw
}

func withKey(key *ssh.PublicKey) func(*testServer) {
	return func(s *testServer) {
		s.config.PublicKeyCallback = func(_ ssh.ConnMetadata, offered ssh.PublicKey) (*ssh.Permissions, error) {
			if *key == nil || !bytes.Equal(offered.Marshal(), (*key).Marshal()) {
				return nil, errors.New("unknown key")
			}
			return nil, nil
		}
	}
}

func TestKeys(t *testing.T) {
	plain, plainPublic, _ := keyPair(t, "")
	locked, lockedPublic, _ := keyPair(t, "open sesame")
	var accepted ssh.PublicKey
	server := serve(t, withKey(&accepted))
	var asked atomic.Int32
	passphrase := func(right string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { asked.Add(1); return right, nil }
	}
	options := func(private []byte) Options {
		o := server.options()
		o.Password, o.PrivateKey = nil, private
		return o
	}

	accepted = plainPublic
	mustConnect(t, options(plain))

	o := options(nil)
	o.PrivateKeyPath = filepath.Join(t.TempDir(), "key")
	writeTestFile(t, o.PrivateKeyPath, string(plain), 0o600)
	mustConnect(t, o)

	o = options(locked)
	o.Passphrase = passphrase("open sesame")
	if _, err := Connect(t.Context(), o); !errors.Is(err, ErrAuth) || asked.Load() != 0 {
		t.Errorf("a key that the server does not know: %v, passphrase asked %d times", err, asked.Load())
	}
	accepted = lockedPublic
	mustConnect(t, o)
	if asked.Load() != 1 {
		t.Errorf("the passphrase was asked for %d times", asked.Load())
	}
	o.Passphrase = passphrase("wrong")
	if _, err := Connect(t.Context(), o); err == nil || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("wrong passphrase: %v", err)
	}
	o.Passphrase = nil
	if _, err := Connect(t.Context(), o); err == nil || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("no passphrase: %v", err)
	}
	if _, err := Connect(t.Context(), options([]byte("not a key"))); err == nil || !strings.Contains(err.Error(), "private key") {
		t.Errorf("garbage: %v", err)
	}
	o = options(nil)
	o.PrivateKeyPath = "/nonexistent/key"
	if _, err := Connect(t.Context(), o); err == nil || !strings.Contains(err.Error(), "/nonexistent/key") {
		t.Errorf("missing key file: %v", err)
	}
}

func TestAgentKeys(t *testing.T) {
	_, public, raw := keyPair(t, "")
	server := serve(t, withKey(&public))
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: raw}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				agent.ServeAgent(keyring, conn)
			}()
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", socket)
	options := server.options()
	options.Password, options.UseAgent = nil, true
	mustConnect(t, options)

	keyring.RemoveAll()
	if _, err := Connect(t.Context(), options); !errors.Is(err, ErrAuth) {
		t.Errorf("an empty agent: %v", err)
	}
}

func TestNothingToOffer(t *testing.T) {
	var none ssh.PublicKey
	server := serve(t, withKey(&none))
	t.Setenv("HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	options := server.options()
	options.Password = nil
	_, err := Connect(t.Context(), options)
	if !errors.Is(err, ErrAuth) || !strings.Contains(err.Error(), "no key file, no ssh-agent and no password") {
		t.Errorf("%v", err)
	}
}

// What this machine cannot offer is told in its own words, and not as a host
// that cannot be reached.
func TestWhatCannotBeOffered(t *testing.T) {
	var accepted ssh.PublicKey // none: what matters is that keys are asked for
	server := serve(t, func(s *testServer) {
		withPassword("right")(s)
		withKey(&accepted)(s)
	})
	unset := errors.New("environment variable X is not set")
	for name, spoil := range map[string]func(*Options){
		"no terminal": func(o *Options) {
			o.Password = func(context.Context) (string, error) { return "", unset }
		},
		"no key file": func(o *Options) {
			o.Password, o.PrivateKeyPath = nil, "/nonexistent/key"
		},
	} {
		t.Run(name, func(t *testing.T) {
			options := server.options()
			spoil(&options)
			_, err := Connect(t.Context(), options)
			if err == nil || errors.Is(err, host.ErrUnreachable) || strings.Contains(err.Error(), "handshake") {
				t.Fatalf("error %v", err)
			}
			if !errors.Is(err, unset) && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the cause is lost: %v", err)
			}
		})
	}
}
