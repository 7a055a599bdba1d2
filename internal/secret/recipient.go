package secret

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
)

// ParseRecipient reads a public key that secrets are encrypted for: age1…, or
// an SSH public key of type ssh-ed25519 or ssh-rsa.
func ParseRecipient(text string) (age.Recipient, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "ssh-") {
		recipient, err := agessh.ParseRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("this SSH public key cannot be used; Ed25519 and RSA keys can: %w", err)
		}
		return recipient, nil
	}
	// Its errors do not quote the text: it may be a private key by mistake.
	list, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil || len(list) != 1 {
		return nil, errors.New("it is no public key: give age1… as `quorate secret keygen` prints it, or ssh-ed25519 … or ssh-rsa …")
	}
	return list[0], nil
}

// ReadRecipients reads a file of public keys, one a line; empty lines and those
// that begin with # do not count. An authorized_keys file without options is
// one.
func ReadRecipients(path string) ([]age.Recipient, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading recipients: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxEncrypted+1))
	if err != nil {
		return nil, fmt.Errorf("reading recipients: %w", err)
	}
	if len(data) > maxEncrypted {
		return nil, fmt.Errorf("recipients in %s: the file is larger than %d KiB", path, maxEncrypted>>10)
	}
	var list []age.Recipient
	for i, line := range bytes.Split(data, []byte("\n")) {
		text := strings.TrimSpace(string(line))
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		recipient, err := ParseRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("recipients in %s, line %d: %w", path, i+1, err)
		}
		list = append(list, recipient)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("recipients in %s: there is none in it", path)
	}
	return list, nil
}

// OwnRecipients are the public halves of the private keys that the resolver
// decrypts with.
func (r *Resolver) OwnRecipients(ctx context.Context) ([]age.Recipient, error) {
	keys, err := r.identities(ctx)
	if err != nil {
		return nil, err
	}
	var list []age.Recipient
	for _, key := range keys.list {
		switch key := key.(type) {
		case *age.X25519Identity:
			list = append(list, key.Recipient())
		case *age.HybridIdentity:
			list = append(list, key.Recipient())
		case *agessh.Ed25519Identity:
			list = append(list, key.Recipient())
		case *agessh.RSAIdentity:
			list = append(list, key.Recipient())
		default:
			return nil, fmt.Errorf("the public half of a key in %s is not known: name it with --recipient", keys.path)
		}
	}
	return list, nil
}

// sshKeyIdentity makes an identity of an unlocked SSH private key.
func sshKeyIdentity(raw any) (age.Identity, error) {
	switch key := raw.(type) {
	case *ed25519.PrivateKey:
		return agessh.NewEd25519Identity(*key)
	case ed25519.PrivateKey:
		return agessh.NewEd25519Identity(key)
	case *rsa.PrivateKey:
		return agessh.NewRSAIdentity(key)
	}
	return nil, fmt.Errorf("this kind of SSH key cannot be used (%T); Ed25519 and RSA keys can", raw)
}
