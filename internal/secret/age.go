package secret

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/quorate/quorate/internal/cluster"
)

// maxEncrypted is the size in bytes of the largest encrypted text that is
// looked at: the largest secret in base64, with room for many recipients.
const maxEncrypted = 2 * MaxSize

// Encrypt encrypts a value for recipients, any of whom can decrypt it, and
// returns age's armored text of several lines.
func Encrypt(value Value, recipients []age.Recipient) (string, error) {
	var out bytes.Buffer
	w := armor.NewWriter(&out)
	if err := encrypt(w, value, recipients); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("encrypting: %w", err)
	}
	return out.String(), nil
}

// EncryptOneLine is Encrypt in one line of base64, which fits behind a key.
func EncryptOneLine(value Value, recipients []age.Recipient) (string, error) {
	var out bytes.Buffer
	if err := encrypt(&out, value, recipients); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), nil
}

func encrypt(out io.Writer, value Value, recipients []age.Recipient) error {
	switch {
	case value.IsZero():
		return errors.New("the secret is empty")
	case len(value.Reveal()) > MaxSize:
		return fmt.Errorf("the secret is larger than %d KiB", MaxSize>>10)
	}
	w, err := age.Encrypt(out, recipients...)
	if err == nil {
		_, err = io.WriteString(w, value.Reveal())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("encrypting: %w", err)
	}
	return nil
}

// fromAge decrypts a value that stands encrypted in the cluster file.
func (r *Resolver) fromAge(ctx context.Context, text, what string) (Value, error) {
	const anew = "encrypt the secret anew with `quorate secret encrypt`"
	sealed, err := unwrapText(text)
	if err != nil {
		return Value{}, fmt.Errorf("%s: the encrypted value (age) %w: copy it again, whole, or %s", what, err, anew)
	}
	keys, err := r.identities(ctx)
	if err != nil {
		return Value{}, fmt.Errorf("%s is encrypted with age: %w", what, err)
	}
	var plain []byte
	in, err := age.Decrypt(bytes.NewReader(sealed), keys.list...)
	if err == nil {
		plain, err = io.ReadAll(io.LimitReader(in, MaxSize+1))
	}
	if noMatch, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		if len(noMatch.StanzaTypes) == 1 && noMatch.StanzaTypes[0] == "scrypt" {
			return Value{}, fmt.Errorf("%s: the encrypted value (age) is encrypted with a passphrase, not for a key: %s", what, anew)
		}
		return Value{}, fmt.Errorf("%s: the encrypted value (age) is for other keys than the one in %s: give the right one with --identity or %s, or %s",
			what, keys.path, IdentityVariable, anew)
	}
	if err != nil {
		return Value{}, fmt.Errorf("%s: the encrypted value (age) is damaged (%w): copy it again, whole, or %s", what, err, anew)
	}
	value := trimLine(plain)
	switch {
	case len(plain) > MaxSize:
		return Value{}, fmt.Errorf("%s: the encrypted value (age) is larger than %d KiB", what, MaxSize>>10)
	case value == "":
		return Value{}, fmt.Errorf("%s: the encrypted value (age) is empty: %s", what, anew)
	}
	return NewValue(value), nil
}

// unwrapText makes age's bytes of one of their two forms as text. Its errors
// hold no part of the text: it may be a secret put in the wrong place.
func unwrapText(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	switch {
	case len(text) > maxEncrypted:
		return nil, fmt.Errorf("is larger than %d KiB", maxEncrypted>>10)
	case strings.HasPrefix(text, cluster.AgeArmor):
		sealed, err := io.ReadAll(armor.NewReader(strings.NewReader(text)))
		if err != nil {
			return nil, errors.New("is damaged: its armor does not hold together")
		}
		return sealed, nil
	case strings.HasPrefix(text, cluster.AgeOneLine):
		sealed, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, errors.New("is damaged: it is not whole base64")
		}
		return sealed, nil
	}
	return nil, errors.New("is not one that age made")
}
