package agent

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// Whether a key belongs to its certificate is told; the key is not.
func TestKeyOfACertificate(t *testing.T) {
	root := t.TempDir()
	a := New(Options{Root: root})
	defer a.Close()
	certificate, key := certificateAndKey(t, "one")
	other, otherKey := certificateAndKey(t, "two")
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	kubeconfig := func(certificate, key string) string {
		return "users:\n- user:\n    client-certificate-data: " + encode(certificate) + "\n    client-key-data: " + encode(key) + "\n"
	}
	files := map[string]string{
		"a.crt": certificate, "a.key": key, "b.key": otherKey, "empty.key": "", "no.key": certificate,
		"chain.crt": certificate + other, "whole.conf": kubeconfig(certificate, key), "mixed.conf": kubeconfig(certificate, otherKey), "halved.conf": kubeconfig(certificate, ""),
		"current.pem": certificate + key, "naming.conf": "users:\n- user:\n    client-certificate: /current.pem\n    client-key: /current.pem\n",
		"huge.key": key + strings.Repeat("\n", protocol.MaxContent),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ file, key, want string }{
		{"a.crt", "a.key", ""},
		{"chain.crt", "a.key", ""},
		{"a.crt", "b.key", "does not match"},
		{"a.crt", "empty.key", "there is no private key at /empty.key"},
		{"a.crt", "lost.key", "there is no private key at /lost.key"},
		{"a.crt", "huge.key", "there is no private key at /huge.key"},
		{"a.crt", "no.key", "/no.key holds no private key"},
		{"whole.conf", "whole.conf", ""},
		{"mixed.conf", "mixed.conf", "does not match"},
		{"halved.conf", "halved.conf", "/halved.conf holds no private key"},
		{"naming.conf", "naming.conf", ""},
		{"b.key", "b.key", ""}, // no certificate, so nothing that a key could belong to
	} {
		got := a.describeFile(protocol.FileQuery{Path: "/" + test.file, Certificate: true, Key: "/" + test.key})
		if test.want == "" && got.KeyError != "" || !strings.Contains(got.KeyError, test.want) {
			t.Errorf("%s with %s: %q, want %q", test.file, test.key, got.KeyError, test.want)
		}
		if got.Content != "" || strings.Contains(got.Certificates+got.KeyError, "PRIVATE") {
			t.Errorf("%s with %s: more than whether they fit came: %+v", test.file, test.key, got)
		}
	}
}
