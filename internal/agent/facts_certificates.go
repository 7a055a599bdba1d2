package agent

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"os"
	"regexp"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// Where a kubeconfig (YAML or JSON) holds its client certificate and its key.
var (
	certificateData = regexp.MustCompile(`(?m)^\s*"?client-certificate-data"?\s*:\s*["']?([A-Za-z0-9+/=]+)`)
	certificateFile = regexp.MustCompile(`(?m)^\s*"?client-certificate"?\s*:\s*["']?(/[^"'\s,]+)`)
	keyData         = regexp.MustCompile(`(?m)^\s*"?client-key-data"?\s*:\s*["']?([A-Za-z0-9+/=]+)`)
	keyFile         = regexp.MustCompile(`(?m)^\s*"?client-key"?\s*:\s*["']?(/[^"'\s,]+)`)
)

// certificates finds the certificates in a PEM file or a kubeconfig and gives
// them as PEM. Keys never pass.
func (a *Agent) certificates(content []byte) string {
	return string(a.blocks(content, isCertificate, certificateData, certificateFile))
}

// keyError tells why the private key at a path, or in a kubeconfig there, does
// not belong to the first of the certificates; empty where it does.
func (a *Agent) keyError(certificates, path string) string {
	content := a.smallFile(path)
	if len(content) == 0 {
		return "there is no private key at " + path
	}
	key := a.blocks(content, isKey, keyData, keyFile)
	if len(key) == 0 {
		return path + " holds no private key"
	}
	if _, err := tls.X509KeyPair([]byte(certificates), key); err != nil {
		return strings.TrimPrefix(err.Error(), "tls: ")
	}
	return ""
}

func isCertificate(kind string) bool { return kind == "CERTIFICATE" }

func isKey(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") }

// blocks finds PEM blocks in a file: its own, and those that it holds in base64
// or names a file for, as kubeconfigs do.
func (a *Agent) blocks(content []byte, wanted func(kind string) bool, inline, linked *regexp.Regexp) []byte {
	found := onlyBlocks(content, wanted)
	for _, match := range inline.FindAllSubmatch(content, -1) {
		if decoded, err := base64.StdEncoding.DecodeString(string(match[1])); err == nil {
			found = append(found, onlyBlocks(decoded, wanted)...)
		}
	}
	for _, match := range linked.FindAllSubmatch(content, -1) {
		found = append(found, onlyBlocks(a.smallFile(string(match[1])), wanted)...)
	}
	return found
}

// smallFile reads a regular file; what cannot be read, or is too large to be
// what it is taken for, is empty.
func (a *Agent) smallFile(name string) []byte {
	path, err := a.path(name)
	if err != nil {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > protocol.MaxContent {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return content
}

func onlyBlocks(content []byte, wanted func(kind string) bool) []byte {
	var out bytes.Buffer
	for {
		block, rest := pem.Decode(content)
		if block == nil {
			return out.Bytes()
		}
		content = rest
		if wanted(block.Type) {
			pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes})
		}
	}
}
