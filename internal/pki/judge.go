package pki

import (
	"crypto/x509"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// RenewBefore is how long before its end a certificate is made anew by an
// ordinary apply.
const RenewBefore = 30 * 24 * time.Hour

// Observed is a leaf on a host, as its agent described it.
type Observed struct {
	// Certificate and Key are its files; in a kubeconfig, both are the one.
	Certificate, Key protocol.File
	// Authority is the file of the CA that must have signed it. One without a
	// certificate is not looked at.
	Authority protocol.File
	// Now is the time by the host's own clock.
	Now time.Time
}

// Fault tells why a leaf must be made anew, in the words that follow its name;
// empty where it serves. The certificate is given where it can be read.
func (o Observed) Fault() (reason string, certificate *x509.Certificate) {
	switch {
	case !o.Certificate.Exists || !o.Key.Exists:
		return "missing", nil
	case o.Certificate.Size == 0:
		return "is empty", nil
	case o.Key.Size == 0:
		return "has an empty key", nil
	}
	certs, err := Parse([]byte(o.Certificate.Certificates))
	if err != nil {
		return "cannot be read: " + err.Error(), nil
	}
	leaf := certs[0]
	if o.Certificate.KeyError != "" {
		return "has a key that does not belong to it: " + o.Certificate.KeyError, leaf
	}
	if cas, err := Parse([]byte(o.Authority.Certificates)); err == nil && leaf.CheckSignatureFrom(cas[0]) != nil {
		return "was not signed by the CA on this host", leaf
	}
	return Ending(leaf, o.Now, RenewBefore), leaf
}

// Ending tells that a certificate has ended, or does so within a time; empty
// where it does not.
func Ending(c *x509.Certificate, now time.Time, within time.Duration) string {
	switch left := c.NotAfter.Sub(now); {
	case left <= 0:
		return "expired on " + c.NotAfter.Format(time.DateOnly)
	case left < within:
		return "ends on " + c.NotAfter.Format(time.DateOnly)
	}
	return ""
}

// KubeletFault tells why a kubelet cannot prove itself to API servers, in the words
// that follow the name of its kubeconfig; empty where it can. Rotated is the file
// in which it keeps the certificates that it renews by itself; its kubeconfig names
// that file, or holds the certificate that it began with. It does not start where
// it cannot read either, nor where that of its kubeconfig has ended. The
// certificate of the kubeconfig is given where it can be read.
func KubeletFault(kubeconfig, rotated protocol.File, now time.Time) (reason string, certificate *x509.Certificate) {
	switch {
	case !kubeconfig.Exists:
		return "missing", nil
	case kubeconfig.Size == 0:
		return "is empty", nil
	case rotated.Exists && rotated.Size == 0:
		return "has an empty client certificate", nil
	}
	for _, f := range []protocol.File{rotated, kubeconfig} {
		if !f.Exists {
			continue
		}
		certs, err := Parse([]byte(f.Certificates))
		if err != nil {
			return "has no client certificate that can be read: " + err.Error(), nil
		}
		if f.KeyError != "" {
			return "has a client key that does not belong to its certificate: " + f.KeyError, nil
		}
		certificate = certs[0]
	}
	if reason = Ending(certificate, now, 0); reason != "" {
		return "has a client certificate that " + reason, certificate
	}
	return "", certificate
}
