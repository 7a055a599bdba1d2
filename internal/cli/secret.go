package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/quorate/quorate/internal/secret"
)

// identityFlag adds --identity, which every command has that may have to
// decrypt a value of the cluster file.
func identityFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "identity", "",
		"the private key file for secrets encrypted with age (default: $"+secret.IdentityVariable+", or ~/.config/quorate/age.key)")
}

func newSecretCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Encrypt passwords for the cluster file",
		Long: `Passwords can stand in the cluster file encrypted with age, so that the file can
be kept in a repository: only who has the private key (the identity file) can
use them.`,
		Example: `  quorate secret keygen                        # once: makes your key
  quorate secret encrypt                       # asks for the password
  quorate secret encrypt -r age1… -R team.txt  # for colleagues too`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSecretEncryptCommand(), newSecretKeygenCommand())
	return cmd
}

// encryptOptions are the flags of `secret encrypt`.
type encryptOptions struct {
	recipients     []string
	recipientFiles []string
	identityFile   string
	armor          bool
}

func newSecretEncryptCommand() *cobra.Command {
	o := encryptOptions{}
	cmd := &cobra.Command{
		Use:   "encrypt",
		Short: "Encrypt a password, to stand in the cluster file",
		Long: `Asks for a secret on the terminal, twice and without showing it, or reads it from
standard input when that is no terminal, and prints it encrypted: what stands
behind passwordFrom, sudoPasswordFrom or privateKeyPassphraseFrom in the cluster
file.

Every recipient can decrypt it. Recipients are age public keys (age1…) and SSH
public keys (ssh-ed25519 …, ssh-rsa …). With none named, it is your own key, the
one of the identity file.`,
		Example: `  quorate secret encrypt
  pass show servers/sudo | quorate secret encrypt -r age1…
  quorate secret encrypt -R ~/.ssh/id_ed25519.pub --armor`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSecretEncrypt(cmd.Context(), o, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.recipients, "recipient", "r", nil, "a public key that can decrypt the secret; may be repeated")
	f.StringArrayVarP(&o.recipientFiles, "recipients-file", "R", nil, "a file of public keys, one a line; may be repeated")
	f.BoolVar(&o.armor, "armor", false, "print age's own text of several lines instead of one long line")
	identityFlag(cmd, &o.identityFile)
	return cmd
}

func runSecretEncrypt(ctx context.Context, o encryptOptions, stdin io.Reader, stdout, stderr io.Writer) error {
	resolver := secret.NewResolver(func(message string) { fmt.Fprintln(stderr, "warning:", message) })
	resolver.IdentityFile = o.identityFile
	recipients, err := o.publicKeys(ctx, resolver)
	if err != nil {
		return err
	}
	value, err := readSecret(ctx, stdin, resolver.Prompt)
	if err != nil {
		return err
	}
	if !o.armor {
		text, err := secret.EncryptOneLine(value, recipients)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "{age: %s}\n", text)
		return err
	}
	text, err := secret.Encrypt(value, recipients)
	if err != nil {
		return err
	}
	// Indented as it has to be behind a key, how deep does not matter.
	_, err = fmt.Fprintf(stdout, "age: |\n  %s\n", strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  "))
	return err
}

// publicKeys are the keys that the secret is encrypted for.
func (o encryptOptions) publicKeys(ctx context.Context, own *secret.Resolver) ([]age.Recipient, error) {
	if len(o.recipients) == 0 && len(o.recipientFiles) == 0 {
		list, err := own.OwnRecipients(ctx)
		if err != nil {
			return nil, fmt.Errorf("no recipient is named, and your own key cannot be used: %w", err)
		}
		return list, nil
	}
	var list []age.Recipient
	for _, text := range o.recipients {
		recipient, err := secret.ParseRecipient(text)
		if err != nil {
			return nil, usageError(fmt.Errorf("--recipient: %w", err))
		}
		list = append(list, recipient)
	}
	for _, path := range o.recipientFiles {
		more, err := secret.ReadRecipients(path)
		if err != nil {
			return nil, usageError(err)
		}
		list = append(list, more...)
	}
	return list, nil
}

// readSecret reads a secret from a pipe, or asks for it, twice, on the terminal.
func readSecret(ctx context.Context, stdin io.Reader, prompt func(context.Context, string) (string, error)) (secret.Value, error) {
	if f, ok := stdin.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		data, err := io.ReadAll(io.LimitReader(stdin, secret.MaxSize+1))
		if err != nil {
			return secret.Value{}, fmt.Errorf("reading the secret from standard input: %w", err)
		}
		text, _ := strings.CutSuffix(string(data), "\n")
		text, _ = strings.CutSuffix(text, "\r")
		return secret.NewValue(text), nil
	}
	first, err := prompt(ctx, "secret")
	if err != nil {
		return secret.Value{}, err
	}
	again, err := prompt(ctx, "the same again")
	if err != nil {
		return secret.Value{}, err
	}
	if first != again {
		return secret.Value{}, errors.New("the two differ; nothing was encrypted")
	}
	return secret.NewValue(first), nil
}

func newSecretKeygenCommand() *cobra.Command {
	path := ""
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make your key for encrypted passwords",
		Long: `Makes a private key, writes it to the identity file, readable for you alone, and
prints its public key, the recipient, which is no secret. A file that exists is
never written over. Keep a copy of it: without it, what was encrypted for it
cannot be read.`,
		Example: `  quorate secret keygen
  quorate secret keygen -o /media/stick/age.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSecretKeygen(path, os.LookupEnv, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&path, "output", "o", "", "the file to write (default: $"+secret.IdentityVariable+", or ~/.config/quorate/age.key)")
	return cmd
}

func runSecretKeygen(path string, lookup func(string) (string, bool), stdout, stderr io.Writer) error {
	path, err := secret.IdentityPath(path, lookup)
	if err != nil {
		return err
	}
	file, recipient, err := secret.NewIdentity(time.Now())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder of the identity file: %w", err)
	}
	if err := writeNew(path, []byte(file.Reveal())); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Your private key is in %s. Keep a copy of it in a safe place.\nIts public key is:\n", path)
	_, err = fmt.Fprintln(stdout, recipient)
	return err
}
