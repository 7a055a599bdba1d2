package endpoint

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/host/hosttest"
)

// tlsBackend serves TLS on loopback with a certificate of its own.
func tlsBackend(t *testing.T, name string) *backend {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"lb.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(io.Discard, conn) // shakes hands, and waits for the end
			}()
		}
	}()
	return &backend{name: name, address: l.Addr().String(), certificate: der}
}

// leastConnections balances on loopback by the number of connections, of which
// each backend has some already.
func leastConnections(t *testing.T, backends []*backend, has []int) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	add := func(i, n int) {
		mu.Lock()
		defer mu.Unlock()
		has[i] += n
	}
	least := func() int {
		mu.Lock()
		defer mu.Unlock()
		best := 0
		for i := range has {
			if has[i] < has[best] {
				best = i
			}
		}
		has[best]++
		return best
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			i := least()
			go func() {
				defer add(i, -1)
				defer client.Close()
				server, err := net.Dial("tcp", backends[i].address)
				if err != nil {
					return
				}
				defer server.Close()
				go func() { _, _ = io.Copy(client, server) }()
				_, _ = io.Copy(server, client)
			}()
		}
	}()
	return l.Addr().String()
}

// A balancer that goes by the number of connections, and a backend that has more
// than the others, as one that a node's kubelet is connected to: it is seen, too.
func TestProofSeesTheBusiestBackend(t *testing.T) {
	c := externalCluster(3, 1)
	c.Endpoint.Domain = "lb.example"
	p := &proof{cluster: c, say: func(string) {}, began: time.Now()}
	for _, h := range c.ControlPlanes() {
		p.backends = append(p.backends, tlsBackend(t, h.Name))
	}
	target := leastConnections(t, p.backends, []int{0, 0, 3})
	p.callers = []*caller{newCaller("node-1", hosttest.Agent(t, t.TempDir(), nil), target)}
	if err := p.run(t.Context(), 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := p.missed(); err != nil {
		t.Error(err)
	}
}
