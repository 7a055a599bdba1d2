package secret

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"github.com/quorate/quorate/internal/cluster"
)

// newIdentity writes a new identity file and returns its path and recipient.
func newIdentity(t *testing.T) (path string, recipient age.Recipient) {
	t.Helper()
	file, text, err := NewIdentity(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	path = writeFile(t, []byte(file.Reveal()))
	recipient, err = ParseRecipient(text)
	if err != nil {
		t.Fatal(err)
	}
	return path, recipient
}

func writeFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withIdentity is a resolver that has an identity file and answers questions
// about it one after another; what it was asked is in asked.
func withIdentity(path string, answers ...string) (r *Resolver, asked *[]string) {
	r = NewResolver(nil)
	r.IdentityFile = path
	r.LookupEnv = func(string) (string, bool) { return "", false }
	asked = new([]string)
	r.Prompt = func(_ context.Context, question string) (string, error) {
		*asked = append(*asked, question)
		if len(answers) == 0 {
			return "", errNoTerminal
		}
		answer := answers[0]
		answers = answers[1:]
		return answer, nil
	}
	return r, asked
}

// encryptBothWays returns a secret's two encrypted forms.
func encryptBothWays(t *testing.T, text string, recipients ...age.Recipient) (armored, line string) {
	t.Helper()
	armored, err := Encrypt(NewValue(text), recipients)
	if err != nil {
		t.Fatal(err)
	}
	line, err = EncryptOneLine(NewValue(text), recipients)
	if err != nil {
		t.Fatal(err)
	}
	return armored, line
}

func TestAgeRoundTrip(t *testing.T) {
	path, recipient := newIdentity(t)
	_, other := newIdentity(t)
	armored, line := encryptBothWays(t, password, other, recipient)
	if strings.ContainsAny(line, "\n ") {
		t.Errorf("the one line is several: %q", line)
	}
	folded := line[:100] + "\n   " + line[100:] // as YAML's |- keeps a line that an editor broke
	for name, text := range map[string]string{"armored": armored, "indented": "\n" + armored + "\n\n", "one line": line, "folded": folded} {
		if !cluster.IsAge(text) {
			t.Errorf("%s: IsAge says no", name)
		}
		r, _ := withIdentity(path)
		got, err := r.Resolve(t.Context(), cluster.Secret{Age: text}, "SSH password")
		if err != nil || got.Reveal() != password {
			t.Errorf("%s: %q, %v", name, got.Reveal(), err)
		}
	}
}

// TestAgeOwnTool checks that what age's own tool makes of a line of text, with
// the newline at its end, is the same secret.
func TestAgeOwnTool(t *testing.T) {
	path, recipient := newIdentity(t)
	armored, _ := encryptBothWays(t, password+"\n", recipient)
	r, _ := withIdentity(path)
	if got, err := r.Resolve(t.Context(), cluster.Secret{Age: armored}, "SSH password"); err != nil || got.Reveal() != password {
		t.Errorf("%q, %v", got.Reveal(), err)
	}
}

// TestAgeFailures checks that every failure names the secret and what to do,
// and shows nothing of it.
func TestAgeFailures(t *testing.T) {
	path, recipient := newIdentity(t)
	wrong, _ := newIdentity(t)
	armored, line := encryptBothWays(t, password, recipient)
	lock, err := age.NewScryptRecipient("open sesame")
	if err != nil {
		t.Fatal(err)
	}
	lock.SetWorkFactor(10)
	withPassphrase, _ := encryptBothWays(t, password, lock)
	huge := base64.StdEncoding.EncodeToString(sealed(t, strings.Repeat("x", MaxSize+1), recipient))
	flipped := []byte(line)
	flipped[len(flipped)-10] ^= 1
	headless, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, text, err string }{
		{"wrong identity", wrong, armored, "is for other keys than the one in " + wrong},
		{"no identity file", filepath.Join(t.TempDir(), "none"), armored, "quorate secret keygen"},
		{"identity is a folder", t.TempDir(), armored, "is a folder"},
		{"identity is something else", writeFile(t, []byte(password)), armored, "it holds neither age identities"},
		{"identity is empty", writeFile(t, nil), armored, "it holds neither age identities"},
		{"for a passphrase", path, withPassphrase, "is encrypted with a passphrase"},
		{"armor cut off", path, armored[:len(armored)/2], "its armor does not hold together"},
		{"armor with a bad line", path, strings.Replace(armored, "\n", "\n"+password+"!\n", 1), "its armor does not hold together"},
		{"line cut off", path, line[:len(line)-7], "not whole base64"},
		{"line cut at four", path, line[:len(line)-len(line)%4-8], "is damaged"},
		{"header alone", path, base64.StdEncoding.EncodeToString(headless[:60]), "is damaged"},
		{"flipped bit", path, string(flipped), "is damaged"},
		{"no age at all", path, password, "is not one that age made"},
		{"hostile size", path, cluster.AgeOneLine + strings.Repeat("A", 64<<20), "is larger than"},
		{"hostile header", path, base64.StdEncoding.EncodeToString([]byte("age-encryption.org/v1\n" + strings.Repeat("-> X25519 AAAA\nAAAA\n", 3000))), "is damaged"},
		{"huge secret", path, huge, "is larger than 64 KiB"},
		{"empty secret", path, base64.StdEncoding.EncodeToString(sealed(t, "\n", recipient)), "is empty"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, _ := withIdentity(test.path)
			got, err := r.Resolve(t.Context(), cluster.Secret{Age: test.text}, "SSH password of ops@cp-1")
			switch {
			case err == nil:
				t.Fatalf("no error, and the value %q", got.Reveal())
			case !strings.HasPrefix(err.Error(), "SSH password of ops@cp-1") || !strings.Contains(err.Error(), test.err):
				t.Errorf("error %q, want one with %q", err, test.err)
			case strings.Contains(err.Error(), password), len(err.Error()) > 500:
				t.Errorf("the error shows too much: %.500q", err)
			}
		})
	}
}

