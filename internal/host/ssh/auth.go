package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// credentials are what a host is offered to let the user in.
type credentials struct {
	ctx      context.Context
	options  *Options
	password func() (string, error) // asks once

	mu     sync.Mutex
	tried  []string
	failed error    // why what was named could not be offered at all
	agent  net.Conn // to ssh-agent; nil when it is not used
}

func newCredentials(ctx context.Context, options *Options) *credentials {
	c := &credentials{ctx: ctx, options: options}
	c.password = sync.OnceValues(func() (string, error) {
		password, err := options.Password(ctx)
		return password, c.cannot(err)
	})
	return c
}

// cannot keeps why something could not be offered: the SSH library would give
// it out as a failure of the handshake, and the host has no part in it.
func (c *credentials) cannot(err error) error {
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.failed = err
	}
	return err
}

// failure is what cannot kept, or nil.
func (c *credentials) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// close ends the connection to ssh-agent; its keys cannot sign any more.
func (c *credentials) close() {
	if c.agent != nil {
		c.agent.Close()
	}
}

// methods are the ways to authenticate, in the order OpenSSH has.
func (c *credentials) methods() []ssh.AuthMethod {
	methods := []ssh.AuthMethod{ssh.PublicKeysCallback(c.keys)}
	if c.options.Password != nil {
		methods = append(methods,
			ssh.PasswordCallback(func() (string, error) {
				c.note("password")
				return c.password()
			}),
			ssh.KeyboardInteractive(c.answerQuestions))
	}
	return methods
}

func (c *credentials) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tried = append(c.tried, what)
}

// answerQuestions gives the password to a server that asks for it as a
// question, which is how PAM does.
func (c *credentials) answerQuestions(_, _ string, questions []string, echos []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i := range questions {
		if echos[i] {
			continue // not a secret, so not the password
		}
		c.note("password (keyboard-interactive)")
		password, err := c.password()
		if err != nil {
			return nil, err
		}
		answers[i] = password
	}
	return answers, nil
}

// keys are the keys to offer: those that were named first.
func (c *credentials) keys() ([]ssh.Signer, error) {
	var signers []ssh.Signer
	named := c.options.PrivateKeyPath != "" || len(c.options.PrivateKey) > 0
	if len(c.options.PrivateKey) > 0 {
		signer, err := c.parse("the given key", c.options.PrivateKey)
		if err != nil {
			return nil, c.cannot(err)
		}
		signers = append(signers, signer)
	}
	if path := c.options.PrivateKeyPath; path != "" {
		signer, err := c.load(expandHome(path))
		if err != nil {
			return nil, c.cannot(err)
		}
		signers = append(signers, signer)
	}
	fallback := !named && c.options.Password == nil
	if c.options.UseAgent || fallback {
		signers = append(signers, c.agentKeys()...)
	}
	if fallback {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			path := expandHome(filepath.Join("~/.ssh", name))
			signer, err := c.load(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				c.note(err.Error())
				continue
			}
			signers = append(signers, signer)
		}
	}
	return signers, nil
}

// load reads a key file.
func (c *credentials) load(path string) (ssh.Signer, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the private key: %w; check privateKeyPath", err)
	}
	return c.parse(path, content)
}

// parse reads a private key. An encrypted one whose public half is readable
// asks for its passphrase only when the server wants a signature.
func (c *credentials) parse(name string, content []byte) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey(content)
	locked, ok := errors.AsType[*ssh.PassphraseMissingError](err)
	switch {
	case err == nil:
		return &notingSigner{signer, c, "key " + name}, nil
	case !ok:
		return nil, fmt.Errorf("%s is not a private key that can be read: %w; check privateKeyPath", name, err)
	case c.options.Passphrase == nil:
		return nil, fmt.Errorf("key %s is encrypted and no passphrase was given: give it, or add the key to ssh-agent", name)
	}
	unlock := sync.OnceValues(func() (ssh.Signer, error) {
		passphrase, err := c.options.Passphrase(c.ctx)
		if err != nil {
			return nil, c.cannot(err)
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(content, []byte(passphrase))
		if err != nil {
			c.note("key " + name + " (wrong passphrase)")
			return nil, fmt.Errorf("the passphrase does not open key %s: %w", name, err)
		}
		return signer, nil
	})
	if locked.PublicKey == nil {
		signer, err := unlock()
		if err != nil {
			return nil, err
		}
		return &notingSigner{signer, c, "key " + name}, nil
	}
	return &notingSigner{&lockedSigner{locked.PublicKey, unlock}, c, "key " + name}, nil
}

// agentKeys are the keys of ssh-agent, none when it does not answer.
func (c *credentials) agentKeys() []ssh.Signer {
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(c.ctx, "unix", socket)
	if err != nil {
		c.note("ssh-agent (does not answer: " + err.Error() + ")")
		return nil
	}
	c.agent = conn
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		c.note("ssh-agent (" + err.Error() + ")")
		return nil
	}
	for i, signer := range signers {
		signers[i] = &notingSigner{signer, c, "ssh-agent's key " + ssh.FingerprintSHA256(signer.PublicKey())}
	}
	return signers
}

// notingSigner notes that its key was offered.
type notingSigner struct {
	ssh.Signer
	credentials *credentials
	what        string
}

func (s *notingSigner) PublicKey() ssh.PublicKey {
	s.credentials.mu.Lock()
	defer s.credentials.mu.Unlock()
	tried := s.credentials.tried
	if len(tried) == 0 || tried[len(tried)-1] != s.what {
		s.credentials.tried = append(tried, s.what)
	}
	return s.Signer.PublicKey()
}

// SignWithAlgorithm lets RSA keys sign with SHA-2.
func (s *notingSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	if signer, ok := s.Signer.(ssh.AlgorithmSigner); ok {
		return signer.SignWithAlgorithm(rand, data, algorithm)
	}
	return s.Signer.Sign(rand, data)
}

// lockedSigner is an encrypted key that is opened when it has to sign.
type lockedSigner struct {
	public ssh.PublicKey
	unlock func() (ssh.Signer, error)
}

func (s *lockedSigner) PublicKey() ssh.PublicKey { return s.public }

func (s *lockedSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

func (s *lockedSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := s.unlock()
	if err != nil {
		return nil, err
	}
	if with, ok := signer.(ssh.AlgorithmSigner); ok {
		return with.SignWithAlgorithm(rand, data, algorithm)
	}
	return signer.Sign(rand, data)
}
