package agent

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// expiredFor is how long ago the certificate of a drill expired.
const expiredFor = time.Hour

// expiredLike makes a certificate like a file's that has expired.
func expiredLike(fault protocol.CertificateFault, now time.Time) ([]byte, error) {
	old, err := readCertificate(fault.File)
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(fault.Authority, fault.AuthorityKey)
	if err != nil {
		return nil, fmt.Errorf("reading the authority of %s: %w", fault.File, err)
	}
	if err := old.CheckSignatureFrom(pair.Leaf); err != nil {
		return nil, protocol.Failure(protocol.KindInvalid, "%s was not signed by %s: %v", fault.File, fault.Authority, err)
	}
	expired := &x509.Certificate{
		SerialNumber: old.SerialNumber, Subject: old.Subject, KeyUsage: old.KeyUsage, ExtKeyUsage: old.ExtKeyUsage,
		BasicConstraintsValid: old.BasicConstraintsValid, DNSNames: old.DNSNames, IPAddresses: old.IPAddresses,
		NotBefore: now.Add(-2 * expiredFor), NotAfter: now.Add(-expiredFor),
	}
	der, err := x509.CreateCertificate(rand.Reader, expired, pair.Leaf, old.PublicKey, pair.PrivateKey.(crypto.Signer))
	if err != nil {
		return nil, fmt.Errorf("making a certificate like %s: %w", fault.File, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func readCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, protocol.Failure(protocol.KindInvalid, "%s holds no certificate", path)
	}
	return x509.ParseCertificate(block.Bytes)
}

// certificateFault lays an expired certificate over a program's, and lets the program
// be started with it.
type certificateFault struct{ *protocol.CertificateFault }

func (f certificateFault) check() error {
	for _, path := range []string{f.File, f.Authority, f.AuthorityKey} {
		if err := checkPath(path); err != nil {
			return err
		}
	}
	return checkProgram(f.Program)
}

func (f certificateFault) able(context.Context, *Agent) error {
	_, err := expiredLike(*f.CertificateFault, time.Now())
	return err
}

func (f certificateFault) prepare(_ context.Context, in faultPlace) (func() (begun, error), error) {
	return func() (b begun, err error) {
		text, err := expiredLike(*f.CertificateFault, time.Now())
		if err != nil {
			return b, err
		}
		expired := in.file(laidOver(in.id))
		if err := os.WriteFile(expired, text, 0o600); err != nil {
			return b, err
		}
		if err := syscall.Mount(expired, f.File, "", syscall.MS_BIND, ""); err != nil {
			err = &os.PathError{Op: "laying an expired certificate over", Path: f.File, Err: err}
			return b, errors.Join(err, os.Remove(expired))
		}
		b.reply.Processes, err = killProgram(f.Program)
		return b, err
	}, nil
}

// undo takes the expired certificate off, and lets the program be started with its own:
// also where the certificate is off already, since who took it off may have come no
// further.
func (f certificateFault) undo(_ context.Context, in faultPlace) error {
	if _, err := os.Stat(in.file(laidOver(in.id))); errors.Is(err, fs.ErrNotExist) {
		return nil // none was laid over
	}
	if err := takeOff(in.id); err != nil {
		return err
	}
	// It may just be down, between two tries of whoever starts it.
	if _, err := killProgram(f.Program); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