// sealed is a text encrypted without the checks of Encrypt.
func sealed(t *testing.T, text string, recipient age.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipient)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestEncryptRefuses(t *testing.T) {
	_, recipient := newIdentity(t)
	for _, text := range []string{"", strings.Repeat("x", MaxSize+1)} {
		if got, err := Encrypt(NewValue(text), []age.Recipient{recipient}); err == nil {
			t.Errorf("a secret of %d bytes was encrypted: %.40s", len(text), got)
		}
	}
}

// TestSSHIdentity checks SSH keys as recipients and identities, with and
// without a passphrase, asked for once by however many hosts.
func TestSSHIdentity(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := ParseRecipient(string(ssh.MarshalAuthorizedKey(sshPublic)))
	if err != nil {
		t.Fatal(err)
	}
	_, line := encryptBothWays(t, password, recipient)
	open, err := ssh.MarshalPrivateKey(private, "me@here")
	if err != nil {
		t.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(private, "me@here", []byte("open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	ref := cluster.Secret{Age: line}

	r, asked := withIdentity(writeFile(t, pem.EncodeToMemory(open)))
	if got, err := r.Resolve(t.Context(), ref, "password"); err != nil || got.Reveal() != password || len(*asked) != 0 {
		t.Errorf("open key: %q, %v, asked %q", got.Reveal(), err, *asked)
	}

	path := writeFile(t, pem.EncodeToMemory(locked))
	r, asked = withIdentity(path, "wrong", "open sesame")
	var hosts sync.WaitGroup
	for i := range 10 {
		hosts.Go(func() {
			if got, err := r.Resolve(t.Context(), ref, fmt.Sprintf("password of host %d", i)); err != nil || got.Reveal() != password {
				t.Errorf("locked key: %q, %v", got.Reveal(), err)
			}
		})
	}
	hosts.Wait()
	if want := []string{"passphrase of " + path, "wrong; passphrase of " + path}; len(*asked) != 2 || (*asked)[0] != want[0] || (*asked)[1] != want[1] {
		t.Errorf("asked %q, want %q", *asked, want)
	}

	r, asked = withIdentity(path, "a", "b", "c", "open sesame")
	for range 3 { // hosts: the passphrase is not asked for again by each
		if _, err := r.Resolve(t.Context(), ref, "password"); err == nil || !strings.Contains(err.Error(), "the passphrase is wrong") {
			t.Errorf("wrong passphrase: %v", err)
		}
	}
	if len(*asked) != passphraseTries {
		t.Errorf("asked %d times, want %d", len(*asked), passphraseTries)
	}

	r, _ = withIdentity(path)
	if _, err := r.Resolve(t.Context(), ref, "password"); err == nil || !strings.Contains(err.Error(), "no terminal") {
		t.Errorf("no terminal: %v", err)
	}
}

// TestLockedIdentityFile checks identities that are themselves encrypted with a
// passphrase, as `age-keygen | age -p` makes them.
func TestLockedIdentityFile(t *testing.T) {
	path, recipient := newIdentity(t)
	plain, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := age.NewScryptRecipient("open sesame")
	if err != nil {
		t.Fatal(err)
	}
	lock.SetWorkFactor(10)
	binary := sealed(t, string(plain), lock)
	var armored bytes.Buffer
	w := armor.NewWriter(&armored)
	if _, err := w.Write(binary); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, line := encryptBothWays(t, password, recipient)
	for name, content := range map[string][]byte{"binary": binary, "armored": armored.Bytes()} {
		r, asked := withIdentity(writeFile(t, content), "open sesame")
		if got, err := r.Resolve(t.Context(), cluster.Secret{Age: line}, "password"); err != nil || got.Reveal() != password || len(*asked) != 1 {
			t.Errorf("%s: %q, %v, asked %q", name, got.Reveal(), err, *asked)
		}
	}
	r, _ := withIdentity(writeFile(t, sealed(t, string(plain), recipient)), "open sesame")
	if _, err := r.Resolve(t.Context(), cluster.Secret{Age: line}, "password"); err == nil || !strings.Contains(err.Error(), "not with a passphrase") {
		t.Errorf("locked with a key: %v", err)
	}
}

func TestIdentityPath(t *testing.T) {
	for _, test := range []struct {
		given string
		env   map[string]string
		want  string
	}{
		{"/given", map[string]string{IdentityVariable: "/env", "HOME": "/home/me"}, "/given"},
		{"", map[string]string{IdentityVariable: "/env", "HOME": "/home/me"}, "/env"},
		{"", map[string]string{"XDG_CONFIG_HOME": "/xdg", "HOME": "/home/me"}, "/xdg/quorate/age.key"},
		{"", map[string]string{"XDG_CONFIG_HOME": "relative", "HOME": "/home/me"}, "/home/me/.config/quorate/age.key"},
		{"", nil, ""},
	} {
		got, err := IdentityPath(test.given, func(name string) (string, bool) { v, ok := test.env[name]; return v, ok })
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q, %v: %q, %v; want %q", test.given, test.env, got, err, test.want)
		}
	}
}

func TestRecipients(t *testing.T) {
	path, _ := newIdentity(t)
	identity, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	private := strings.Split(string(identity), "\n")[2]
	for _, text := range []string{"", "age1", "me@example.com", private, "ssh-ed25519 AAAA", "ecdsa-sha2-nistp256 AAAA"} {
		if _, err := ParseRecipient(text); err == nil || strings.Contains(err.Error(), private) {
			t.Errorf("%q: %v", text, err)
		}
	}
	r, _ := withIdentity(path)
	own, err := r.OwnRecipients(t.Context())
	if err != nil || len(own) != 1 {
		t.Fatalf("own recipients: %v, %v", own, err)
	}
	text := fmt.Sprint(own[0])
	list, err := ReadRecipients(writeFile(t, []byte("# team\n\n"+text+"\r\n"+text+" ")))
	if err != nil || len(list) != 2 {
		t.Errorf("recipients file: %v, %v", list, err)
	}
	for content, want := range map[string]string{"# none\n": "there is none", text + "\nnonsense\n": "line 2", private + "\n": "line 1", strings.Repeat("#\n", maxEncrypted): "larger than"} {
		if _, err := ReadRecipients(writeFile(t, []byte(content))); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), private) {
			t.Errorf("%.20q: %v, want %q", content, err, want)
		}
	}
}

