package agent

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/quorate/quorate/internal/agent/protocol"
)

// certificateAndKey is a self-signed certificate and its key as PEM.
func certificateAndKey(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func TestCertificatesNeverCarryKeys(t *testing.T) {
	root := t.TempDir()
	a := New(Options{Root: root})
	defer a.Close()
	certificate, key := certificateAndKey(t, "one")
	linked, linkedKey := certificateAndKey(t, "two")
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	if err := os.WriteFile(filepath.Join(root, "current.pem"), []byte(linked+linkedKey), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ content, want string }{
		"PEM":                  {key + certificate, certificate},
		"kubeconfig":           {"users:\n- user:\n    client-certificate-data: " + encode(certificate+key) + "\n    client-key-data: " + encode(key) + "\n", certificate},
		"kubeconfig in JSON":   {`{"user":{` + "\n" + `"client-certificate-data": "` + encode(certificate) + `"}}`, certificate},
		"kubeconfig with file": {"users:\n- user:\n    client-certificate: /current.pem\n    client-key: /current.pem\n", linked},
		"neither":              {"hello", ""},
	} {
		if err := os.WriteFile(filepath.Join(root, "file"), []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got := a.describeFile(protocol.FileQuery{Path: "/file", Certificate: true})
		if diff := cmp.Diff(test.want, got.Certificates); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got.Content != "" || strings.Contains(got.Certificates, "PRIVATE") {
			t.Errorf("%s: more than certificates came: %+v", name, got)
		}
	}
}

// post asks an agent's handler.
func post(a *Agent, op, header, body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, "/v1/"+op, strings.NewReader(body))
	if header != "" {
		request.Header.Set(protocol.ArgsHeader, base64.StdEncoding.EncodeToString([]byte(header)))
	}
	recorder := httptest.NewRecorder()
	a.Handler().ServeHTTP(recorder, request)
	return recorder
}

func TestWrite(t *testing.T) {
	root := t.TempDir()
	a := New(Options{Root: root})
	defer a.Close()
	if r := post(a, protocol.OpWrite, `{"path":"/secret/deep/key","mode":384}`, "key"); r.Code != http.StatusOK {
		t.Fatalf("%d: %s", r.Code, r.Body)
	}
	for path, want := range map[string]os.FileMode{"secret": 0o700, "secret/deep": 0o700, "secret/deep/key": 0o600} {
		if info, err := os.Stat(filepath.Join(root, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v (%v)", path, info.Mode(), want, err)
		}
	}
	wrong := `{"path":"/secret/deep/key","mode":384,"sha256":"` + strings.Repeat("0", 64) + `"}`
	if r := post(a, protocol.OpWrite, wrong, "damaged on the way"); r.Code != http.StatusBadRequest || !strings.Contains(r.Body.String(), `"digest"`) {
		t.Errorf("a wrong digest: %d %s", r.Code, r.Body)
	}
	// A symbolic link is replaced, what it leads to is left alone.
	if err := os.Symlink("key", filepath.Join(root, "secret/deep/link")); err != nil {
		t.Fatal(err)
	}
	if r := post(a, protocol.OpWrite, `{"path":"/secret/deep/link","mode":420}`, "new"); r.Code != http.StatusOK {
		t.Errorf("%d: %s", r.Code, r.Body)
	}
	if diff := cmp.Diff(map[string]string{"/secret/deep/key": "key", "/secret/deep/link": "new"}, files(t, root)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if r := post(a, protocol.OpWrite, `{"path":"/secret/deep","mode":420}`, "x"); r.Code != http.StatusBadRequest {
		t.Errorf("a directory was written over: %d %s", r.Code, r.Body)
	}
}

func TestRequestsRefused(t *testing.T) {
	a := New(Options{Root: t.TempDir()})
	defer a.Close()
	for name, r := range map[string]*httptest.ResponseRecorder{
		"malformed body":   post(a, protocol.OpRemove, "", "{"),
		"malformed header": post(a, protocol.OpWrite, "{", ""),
		"relative path":    post(a, protocol.OpRemove, "", `{"path":"etc"}`),
		"path above":       post(a, protocol.OpRead, `{"path":"/../etc/shadow"}`, ""),
		"the root":         post(a, protocol.OpRemove, "", `{"path":"/","recursive":true}`),
		"facts elsewhere":  post(a, protocol.OpFacts, "", `{"files":[{"path":"x"}]}`),
		"no program":       post(a, protocol.OpRun, `{"argv":[]}`, ""),
		"too large":        post(a, protocol.OpRemove, "", `{"path":"`+strings.Repeat("x", maxRequest)+`"}`),
	} {
		if r.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %.200s", name, r.Code, r.Body)
		}
	}
}

func TestMkdirAndRemove(t *testing.T) {
	root := t.TempDir()
	a := New(Options{Root: root})
	defer a.Close()
	ctx := t.Context()
	for i, want := range []bool{true, false} {
		reply, err := a.mkdir(ctx, protocol.MkdirRequest{Path: "/var/lib/etcd", Mode: 0o700})
		if err != nil || reply.Changed != want {
			t.Errorf("mkdir %d: %+v, %v", i, reply, err)
		}
	}
	if info, err := os.Stat(filepath.Join(root, "var/lib/etcd")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := a.remove(ctx, protocol.RemoveRequest{Path: "/var/lib"}); err == nil {
		t.Error("a directory that is not empty was removed")
	}
	for i, want := range []bool{true, false} {
		reply, err := a.remove(ctx, protocol.RemoveRequest{Path: "/var", Recursive: true, Unmount: true})
		if err != nil || reply.Changed != want {
			t.Errorf("remove %d: %+v, %v", i, reply, err)
		}
	}
}
