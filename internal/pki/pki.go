// Package pki makes and reads X.509 certificates: authorities, leaves signed
// by them, and the questions a planner asks of a certificate. Keys are ECDSA
// P-256, the algorithm that kubeadm is configured with too: they are made and
// used many times faster than RSA's, on every handshake of the cluster.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Validity of what this package signs, as kubeadm has it.
const (
	AuthorityValidity = 10 * 365 * 24 * time.Hour
	LeafValidity      = 365 * 24 * time.Hour
)

// clockSlack is how far before now a certificate starts to be valid, for
// hosts whose clocks are behind. kubeadm uses the same five minutes.
const clockSlack = 5 * time.Minute

// Pair is a certificate with its private key, both PEM. A Pair is a secret.
type Pair struct {
	Cert []byte
	Key  []byte
}

// String keeps a key out of logs.
func (Pair) String() string { return "(certificate and key, hidden)" }

// GoString keeps a key out of %#v, too.
func (p Pair) GoString() string { return p.String() }

// NewAuthority makes a self-signed certificate authority.
func NewAuthority(commonName string, now time.Time) (Pair, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		DNSNames:              []string{commonName},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
	}
	return issue(template, now, AuthorityValidity, nil, nil)
}

// Leaf describes a certificate to be signed.
type Leaf struct {
	CommonName   string
	Organization []string
	Names        []string     // DNS names
	Addresses    []netip.Addr // IP addresses
	Server       bool
	Client       bool
}

// Sign makes a key and a certificate for the leaf, signed by the authority.
func Sign(authority Pair, leaf Leaf, now time.Time) (Pair, error) {
	caCert, caKey, err := parsePair(authority)
	if err != nil {
		return Pair{}, fmt.Errorf("reading the authority for %s: %w", leaf.CommonName, err)
	}
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: leaf.CommonName, Organization: leaf.Organization},
		DNSNames: leaf.Names,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	for _, a := range leaf.Addresses {
		template.IPAddresses = append(template.IPAddresses, net.IP(a.AsSlice()))
	}
	if leaf.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if leaf.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	return issue(template, now, LeafValidity, caCert, caKey)
}

// issue makes a key and signs the template; without a parent it signs itself.
func issue(template *x509.Certificate, now time.Time, validity time.Duration, parent *x509.Certificate, parentKey crypto.Signer) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("making a key for %s: %w", template.Subject.CommonName, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return Pair{}, fmt.Errorf("making a serial number: %w", err)
	}
	now = now.UTC()
	template.SerialNumber = serial
	template.NotBefore = now.Add(-clockSlack)
	template.NotAfter = now.Add(validity)
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return Pair{}, fmt.Errorf("signing the certificate of %s: %w", template.Subject.CommonName, err)
	}
	keyPEM, err := marshalKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: keyPEM}, nil
}

// NewSigningKey makes the key pair that service account tokens are signed
// with: Key is the private key, Cert the public key, both PEM.
func NewSigningKey() (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("making the service account key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return Pair{}, fmt.Errorf("encoding the service account key: %w", err)
	}
	keyPEM, err := marshalKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Cert: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), Key: keyPEM}, nil
}

func marshalKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// parsePair reads a pair; keys may be EC, PKCS #1 or PKCS #8, since adopted
// authorities have any of them.
func parsePair(p Pair) (*x509.Certificate, crypto.Signer, error) {
	certs, err := Parse(p.Cert)
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(p.Key)
	if block == nil {
		return nil, nil, errors.New("the key is not PEM")
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return certs[0], key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return certs[0], key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, errors.New("the key is in no known format")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("a key of type %T cannot sign", key)
	}
	return certs[0], signer, nil
}

// Parse reads the certificates of a PEM text, in order; there is at least one
// or an error.
func Parse(text []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading a certificate: %w", err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New("no certificate in it")
	}
	return certs, nil
}

// Covers tells which of the wanted names and addresses a certificate lacks,
// each once.
func Covers(c *x509.Certificate, names []string, addresses []netip.Addr) (missing []string) {
	for _, n := range names {
		if !slices.Contains(c.DNSNames, n) && !slices.Contains(missing, n) {
			missing = append(missing, n)
		}
	}
	for _, a := range addresses {
		if !slices.ContainsFunc(c.IPAddresses, func(ip net.IP) bool { return ip.Equal(a.AsSlice()) }) && !slices.Contains(missing, a.String()) {
			missing = append(missing, a.String())
		}
	}
	return missing
}