// TestIdentityFileOpenToAll checks that a key that others can read is told, once.
func TestIdentityFileOpenToAll(t *testing.T) {
	path, recipient := newIdentity(t)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, line := encryptBothWays(t, password, recipient)
	r, _ := withIdentity(path)
	var warnings []string
	r.Warn = func(message string) { warnings = append(warnings, message) }
	for range 2 {
		if _, err := r.Resolve(t.Context(), cluster.Secret{Age: line}, "password"); err != nil {
			t.Error(err)
		}
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "chmod 600 "+path) {
		t.Errorf("warnings %q", warnings)
	}
}

// TestInterruptedPassphrase checks that whoever interrupts a question is told
// so, and that the key is not given up for that.
func TestInterruptedPassphrase(t *testing.T) {
	path, recipient := newIdentity(t)
	plain, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := age.NewScryptRecipient("open sesame")
	if err != nil {
		t.Fatal(err)
	}
	lock.SetWorkFactor(10)
	_, line := encryptBothWays(t, password, recipient)
	r, _ := withIdentity(writeFile(t, sealed(t, string(plain), lock)))
	interrupted := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	r.Prompt = func(ctx context.Context, _ string) (string, error) {
		cancel(interrupted)
		return "", context.Cause(ctx)
	}
	if _, err := r.Resolve(ctx, cluster.Secret{Age: line}, "password"); !errors.Is(err, interrupted) {
		t.Errorf("%v", err)
	}
	r.Prompt = func(context.Context, string) (string, error) { return "open sesame", nil }
	if got, err := r.Resolve(t.Context(), cluster.Secret{Age: line}, "password"); err != nil || got.Reveal() != password {
		t.Errorf("afterwards: %q, %v", got.Reveal(), err)
	}
}

// FuzzAge feeds encrypted values that are none.
func FuzzAge(f *testing.F) {
	f.Add(cluster.AgeOneLine)
	f.Add(cluster.AgeArmor + "\nYWdlLWVuY3J5cHRpb24ub3JnL3Yx\n-----END AGE ENCRYPTED FILE-----\n")
	f.Add(base64.StdEncoding.EncodeToString([]byte("age-encryption.org/v1\n-> X25519 AAAA\nAAAA\n--- AAAA\n")))
	file, _, err := NewIdentity(time.Now())
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "age.key")
	if err := os.WriteFile(path, []byte(file.Reveal()), 0o600); err != nil {
		f.Fatal(err)
	}
	r, _ := withIdentity(path)
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := r.Resolve(t.Context(), cluster.Secret{Age: text}, "x"); err == nil && text != "" {
			t.Errorf("%q decrypts to %q", text, got.Reveal())
		}
	})
}
