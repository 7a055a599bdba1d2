package endpoint

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/pki"
)

func newAuthority(t *testing.T) pki.Pair {
	t.Helper()
	ca, err := pki.NewAuthority("kubernetes", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// fakeAPI is an API server, as far as a balancer can tell.
type fakeAPI struct {
	name    string
	address string
	server  *http.Server

	mu     sync.Mutex
	readyz string // what /readyz says; "ok" is 200, anything else 500
}

func (f *fakeAPI) say(readyz string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readyz = readyz
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	readyz := f.readyz
	f.mu.Unlock()
	if r.URL.Path == "/readyz" {
		if readyz != "ok" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, readyz)
		return
	}
	fmt.Fprint(w, f.name)
}

// balanced is a real HAProxy with a managed load balancer's settings in front
// of fake API servers, all on loopback addresses.
type balanced struct {
	t        *testing.T
	dir      string
	endpoint string
	health   string
	roots    *x509.CertPool
	apis     []*fakeAPI
}

const apiDomain = "lb.example"

// startBalanced serves with the API servers' authority in servers and tells
// HAProxy to trust another one where trusted is not nil.
func startBalanced(t *testing.T, trusted *pki.Pair) *balanced {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("HAProxy's chroot needs root")
	}
	if _, err := os.Stat(haproxyProgram); err != nil {
		t.Skip("haproxy is not installed on this machine")
	}
	ca := newAuthority(t)
	leaf, err := pki.Sign(ca, pki.Leaf{CommonName: "kube-apiserver", Names: []string{apiDomain}, Server: true}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(leaf.Cert, leaf.Key)
	if err != nil {
		t.Fatal(err)
	}
	b := &balanced{t: t, dir: rootOnlyDir(t), roots: x509.NewCertPool(), endpoint: freeAddress(t), health: freeAddress(t)}
	b.roots.AppendCertsFromPEM(ca.Cert)
	if trusted == nil {
		trusted = &ca
	}
	d := managedHAProxy(onControlPlanes(), onControlPlanes().Host("cp-1"), nil, []int{6443})
	d.Binds, d.HealthBind, d.Servers, d.Domain = []string{b.endpoint}, b.health, nil, apiDomain
	d.CAFile = filepath.Join(b.dir, "ca.crt")
	if err := os.WriteFile(d.CAFile, trusted.Cert, 0o644); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		f := &fakeAPI{name: fmt.Sprintf("cp-%d", i+1), readyz: "ok"}
		f.server = &http.Server{Handler: f, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}, ErrorLog: quiet()}
		listener, err := net.Listen("tcp", netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 9, byte(i + 1)}), 0).String())
		if err != nil {
			t.Fatal(err)
		}
		f.address = listener.Addr().String()
		go func() { _ = f.server.ServeTLS(listener, "", "") }()
		t.Cleanup(func() { _ = f.server.Close() })
		d.Servers = append(d.Servers, server{f.name, f.address})
		b.apis = append(b.apis, f)
	}
	text := strings.ReplaceAll(string(component.Render(templates, "haproxy.cfg.tmpl", d)), "/run/quorate-", b.dir+"/")
	config := filepath.Join(b.dir, "haproxy.cfg")
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(haproxyProgram, "-db", "-f", config)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	return b
}

// quiet is a log that nobody reads: clients are cut off on purpose.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// client makes a connection of its own.
func (b *balanced) client() *http.Client {
	return &http.Client{
		Timeout:   3 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.roots, ServerName: apiDomain}, MaxConnsPerHost: 1},
	}
}

// ask tells which API server answers.
func (b *balanced) ask(c *http.Client) (string, error) {
	reply, err := c.Get("https://" + b.endpoint + "/who")
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	return string(body), err
}

// answers counts who answers new connections. Each is kept until the last was
// answered, since the next one goes to whoever has the fewest.
func (b *balanced) answers(n int) map[string]int {
	b.t.Helper()
	out := map[string]int{}
	for range n {
		c := b.client()
		defer c.CloseIdleConnections()
		who, err := b.ask(c)
		if err != nil {
			who = "nobody: " + err.Error()
		}
		out[who]++
	}
	return out
}

