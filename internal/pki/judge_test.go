package pki_test

import (
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/pki"
)

// A leaf that does not serve says why, whatever the reason is.
func TestFault(t *testing.T) {
	ca, err := pki.NewAuthority("kubernetes", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := pki.NewAuthority("kubernetes", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := pki.Sign(ca, pki.Leaf{CommonName: "kubernetes-admin", Client: true}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	file := func(content []byte) protocol.File {
		return protocol.File{Exists: true, Size: int64(len(content)), Certificates: string(content)}
	}
	whole := func() pki.Observed {
		return pki.Observed{Certificate: file(pair.Cert), Key: protocol.File{Exists: true, Size: 1}, Authority: file(ca.Cert), Now: time.Now()}
	}
	year := pki.LeafValidity
	date := time.Now().UTC().Add(year).Format(time.DateOnly)
	for _, test := range []struct {
		what   string
		change func(*pki.Observed)
		want   string
	}{
		{"all is well", func(*pki.Observed) {}, ""},
		{"31 days are left", func(o *pki.Observed) { o.Now = o.Now.Add(year - 31*24*time.Hour) }, ""},
		{"29 days are left", func(o *pki.Observed) { o.Now = o.Now.Add(year - 29*24*time.Hour) }, "ends on " + date},
		{"it has ended", func(o *pki.Observed) { o.Now = o.Now.Add(year + time.Hour) }, "expired on " + date},
		{"the certificate is gone", func(o *pki.Observed) { o.Certificate = protocol.File{} }, "missing"},
		{"the key is gone", func(o *pki.Observed) { o.Key = protocol.File{} }, "missing"},
		{"the certificate is empty", func(o *pki.Observed) { o.Certificate = protocol.File{Exists: true} }, "is empty"},
		{"the key is empty", func(o *pki.Observed) { o.Key.Size = 0 }, "has an empty key"},
		{"there is none in it", func(o *pki.Observed) { o.Certificate.Certificates = "" }, "cannot be read: no certificate in it"},
		{"the key is another one's", func(o *pki.Observed) { o.Certificate.KeyError = "private key does not match public key" }, "has a key that does not belong to it: private key does not match public key"},
		{"another CA signed it", func(o *pki.Observed) { o.Authority = file(stranger.Cert) }, "was not signed by the CA on this host"},
		{"the CA is not known", func(o *pki.Observed) { o.Authority = protocol.File{} }, ""},
	} {
		o := whole()
		test.change(&o)
		if got, _ := o.Fault(); got != test.want {
			t.Errorf("%s: %q, want %q", test.what, got, test.want)
		}
	}
}

// A kubelet goes by its kubeconfig, which names the file in which it renews its
// certificate, or holds the one that it began with; it ends where it can read
// neither.
func TestKubeletFault(t *testing.T) {
	ca, err := pki.NewAuthority("kubernetes", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	file := func() protocol.File {
		pair, err := pki.Sign(ca, pki.Leaf{CommonName: "system:node:one", Client: true}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return protocol.File{Exists: true, Size: 1, Certificates: string(pair.Cert)}
	}
	current, former := file(), file()
	mixed, cut := current, current
	mixed.KeyError = "private key does not match public key"
	cut.Certificates = ""
	later := time.Now().Add(pki.LeafValidity + time.Hour)
	expired := "has a client certificate that expired on " + time.Now().UTC().Add(pki.LeafValidity).Format(time.DateOnly)
	for _, test := range []struct {
		what          string
		conf, rotated protocol.File
		now           time.Time
		want          string
	}{
		{"it names the file", current, current, time.Now(), ""},
		{"it holds the first one", former, current, time.Now(), ""},
		{"nothing is renewed", current, protocol.File{}, time.Now(), ""},
		{"it never joined", protocol.File{}, protocol.File{}, time.Now(), "missing"},
		{"it is empty", protocol.File{Exists: true}, current, time.Now(), "is empty"},
		{"the file is empty", current, protocol.File{Exists: true}, time.Now(), "has an empty client certificate"},
		{"it was off for longer", current, current, later, expired},
		{"the key is another one's", current, mixed, time.Now(), "has a client key that does not belong to its certificate: private key does not match public key"},
		{"the file it names is gone", cut, protocol.File{}, time.Now(), "has no client certificate that can be read: no certificate in it"},
	} {
		if got, _ := pki.KubeletFault(test.conf, test.rotated, test.now); got != test.want {
			t.Errorf("%s: %q, want %q", test.what, got, test.want)
		}
	}
}
