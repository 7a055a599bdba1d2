package kube

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/pki"
)

// administrator makes a certificate, with its key, as base64.
func administrator(t *testing.T, ca pki.Pair) (certificate, key string) {
	t.Helper()
	pair, err := pki.Sign(ca, pki.Leaf{CommonName: "kubernetes-admin", Client: true}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(pair.Cert), base64.StdEncoding.EncodeToString(pair.Key)
}

// A control-plane host's admin.conf must make the operator's machine run no program,
// read no file and ask nobody but that host.
func TestAdminConfOfAHostileHost(t *testing.T) {
	ca, good := authority(t)
	if _, err := readCredentials("cp-1", []byte(good)); err != nil {
		t.Fatalf("what kubeadm writes: %v", err)
	}
	canary := filepath.Join(t.TempDir(), "canary")
	_, otherKey := administrator(t, ca)
	user := func(more string) func(string) string {
		return func(s string) string { return strings.Replace(s, "user: {", "user: {"+more+", ", 1) }
	}
	server := func(more string) func(string) string {
		return func(s string) string { return strings.Replace(s, "cluster: {", "cluster: {"+more+", ", 1) }
	}
	drop := func(field string) func(string) string {
		return func(s string) string { return strings.Replace(s, field, "x-"+field, 1) }
	}
	run := `{apiVersion: client.authentication.k8s.io/v1, command: sh, args: ["-c", "id >` + canary + `"], interactiveMode: Never}`
	for field, change := range map[string]func(string) string{
		"users[u].exec":                            user("exec: " + run),
		"users[u].Exec":                            user("Exec: " + run),
		"users[u].auth-provider":                   user("auth-provider: {name: oidc, config: {idp-issuer-url: https://192.0.2.1}}"),
		"users[u].tokenFile":                       user("tokenFile: " + canary),
		"users[u].token":                           user("token: x"),
		"users[u].client-certificate":              user("client-certificate: " + canary),
		"users[u].client-key":                      user("client-key: " + canary),
		"users[u].username":                        user("username: x"),
		"users[u].password":                        user("password: x"),
		"users[u].as":                              user("as: x"),
		"users[u].as-uid":                          user("as-uid: x"),
		"users[u].as-groups":                       user("as-groups: [x]"),
		"users[u].as-user-extra":                   user("as-user-extra: {x: [y]}"),
		"users[u].what-client-go-learns-next":      user("what-client-go-learns-next: x"),
		"clusters[c].certificate-authority":        server("certificate-authority: " + canary),
		"clusters[c].proxy-url":                    server("proxy-url: http://192.0.2.1:3128"),
		"clusters[c].insecure-skip-tls-verify":     server("insecure-skip-tls-verify: true"),
		"clusters[c].tls-server-name":              server("tls-server-name: x"),
		"clusters[c].x-certificate-authority-data": drop("certificate-authority-data"),
		"users[u].x-client-key-data":               drop("client-key-data"),
		"clusters[c].server":                       func(s string) string { return strings.Replace(s, "https://", "http://", 1) },
		"current-context":                          func(s string) string { return strings.Replace(s, "current-context: x", "current-context: y", 1) },
		"users[u].client-certificate-data": func(s string) string {
			return s[:strings.Index(s, "client-key-data: ")] + "client-key-data: " + otherKey + "}}]}"
		},
		"users[u].client-key-data": func(s string) string {
			return strings.Replace(s, "client-key-data: ", "client-key-data: [1, 2] #", 1) + "\n}}]}"
		},
		"clusters[c].certificate-authority-data": func(s string) string {
			return strings.Replace(s, "certificate-authority-data: ", "certificate-authority-data: '!", 1)
		},
		"the file": func(s string) string { return strings.Repeat("#", maxAdminConf) + "\n" + s },
	} {
		t.Run(field, func(t *testing.T) {
			text := change(good)
			if field == "clusters[c].certificate-authority-data" {
				text = strings.Replace(text, "}}], users", "'}}], users", 1)
			}
			m := &machine{adminConf: text}
			_, err := First(t.Context(), []*host.Host{host.New("cp-1", m, nil)}, endpoint())
			if err == nil || !strings.Contains(err.Error(), "cp-1: /etc/kubernetes/admin.conf is not used: "+field+" ") {
				t.Errorf("got %v", err)
			}
			_, err = AdminCredentials(t.Context(), host.New("cp-1", m, nil))
			if refused, ok := errors.AsType[*CredentialsError](err); !ok || refused.Field != field || !strings.Contains(refused.Hint(), "cp-1") {
				t.Errorf("got %v", err)
			}
			if len(m.dialled) > 0 {
				t.Errorf("the host had itself dialled: %v", m.dialled)
			}
			if _, err := os.Lstat(canary); err == nil {
				t.Error("the host ran a program on this machine")
			}
		})
	}
}

// An emptied file says nothing of whoever emptied it: a power cut does that.
func TestEmptyAdminConf(t *testing.T) {
	_, err := readCredentials("cp-1", nil)
	if _, refused := errors.AsType[*CredentialsError](err); err == nil || refused || !strings.Contains(err.Error(), "cp-1: /etc/kubernetes/admin.conf is empty") {
		t.Errorf("got %v", err)
	}
}

// What clients are made of has nothing in it that would run, read or ask elsewhere.
func TestConfigHoldsNothingElse(t *testing.T) {
	_, good := authority(t)
	c, err := readCredentials("cp-1", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	config := c.Config()
	if config.ExecProvider != nil || config.AuthProvider != nil || config.BearerToken+config.BearerTokenFile+config.CAFile+config.CertFile+config.KeyFile != "" || config.Insecure {
		t.Errorf("%+v", config)
	}
	if proxy, err := config.Proxy(nil); proxy != nil || err != nil {
		t.Errorf("a proxy is asked: %v, %v", proxy, err)
	}
}

// An API server whose answer does not end is told of, and takes no more than its bound.
func TestEndlessAnswerOfAnAPIServer(t *testing.T) {
	ca, conf := authority(t)
	server := serve(t, ca, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			io.WriteString(w, "ok")
			return
		}
		for piece := bytes.Repeat([]byte("x"), 1<<20); r.Context().Err() == nil; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}))
	c, err := First(t.Context(), []*host.Host{host.New("cp-1", &machine{adminConf: conf, server: server}, nil)}, endpoint())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Version(t.Context()); err == nil || !strings.Contains(err.Error(), "it answers more than 64 MiB") {
		t.Errorf("got %v", err)
	}
}
