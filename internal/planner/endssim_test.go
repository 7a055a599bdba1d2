package planner_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"regexp"
	"strings"
	"time"
)

var clientData = regexp.MustCompile(`client-certificate-data: [A-Za-z0-9+/=]+`)

// endIn gives a certificate of the machine's, in a file of its own or in a
// kubeconfig, another end: the key and all else stay.
func (m *machine) endIn(path string, days int) {
	fatal := func(err error) {
		if err != nil {
			m.world.t.Fatal(err)
		}
	}
	old := m.files[path]
	certificates, _ := m.pairIn(old.content)
	block, _ := pem.Decode(certificates)
	leaf, err := x509.ParseCertificate(block.Bytes)
	fatal(err)
	const dir = "/etc/kubernetes/pki/"
	signer := dir + "ca"
	switch {
	case strings.HasPrefix(path, dir+"front-proxy-"):
		signer = dir + "front-proxy-ca"
	case strings.HasPrefix(path, dir+"etcd/"):
		signer = dir + "etcd/ca"
	}
	holder := m
	for _, other := range m.world.machines {
		if !holder.has(signer + ".key") {
			holder = other // workers have no CA
		}
	}
	ca, err := tls.X509KeyPair(holder.files[signer+".crt"].content, holder.files[signer+".key"].content)
	fatal(err)
	leaf.NotAfter = m.now().Add(time.Duration(days)*24*time.Hour + 12*time.Hour)
	leaf.NotBefore = leaf.NotAfter.Add(-365 * 24 * time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca.Leaf, leaf.PublicKey, ca.PrivateKey)
	fatal(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	switch {
	case path == kubeletClient: // with its key
		_, key := m.pairIn(old.content)
		m.write(path, string(text)+string(key), old.mode)
	case strings.HasSuffix(path, ".conf"):
		with := "client-certificate-data: " + base64.StdEncoding.EncodeToString(text)
		m.write(path, clientData.ReplaceAllLiteralString(string(old.content), with), old.mode)
	default:
		m.write(path, string(text), old.mode)
	}
}
