package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/secret"
)

// keygen makes a key in a new folder and returns its file and public key.
func keygen(t *testing.T) (path, recipient string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "quorate", "age.key")
	lookup := func(name string) (string, bool) { return path, name == secret.IdentityVariable }
	var out bytes.Buffer
	if err := runSecretKeygen("", lookup, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	return path, strings.TrimSpace(out.String())
}

func TestSecretKeygen(t *testing.T) {
	path, recipient := keygen(t)
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): os.ModeDir | 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	before, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(before), "# public key: "+recipient+"\n") {
		t.Errorf("the file does not name %s, or %v", recipient, err)
	}
	var out, talk bytes.Buffer
	err = runSecretKeygen(path, os.LookupEnv, &out, &talk)
	if err == nil || !strings.Contains(err.Error(), "not written over") {
		t.Errorf("a second key: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the first key is gone")
	}
}

// TestSecretEncrypt checks that what is printed can be put behind passwordFrom
// as it is, and is then what was typed, for each recipient.
func TestSecretEncrypt(t *testing.T) {
	const password = "hunter2 # {not: yaml}"
	mine, _ := keygen(t)
	theirs, recipient := keygen(t)
	file := filepath.Join(t.TempDir(), "team.txt")
	if err := os.WriteFile(file, []byte("# team\n"+recipient+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		o        encryptOptions
		identity string
	}{
		"own key":         {encryptOptions{identityFile: mine}, mine},
		"armor":           {encryptOptions{identityFile: mine, armor: true}, mine},
		"recipient":       {encryptOptions{recipients: []string{recipient}}, theirs},
		"recipients file": {encryptOptions{recipientFiles: []string{file}, armor: true}, theirs},
	} {
		t.Run(name, func(t *testing.T) {
			var out, talk bytes.Buffer
			if err := runSecretEncrypt(t.Context(), test.o, strings.NewReader(password+"\r\n"), &out, &talk); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String()+talk.String(), "hunter2") {
				t.Error("the password shows")
			}
			text := "apiVersion: quorate.dev/v1alpha1\nkind: Cluster\nspec:\n  hosts: [{name: a, address: 10.0.0.1, roles: [control-plane, worker]}]\n  ssh:\n    passwordFrom:\n      " +
				strings.ReplaceAll(out.String(), "\n", "\n      ")
			c, list := config.Parse("x.yaml", []byte(text), config.Options{DefaultKubernetes: "v1.37.1"})
			if c == nil || len(list) > 0 {
				t.Fatalf("%v in\n%s", list, text)
			}
			r := secret.NewResolver(nil)
			r.IdentityFile = test.identity
			if got, err := r.Resolve(t.Context(), c.Hosts[0].SSH.Password, "password"); err != nil || got.Reveal() != password {
				t.Errorf("%q, %v; want %q", got.Reveal(), err, password)
			}
		})
	}
}

func TestSecretEncryptRefuses(t *testing.T) {
	mine, recipient := keygen(t)
	for name, test := range map[string]struct {
		o           encryptOptions
		stdin, want string
	}{
		"nothing typed":   {encryptOptions{identityFile: mine}, "\n", "is empty"},
		"too large":       {encryptOptions{identityFile: mine}, strings.Repeat("x", secret.MaxSize+2), "larger than"},
		"no key":          {encryptOptions{identityFile: mine + ".none"}, "x", "quorate secret keygen"},
		"wrong recipient": {encryptOptions{recipients: []string{recipient + "x"}}, "x", "--recipient"},
		"wrong file":      {encryptOptions{recipientFiles: []string{mine}}, "x", "line 3"},
	} {
		var out bytes.Buffer
		err := runSecretEncrypt(t.Context(), test.o, strings.NewReader(test.stdin), &out, io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) || out.Len() > 0 {
			t.Errorf("%s: %v and %q; want %q", name, err, &out, test.want)
		}
	}
}

// TestReadSecretAsksTwice checks that what is typed must be typed alike.
func TestReadSecretAsksTwice(t *testing.T) {
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	defer user.Close()
	for _, test := range []struct{ first, again string }{{"hunter2", "hunter2"}, {"hunter2", "hunter3"}} {
		answers := []string{test.first, test.again}
		got, err := readSecret(t.Context(), user, func(context.Context, string) (string, error) {
			answer := answers[0]
			answers = answers[1:]
			return answer, nil
		})
		if same := test.first == test.again; same && got.Reveal() != test.first || same != (err == nil) || err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("%v: %q, %v", test, got.Reveal(), err)
		}
	}
}