// down counts the API servers that HAProxy knows to be down.
func (b *balanced) down() int {
	b.t.Helper()
	socket := filepath.Join(b.dir, "haproxy", "state.sock")
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	defer c.CloseIdleConnections()
	reply, err := c.Get(haproxyStateQuery().URL)
	if err != nil {
		b.t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	state := haproxyState(protocol.HTTPReply{Status: reply.StatusCode, Body: string(body)})
	if state.Error != "" || len(state.Backends) != len(b.apis) {
		b.t.Fatalf("%+v", state)
	}
	down := 0
	for _, s := range state.Backends {
		if !s.Up {
			down++
		}
	}
	return down
}

// healthy is what keepalived's check says of a question.
func (b *balanced) healthy(question string) bool {
	b.t.Helper()
	host, port, err := net.SplitHostPort(b.health)
	if err != nil {
		b.t.Fatal(err)
	}
	path := filepath.Join(b.dir, "check.sh")
	text := component.Render(templates, "keepalived-check.sh.tmpl", struct{ Host, Port string }{host, port})
	if err := os.WriteFile(path, text, 0o755); err != nil {
		b.t.Fatal(err)
	}
	return exec.CommandContext(b.t.Context(), "/bin/bash", path, question, "2").Run() == nil
}

// eventually waits for a condition.
func (b *balanced) eventually(what string, condition func() bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 15*time.Second)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); !condition(); {
		select {
		case <-ctx.Done():
			b.t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

func (b *balanced) eventuallyAnswer(names ...string) {
	b.t.Helper()
	var got map[string]int
	b.eventually("answers from "+strings.Join(names, ", "), func() bool {
		got = b.answers(3 * len(b.apis))
		for _, name := range names {
			if got[name] == 0 {
				return false
			}
		}
		return len(got) == len(names)
	})
}

func TestHAProxyLeavesWhoShutsDown(t *testing.T) {
	b := startBalanced(t, nil)
	b.eventuallyAnswer("cp-1", "cp-2", "cp-3")
	old, first := b.client(), ""
	b.eventually("a connection", func() (ok bool) {
		var err error
		first, err = b.ask(old)
		return err == nil
	})
	var leaving *fakeAPI
	for _, f := range b.apis {
		if f.name == first {
			leaving = f
		}
	}
	leaving.say("[+]ping ok\n[-]shutdown failed: reason withheld\nreadyz check failed\n")
	b.eventually(first+" is known to leave", func() bool { return b.down() == 1 })
	if n := b.answers(9)[first]; n > 0 {
		t.Errorf("%s, which shuts down, gets %d of 9 new connections", first, n)
	}
	// What is connected stays so until the API server itself ends it.
	for range 5 {
		if who, err := b.ask(old); who != first {
			t.Errorf("the connection to %s is answered by %q, %v", first, who, err)
		}
	}
	leaving.say("ok")
	b.eventuallyAnswer("cp-1", "cp-2", "cp-3")
}

func TestHAProxyCutsOffWhoIsNotReady(t *testing.T) {
	b := startBalanced(t, nil)
	b.eventuallyAnswer("cp-1", "cp-2", "cp-3")
	raw, err := tls.Dial("tcp", b.endpoint, &tls.Config{RootCAs: b.roots, ServerName: apiDomain})
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	fmt.Fprintf(raw, "GET /who HTTP/1.1\r\nHost: %s\r\n\r\n", apiDomain)
	lines := bufio.NewReader(raw)
	reply, err := http.ReadResponse(lines, nil)
	if err != nil {
		t.Fatal(err)
	}
	who, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range b.apis {
		if f.name == string(who) {
			f.say("[-]etcd failed: reason withheld\nreadyz check failed\n")
		}
	}
	if err := raw.SetReadDeadline(time.Now().Add(15 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := lines.ReadByte(); err == nil || os.IsTimeout(err) {
		t.Errorf("the connection to %s, which lost etcd, was not ended: %v", who, err)
	}
}

func TestHAProxyTriesAnotherWhenOneIsKilled(t *testing.T) {
	b := startBalanced(t, nil)
	b.eventuallyAnswer("cp-1", "cp-2", "cp-3")
	for i, f := range b.apis[:2] {
		if err := f.server.Close(); err != nil {
			t.Fatal(err)
		}
		for who, n := range b.answers(12) {
			if strings.HasPrefix(who, "nobody") || who == f.name {
				t.Errorf("without %s, %d of 12 connections: %s", f.name, n, who)
			}
		}
		// Two that go at the same time are found by the health check only: a
		// connection is tried on the one, then on the other, which both have
		// the fewest connections.
		b.eventually(f.name+" is known to be down", func() bool { return b.down() == i+1 })
	}
}

func TestHAProxyTellsKeepalivedHowItIs(t *testing.T) {
	b := startBalanced(t, nil)
	b.eventually("alive", func() bool { return b.healthy("/alive") })
	b.eventually("an API server", func() bool { return b.healthy("/readyz") })
	for _, f := range b.apis[:2] {
		f.say("[-]etcd failed")
	}
	b.eventuallyAnswer("cp-3")
	if !b.healthy("/readyz") {
		t.Error("one API server is ready, and not found")
	}
	b.apis[2].say("[-]etcd failed")
	b.eventually("no API server", func() bool { return !b.healthy("/readyz") })
	if !b.healthy("/alive") {
		t.Error("HAProxy is taken for dead because no API server is ready")
	}
	// Then clients are refused, and need not wait for nobody.
	b.eventually("refusal", func() bool {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 3 * time.Second}, "tcp", b.endpoint, &tls.Config{RootCAs: b.roots, ServerName: apiDomain})
		if os.IsTimeout(err) {
			t.Error("without API servers, nobody answers")
		}
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}

func TestHAProxyTrustsTheClusterAlone(t *testing.T) {
	other := newAuthority(t)
	b := startBalanced(t, &other)
	b.eventually("alive", func() bool { return b.healthy("/alive") })
	b.eventually("all of another cluster", func() bool { return !b.healthy("/readyz") })
	b.eventually("no answer from those whose certificate another authority has signed", func() bool {
		for who := range b.answers(6) {
			if !strings.HasPrefix(who, "nobody") {
				return false
			}
		}
		return true
	})
}
