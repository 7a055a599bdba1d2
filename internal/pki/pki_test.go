package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func authority(t *testing.T) Pair {
	t.Helper()
	ca, err := NewAuthority("kubernetes", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func parse(t *testing.T, p Pair) *x509.Certificate {
	t.Helper()
	certs, err := Parse(p.Cert)
	if err != nil {
		t.Fatal(err)
	}
	return certs[0]
}

func pool(t *testing.T, ca Pair) *x509.CertPool {
	t.Helper()
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(ca.Cert) {
		t.Fatal("the authority's certificate is no PEM")
	}
	return p
}

func TestSignedLeavesVerify(t *testing.T) {
	ca, other := authority(t), authority(t)
	for _, tt := range []struct {
		name     string
		leaf     Leaf
		usage    x509.ExtKeyUsage
		refused  x509.ExtKeyUsage
		dnsName  string
		wantName string
	}{
		{"server", Leaf{CommonName: "cp-1", Names: []string{"cp-1", "localhost"}, Server: true}, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth, "localhost", "cp-1"},
		{"client", Leaf{CommonName: "admin", Organization: []string{"admins"}, Client: true}, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth, "", "admin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pair, err := Sign(ca, tt.leaf, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			cert := parse(t, pair)
			options := x509.VerifyOptions{Roots: pool(t, ca), DNSName: tt.dnsName, KeyUsages: []x509.ExtKeyUsage{tt.usage}}
			if _, err := cert.Verify(options); err != nil {
				t.Errorf("it does not verify under its authority: %v", err)
			}
			if _, err := cert.Verify(x509.VerifyOptions{Roots: pool(t, other), KeyUsages: []x509.ExtKeyUsage{tt.usage}}); err == nil {
				t.Error("it verifies under another authority of the same name")
			}
			if _, err := cert.Verify(x509.VerifyOptions{Roots: pool(t, ca), KeyUsages: []x509.ExtKeyUsage{tt.refused}}); err == nil {
				t.Error("it verifies for what it is not for")
			}
			if cert.Subject.CommonName != tt.wantName || !slices.Equal(cert.Subject.Organization, tt.leaf.Organization) || cert.IsCA {
				t.Errorf("subject %s, authority %v", cert.Subject, cert.IsCA)
			}
			if _, err := tls.X509KeyPair(pair.Cert, pair.Key); err != nil {
				t.Errorf("the key is not the certificate's: %v", err)
			}
		})
	}
}

func TestAuthority(t *testing.T) {
	ca := authority(t)
	cert := parse(t, ca)
	if !cert.IsCA || cert.KeyUsage&x509.KeyUsageCertSign == 0 || cert.Subject.CommonName != "kubernetes" {
		t.Errorf("no authority: %+v", cert.Subject)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: pool(t, ca), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Errorf("it does not verify itself: %v", err)
	}
}

// A host whose clock is a little behind must accept what was just signed.
func TestValidity(t *testing.T) {
	ca := authority(t)
	leaf, err := Sign(ca, Leaf{CommonName: "x"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, tt := range map[string]struct {
		cert *x509.Certificate
		life time.Duration
	}{"authority": {parse(t, ca), 10 * 365 * 24 * time.Hour}, "leaf": {parse(t, leaf), 365 * 24 * time.Hour}} {
		if early := now.Sub(tt.cert.NotBefore); early < 5*time.Minute-time.Second || early > 6*time.Minute {
			t.Errorf("%s: valid since %s before now, want five minutes", name, early)
		}
		if left := tt.cert.NotAfter.Sub(now); left > tt.life || left < tt.life-time.Minute {
			t.Errorf("%s: valid for %s, want %s", name, left, tt.life)
		}
	}
}

func TestSerialNumbersDiffer(t *testing.T) {
	ca := authority(t)
	seen := map[string]bool{}
	for i := range 20 {
		pair, err := Sign(ca, Leaf{CommonName: fmt.Sprint(i)}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if n := parse(t, pair).SerialNumber; seen[n.String()] || n.Sign() <= 0 {
			t.Errorf("serial number %s is not new and positive", n)
		} else {
			seen[n.String()] = true
		}
	}
}

// Authorities that were made elsewhere hold their keys in other formats.
func TestKeyFormats(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	marshal := func(key any, format func(any) ([]byte, error)) []byte {
		der, err := format(key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for _, tt := range []struct {
		name  string
		key   crypto.Signer
		block pem.Block
	}{
		{"EC", ec, pem.Block{Type: "EC PRIVATE KEY", Bytes: marshal(ec, func(k any) ([]byte, error) { return x509.MarshalECPrivateKey(k.(*ecdsa.PrivateKey)) })}},
		{"PKCS1", rsaKey, pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}},
		{"PKCS8 EC", ec, pem.Block{Type: "PRIVATE KEY", Bytes: marshal(ec, x509.MarshalPKCS8PrivateKey)}},
		{"PKCS8 RSA", rsaKey, pem.Block{Type: "PRIVATE KEY", Bytes: marshal(rsaKey, x509.MarshalPKCS8PrivateKey)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			template := parse(t, authority(t))
			template.SignatureAlgorithm, template.PublicKey = 0, nil
			der, err := x509.CreateCertificate(rand.Reader, template, template, tt.key.Public(), tt.key)
			if err != nil {
				t.Fatal(err)
			}
			adopted := Pair{Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: pem.EncodeToMemory(&tt.block)}
			leaf, err := Sign(adopted, Leaf{CommonName: "x", Client: true}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parse(t, leaf).Verify(x509.VerifyOptions{Roots: pool(t, adopted), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSignRefusesWhatIsNoAuthority(t *testing.T) {
	ca, other := authority(t), authority(t)
	for _, tt := range []struct {
		name string
		pair Pair
		want string
	}{
		{"nothing", Pair{}, "no certificate"},
		{"no key", Pair{Cert: ca.Cert}, "not PEM"},
		{"a damaged key", Pair{Cert: ca.Cert, Key: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("x")})}, "no known format"},
		{"another's key", Pair{Cert: ca.Cert, Key: other.Key}, ""},
	} {
		if _, err := Sign(tt.pair, Leaf{CommonName: "etcd-1"}, time.Now()); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "etcd-1") {
			t.Errorf("%s: error %v, want one with %q that names the leaf", tt.name, err, tt.want)
		}
	}
}

func TestCovers(t *testing.T) {
	pair, err := Sign(authority(t), Leaf{
		CommonName: "x", Names: []string{"cp-1", "lb.example"},
		Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert := parse(t, pair)
	addresses := func(list ...string) (out []netip.Addr) {
		for _, a := range list {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	for _, tt := range []struct {
		names     []string
		addresses []netip.Addr
		want      []string
	}{
		{nil, nil, nil},
		{[]string{"lb.example", "cp-1"}, addresses("fd00::1", "10.0.0.1"), nil},
		{[]string{"cp-1", "cp-2", "cp-2"}, addresses("10.0.0.2", "10.0.0.2", "10.0.0.1"), []string{"cp-2", "10.0.0.2"}},
		{nil, addresses("fd00::2", "::ffff:10.0.0.1"), []string{"fd00::2"}},
	} {
		if d := cmp.Diff(tt.want, Covers(cert, tt.names, tt.addresses)); d != "" {
			t.Errorf("%v %v lack (-want +got):\n%s", tt.names, tt.addresses, d)
		}
	}
}

func TestParse(t *testing.T) {
	a, b := authority(t), authority(t)
	certs, err := Parse(slices.Concat([]byte("a remark\n"), a.Cert, a.Key, b.Cert))
	if err != nil || len(certs) != 2 {
		t.Errorf("%d certificates, %v; want the two among the keys and remarks", len(certs), err)
	}
	for name, text := range map[string][]byte{"nothing": nil, "a key": a.Key, "a cut one": a.Cert[:len(a.Cert)/2], "damaged": bytes.Replace(a.Cert, []byte("M"), []byte("N"), 3)} {
		if certs, err := Parse(text); err == nil {
			t.Errorf("%s: %d certificates and no error", name, len(certs))
		}
	}
}

func TestSigningKey(t *testing.T) {
	pair, err := NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	private, _ := pem.Decode(pair.Key)
	public, _ := pem.Decode(pair.Cert)
	if private == nil || public == nil || public.Type != "PUBLIC KEY" {
		t.Fatal("the halves are no PEM")
	}
	key, err := x509.ParseECPrivateKey(private.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	half, err := x509.ParsePKIXPublicKey(public.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !key.PublicKey.Equal(half) {
		t.Error("the public key is not the private key's")
	}
}

func TestPairHidesItself(t *testing.T) {
	ca := authority(t)
	for _, verb := range []string{"%v", "%s", "%+v"} {
		if text := fmt.Sprintf(verb, ca); strings.Contains(text, "PRIVATE") || strings.Contains(text, string(ca.Key)) {
			t.Errorf("%s prints %q", verb, text)
		}
	}
}
