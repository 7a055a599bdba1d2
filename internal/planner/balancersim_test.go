package planner_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component/endpoint"
)

// balancer is the user's balancer of mode external: it carries in turn to every
// control-plane host on which an API server, or what stands in for one, answers.
type balancer struct {
	turn  int
	lacks string // a host that its owner forgot
}

// carry is where the balancer takes the next connection; nil refuses it. The
// world's lock is held.
func (w *world) carry() chan net.Conn {
	up := w.up()
	if len(up) == 0 {
		return nil
	}
	w.balancer.turn++
	return up[w.balancer.turn%len(up)]
}

// up is what the balancer finds behind it.
func (w *world) up() []chan net.Conn {
	var up []chan net.Conn
	for _, h := range w.cluster.ControlPlanes() {
		m := w.machine(h.Name)
		switch {
		case h.Name == w.balancer.lacks:
		case m.stand != nil && !m.off:
			up = append(up, m.stand)
		case m.unready() == "":
			up = append(up, w.listeners[h.Name])
		}
	}
	return up
}

// carried are the machines with API servers that the balancer carries to.
func (w *world) carried() []*machine {
	var out []*machine
	for _, h := range w.cluster.ControlPlanes() {
		if m := w.machine(h.Name); h.Name != w.balancer.lacks && m.unready() == "" {
			out = append(out, m)
		}
	}
	return out
}

// listen stands in for an API server until the request ends.
func (m *machine) listen(r *http.Request) (*http.Response, error) {
	certificate, err := selfSigned()
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(protocol.ListenReply{Certificate: certificate.Certificate[0]})
	if err != nil {
		return nil, err
	}
	conns := make(chan net.Conn)
	m.stand = conns
	go func() {
		for {
			conn, err := (pipes{conns, m.world.over}).Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if r.Context().Err() != nil {
					return // it has just ended
				}
				server := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}})
				_ = server.HandshakeContext(r.Context())
				_, _ = io.Copy(io.Discard, server)
			}()
		}
	}()
	body, feed := io.Pipe()
	go func() {
		_, _ = feed.Write(append(line, '\n'))
		<-r.Context().Done()
		m.world.mu.Lock()
		m.stand = nil
		m.world.mu.Unlock()
		feed.Close()
	}()
	response := respond(r, http.StatusOK, nil)
	response.ContentLength, response.Body = -1, body
	return response, nil
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

const behindABalancer = `
apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: prod}
spec:
  hosts:
  - {name: cp-1, address: 10.0.0.1, roles: [control-plane, etcd]}
  - {name: cp-2, address: 10.0.0.2, roles: [control-plane]}
  - {name: node-1, address: 10.0.0.4, roles: [worker]}
  endpoint: {loadBalancer: {mode: external, address: 10.0.0.100}}
`

// A balancer that is wrong ends the run before anything is changed, with what
// is wrong; the same run goes through once it is mended.
func TestWrongBalancerChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, parse(t, behindABalancer))
		w.bundle = smallBundle(t, w.release, "amd64")
		w.balancer.lacks = "cp-2"
		w.budget = 0 // whatever changes something kills the run
		began := time.Now()
		result := w.apply(w.plan())
		if result.OK() {
			t.Fatal("the run went through")
		}
		if took := time.Since(began); took < endpoint.ProofTime || took > endpoint.ProofTime+10*time.Second {
			t.Errorf("it gave up after %s", took)
		}
		said := ""
		for _, s := range result.Steps {
			if s.Error != "" {
				said += string(s.ID) + ": " + s.Error
			}
		}
		if !strings.HasPrefix(said, "endpoint/proof: ") || !strings.Contains(said, "missing-backend") || !strings.Contains(said, "10.0.0.2:6443") {
			t.Errorf("it says %q", said)
		}
		synctest.Wait()
		for _, m := range w.machines {
			if m.stand != nil {
				t.Errorf("%s still listens", m.name)
			}
		}
		w.balancer.lacks, w.budget = "", -1
		w.build()
	})
}
