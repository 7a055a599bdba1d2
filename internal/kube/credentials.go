package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/quorate/quorate/internal/bounded"
	"github.com/quorate/quorate/internal/host"
)

// Credentials are an administrator's, as kubeadm writes them into a host's admin.conf:
// PEM texts, and where the host itself reaches the API.
type Credentials struct {
	Server      *url.URL
	Authority   []byte // the certificates of who may sign for an API server
	Certificate []byte
	Key         []byte
}

// CredentialsError says that a host's admin.conf is not as kubeadm writes it. A
// kubeconfig can name programs to run and files to read, on the machine of whoever
// uses it: what a host says must never do either on the operator's.
type CredentialsError struct {
	Host   string
	Field  string // "users[kubernetes-admin].exec"
	Reason string
}

func (e *CredentialsError) Error() string {
	return fmt.Sprintf("%s: %s is not used: %s %s", e.Host, adminConf, e.Field, e.Reason)
}

// Hint says what to do about it.
func (e *CredentialsError) Hint() string {
	return fmt.Sprintf("kubeadm puts only the CA, a certificate, its key and the server there. Find out who changed %s on %s: whoever did may be root there; then put kubeadm's own file back", adminConf, e.Host)
}

// AdminCredentials reads the administrator's credentials of a control-plane host. A
// file with anything in it but a CA, a certificate, its key and a server is a
// *CredentialsError.
func AdminCredentials(ctx context.Context, h *host.Host) (Credentials, error) {
	text, err := h.ReadFile(ctx, adminConf)
	if err != nil {
		return Credentials{}, err
	}
	return readCredentials(h.Name(), text)
}

// The fields of a kubeconfig that are known to name nothing that is run, read or
// asked. All others are refused, so that one which client-go learns tomorrow is, too.
const (
	fieldServer      = "server"
	fieldAuthority   = "certificate-authority-data"
	fieldCertificate = "client-certificate-data"
	fieldKey         = "client-key-data"
)

// maxAnswer bounds one answer of an API server, in bytes. The nodes of a large cluster
// take some ten MiB.
const maxAnswer = 64 << 20

// maxAdminConf bounds the file; kubeadm's has 6 KB.
const maxAdminConf = 1 << 20

func readCredentials(name string, text []byte) (Credentials, error) {
	refuse := func(field, reason string) (Credentials, error) {
		return Credentials{}, &CredentialsError{Host: name, Field: field, Reason: reason}
	}
	if len(bytes.TrimSpace(text)) == 0 { // as a power cut can leave it
		return Credentials{}, fmt.Errorf("%s: %s is empty", name, adminConf)
	}
	if len(text) > maxAdminConf {
		return refuse("the file", fmt.Sprintf("is larger than %d KiB", maxAdminConf>>10))
	}
	var file struct {
		CurrentContext string `json:"current-context"`
		Contexts       []struct {
			Name    string         `json:"name"`
			Context map[string]any `json:"context"`
		} `json:"contexts"`
		Clusters []struct {
			Name    string         `json:"name"`
			Cluster map[string]any `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			Name string         `json:"name"`
			User map[string]any `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return refuse("the file", "is no kubeconfig that can be read") // its words may hold the key
	}
	var current, cluster, user map[string]any
	for _, c := range file.Contexts {
		if c.Name == file.CurrentContext && current == nil {
			current = c.Context
		}
	}
	if current == nil {
		return refuse("current-context", "names no context of it")
	}
	clusterName, _ := current["cluster"].(string)
	userName, _ := current["user"].(string)
	for _, c := range file.Clusters {
		if c.Name == clusterName && cluster == nil {
			cluster = c.Cluster
		}
	}
	for _, u := range file.Users {
		if u.Name == userName && user == nil {
			user = u.User
		}
	}
	clusterAt, userAt := fmt.Sprintf("clusters[%.60s].", clusterName), fmt.Sprintf("users[%.60s].", userName)
	for _, part := range []struct {
		at     string
		fields map[string]any
		known  []string
	}{
		{userAt, user, []string{fieldCertificate, fieldKey}},
		{clusterAt, cluster, []string{fieldServer, fieldAuthority}},
	} {
		for _, field := range slices.Sorted(maps.Keys(part.fields)) {
			if !slices.Contains(part.known, field) {
				return refuse(part.at+fmt.Sprintf("%.60s", field), "is nothing that kubeadm writes there")
			}
		}
		for _, field := range part.known {
			if value, ok := part.fields[field].(string); !ok || value == "" {
				return refuse(part.at+field, "is missing")
			}
		}
	}
	c := Credentials{}
	for _, part := range []struct {
		at, field string
		from      map[string]any
		into      *[]byte
	}{
		{clusterAt, fieldAuthority, cluster, &c.Authority},
		{userAt, fieldCertificate, user, &c.Certificate},
		{userAt, fieldKey, user, &c.Key},
	} {
		raw, err := base64.StdEncoding.DecodeString(part.from[part.field].(string))
		if err != nil {
			return refuse(part.at+part.field, "is not base64")
		}
		*part.into = raw
	}
	if !x509.NewCertPool().AppendCertsFromPEM(c.Authority) {
		return refuse(clusterAt+fieldAuthority, "holds no certificate")
	}
	if _, err := tls.X509KeyPair(c.Certificate, c.Key); err != nil {
		return refuse(userAt+fieldCertificate, "and "+fieldKey+" are no certificate with its key")
	}
	server, err := url.Parse(cluster[fieldServer].(string))
	if err != nil || server.Scheme != "https" || server.Hostname() == "" || server.User != nil {
		return refuse(clusterAt+fieldServer, "is no https address")
	}
	c.Server = server
	return c, nil
}

// Config is a client's configuration that proves itself with the credentials. Nothing
// in it makes client-go run a program, read a file or ask a proxy.
func (c Credentials) Config() *rest.Config {
	return &rest.Config{
		Host:            c.Server.String(),
		TLSClientConfig: rest.TLSClientConfig{CAData: c.Authority, CertData: c.Certificate, KeyData: c.Key},
		// The way leads through a host's agent, where no proxy of the operator's
		// environment has a place.
		Proxy:         func(*http.Request) (*url.URL, error) { return nil, nil },
		WrapTransport: func(t http.RoundTripper) http.RoundTripper { return bounded.Transport(t, maxAnswer) },
	}
}
