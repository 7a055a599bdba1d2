package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"github.com/quorate/quorate/internal/cluster"
)

// IdentityVariable is the environment variable that names the identity file.
const IdentityVariable = "QUORATE_AGE_IDENTITY_FILE"

// passphraseTries is how often a passphrase that is wrong is asked for.
const passphraseTries = 3

// identities are the private keys that values are decrypted with.
type identities struct {
	list []age.Identity
	path string // the file they come from, for messages
}

// IdentityPath is the identity file that is used: the one given, else the one
// that the environment variable IdentityVariable names, else
// ~/.config/quorate/age.key (XDG_CONFIG_HOME counts). lookup reads the
// environment.
func IdentityPath(given string, lookup func(string) (string, bool)) (string, error) {
	if given != "" {
		return given, nil
	}
	if path, ok := lookup(IdentityVariable); ok && path != "" {
		return path, nil
	}
	if folder, ok := lookup("XDG_CONFIG_HOME"); ok && filepath.IsAbs(folder) {
		return filepath.Join(folder, "quorate", "age.key"), nil
	}
	if home, ok := lookup("HOME"); ok && home != "" {
		return filepath.Join(home, ".config", "quorate", "age.key"), nil
	}
	return "", fmt.Errorf("your home folder is not known: name the identity file with --identity or %s", IdentityVariable)
}

// identities reads the identity file, once, asking for its passphrase if it has
// one.
func (r *Resolver) identities(ctx context.Context) (identities, error) {
	if err := r.take(ctx); err != nil {
		return identities{}, err
	}
	defer r.give()
	if r.keys == nil && r.keysErr == nil {
		keys, err := r.readIdentities(ctx)
		if ctx.Err() != nil {
			return identities{}, context.Cause(ctx)
		}
		r.keys, r.keysErr = &keys, err
	}
	if r.keysErr != nil {
		return identities{}, r.keysErr
	}
	return *r.keys, nil
}

// readIdentities reads the identity file; the caller has the resolver's token.
func (r *Resolver) readIdentities(ctx context.Context) (identities, error) {
	path, err := IdentityPath(r.IdentityFile, r.LookupEnv)
	if err != nil {
		return identities{}, err
	}
	data, warning, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return identities{}, fmt.Errorf("there is no identity file %s: name yours with --identity or %s, or make one with `quorate secret keygen`", path, IdentityVariable)
	}
	if err != nil {
		return identities{}, err
	}
	r.warnOnce(path, warning)
	list, err := r.parseIdentities(ctx, data, path)
	if err != nil {
		return identities{}, fmt.Errorf("the identity file %s: %w", path, err)
	}
	return identities{list, path}, nil
}

// parseIdentities takes what age's own tool takes: age identities, one a line,
// the same encrypted with a passphrase, or an SSH private key.
func (r *Resolver) parseIdentities(ctx context.Context, data []byte, path string) ([]age.Identity, error) {
	text := bytes.TrimSpace(data)
	switch {
	case bytes.HasPrefix(text, []byte(cluster.AgeArmor)):
		return r.openIdentities(ctx, armor.NewReader(bytes.NewReader(text)), path)
	case bytes.HasPrefix(data, []byte("age-encryption.org/v1\n")):
		return r.openIdentities(ctx, bytes.NewReader(data), path)
	case bytes.HasPrefix(text, []byte("-----BEGIN")):
		key, err := r.sshIdentity(ctx, data, path)
		return []age.Identity{key}, err
	}
	list, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("it holds neither age identities (AGE-SECRET-KEY-1…) nor an SSH private key (%w)", err)
	}
	return list, nil
}

// openIdentities decrypts identities that are encrypted with a passphrase.
func (r *Resolver) openIdentities(ctx context.Context, sealed io.Reader, path string) ([]age.Identity, error) {
	data, err := io.ReadAll(io.LimitReader(sealed, maxEncrypted))
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	var list []age.Identity
	err = r.tryPassphrases(ctx, path, func(passphrase string) error {
		lock, err := age.NewScryptIdentity(passphrase)
		if err != nil {
			return err
		}
		plain, err := age.Decrypt(bytes.NewReader(data), lock)
		if noMatch, ok := errors.AsType[*age.NoIdentityMatchError](err); ok && (len(noMatch.StanzaTypes) != 1 || noMatch.StanzaTypes[0] != "scrypt") {
			return errors.New("it is encrypted, but not with a passphrase")
		} else if ok {
			return errWrongPassphrase
		}
		if err != nil {
			return err
		}
		list, err = age.ParseIdentities(plain)
		return err
	})
	return list, err
}

// sshIdentity makes an identity of an SSH private key.
func (r *Resolver) sshIdentity(ctx context.Context, pem []byte, path string) (age.Identity, error) {
	key, err := agessh.ParseIdentity(pem)
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); !locked {
		if err != nil {
			return nil, fmt.Errorf("this SSH key cannot be used; Ed25519 and RSA keys can (%w)", err)
		}
		return key, nil
	}
	err = r.tryPassphrases(ctx, path, func(passphrase string) error {
		raw, err := ssh.ParseRawPrivateKeyWithPassphrase(pem, []byte(passphrase))
		if err != nil {
			return errWrongPassphrase
		}
		key, err = sshKeyIdentity(raw)
		return err
	})
	return key, err
}

// errWrongPassphrase is the one failure after which it is worth asking again.
var errWrongPassphrase = errors.New("the passphrase is wrong")

// tryPassphrases asks for a file's passphrase until it opens it, a few times.
func (r *Resolver) tryPassphrases(ctx context.Context, path string, open func(passphrase string) error) error {
	question := "passphrase of " + path
	for try := 1; ; try++ {
		passphrase, err := r.Prompt(ctx, question)
		if err != nil {
			return fmt.Errorf("it is locked with a passphrase: %w", err)
		}
		err = open(passphrase)
		if !errors.Is(err, errWrongPassphrase) || try == passphraseTries {
			return err
		}
		question = "wrong; passphrase of " + path
	}
}

// NewIdentity makes a new private key. The file is what is to be written, with
// mode 0600; the recipient is the public half, which is no secret.
func NewIdentity(now time.Time) (file Value, recipient string, err error) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return Value{}, "", fmt.Errorf("making a key: %w", err)
	}
	recipient = key.Recipient().String()
	text := fmt.Sprintf("# created: %s\n# public key: %s\n%s\n", now.UTC().Format(time.RFC3339), recipient, key)
	return NewValue(text), recipient, nil
}

// trimLine is a text without the newline at its end.
func trimLine(data []byte) string {
	text, _ := strings.CutSuffix(string(data), "\n")
	text, _ = strings.CutSuffix(text, "\r")
	return text
}
