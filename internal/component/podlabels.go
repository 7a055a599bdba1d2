package component

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// ClientLabel is on static pods that go by a kubeconfig, which they read when they
// start: it names the client certificate that was in it.
const ClientLabel = "quorate.dev/client"

// ClientIn is the digest of the client certificate in a kubeconfig; empty where
// there is none.
func ClientIn(f protocol.File) string {
	if f.Certificates == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(f.Certificates))
	return hex.EncodeToString(sum[:])
}

// LabelValue is as much of a digest as a label's value may have.
func LabelValue(digest string) string { return digest[:min(len(digest), 63)] }
