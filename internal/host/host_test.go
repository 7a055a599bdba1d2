package host_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFiles(t *testing.T) {
	root := t.TempDir()
	h := hosttest.Agent(t, root, nil)
	ctx := t.Context()

	if _, err := h.ReadFile(ctx, "/etc/missing"); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "test-host: ") {
		t.Errorf("reading a missing file: %v", err)
	}
	content := bytes.Repeat([]byte("quorum\n"), 100_000)
	for i, want := range []bool{true, false} {
		changed, err := h.WriteFile(ctx, "/etc/a/b", content, 0o640)
		if err != nil || changed != want {
			t.Fatalf("write %d: changed %v, %v; want changed %v", i, changed, err, want)
		}
	}
	if changed, err := h.WriteFile(ctx, "/etc/a/b", content, 0o600); err != nil || !changed {
		t.Errorf("another mode: changed %v, %v", changed, err)
	}
	if info, err := os.Stat(filepath.Join(root, "etc/a/b")); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	got, err := h.ReadFile(ctx, "/etc/a/b")
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("read back %d bytes, %v", len(got), err)
	}
	if err := h.RemoveAll(ctx, "/etc/a"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(root, "etc/a")); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
	if _, err := h.WriteFile(ctx, "etc/relative", nil, 0o600); err == nil {
		t.Error("a relative path was taken")
	}
}

func TestRun(t *testing.T) {
	h := hosttest.Agent(t, t.TempDir(), nil)
	ctx := t.Context()
	reply, err := h.Run(ctx, host.Command{Argv: []string{"cat"}, Stdin: strings.NewReader("through a pipe")})
	if err != nil || string(reply.Stdout) != "through a pipe" {
		t.Errorf("cat: %q, %v", reply.Stdout, err)
	}
	_, err = h.Run(ctx, host.Command{Argv: []string{"sh", "-c", "echo first >&2; echo why >&2; exit 3"}})
	exit, ok := errors.AsType[*host.ExitError](err)
	if !ok || exit.Code != 3 || !strings.Contains(err.Error(), "why") || strings.Contains(err.Error(), "first\n") {
		t.Errorf("exit 3: %v", err)
	}
	if _, err := h.Run(ctx, host.Command{Argv: []string{"sh", "-c", "exit 3"}, OK: []int{3}}); err != nil {
		t.Errorf("exit 3 was listed as good: %v", err)
	}
	if _, err := h.Run(ctx, host.Command{Argv: []string{"no-such-program"}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing program: %v", err)
	}
}

func TestUnpackFailureReleasesTheWriter(t *testing.T) {
	h := hosttest.Agent(t, t.TempDir(), nil)
	out, in := io.Pipe()
	written := make(chan error, 1)
	go func() {
		archive := tar.NewWriter(in)
		archive.WriteHeader(&tar.Header{Name: "relative", Size: 1 << 30, Mode: 0o600, Typeflag: tar.TypeReg})
		var err error
		for chunk := make([]byte, 1<<20); err == nil; {
			_, err = archive.Write(chunk)
		}
		written <- err
	}()
	_, err := h.Unpack(t.Context(), out)
	if failure, ok := errors.AsType[*protocol.Error](err); !ok || failure.Kind != protocol.KindInvalid {
		t.Errorf("a relative entry: %v", err)
	}
	if err := <-written; !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the writer ended with %v", err)
	}
}

func TestStreamThatFailsIsTheCallersFault(t *testing.T) {
	h := hosttest.Agent(t, t.TempDir(), nil)
	broken := errors.New("the bundle cannot be read")
	_, err := h.Unpack(t.Context(), io.MultiReader(bytes.NewReader(make([]byte, 1000)), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || errors.Is(err, host.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestDial(t *testing.T) {
	h := hosttest.Agent(t, t.TempDir(), nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	conn, err := h.Dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "echo")
	got := make([]byte, 4)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "echo" {
		t.Errorf("got %q, %v", got, err)
	}
	conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := conn.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read past its deadline: %v", err)
	}
	conn.Close()
	listener.Close()
	if _, err := h.Dial(t.Context(), "tcp", listener.Addr().String()); err == nil || errors.Is(err, host.ErrUnreachable) {
		t.Errorf("a refused connection is the peer's fault, not the host's: %v", err)
	}
}

func TestListenAndReach(t *testing.T) {
	h := hosttest.Agent(t, t.TempDir(), nil)
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	busy := probe.Addr().String()
	defer probe.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()

	stop, errs, err := h.Listen(t.Context(), []string{addr, busy}, "nonce-1")
	if err != nil {
		t.Fatal(err)
	}
	if errs[busy] == "" || errs[addr] != "" {
		t.Errorf("listening: %v", errs)
	}
	results, err := h.Reach(t.Context(), []string{addr, busy}, 200*time.Millisecond, "nonce-1")
	if err != nil || results[0].Error != "" || results[1].Error == "" {
		t.Errorf("reach: %+v, %v", results, err)
	}
	stop()
	deadline := time.Now().Add(5 * time.Second)
	for {
		l, err := net.Listen("tcp", addr)
		if err == nil {
			l.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the address is still taken after stop")
		}
	}
}

// Datagrams come back from who knows the nonce, and from nobody else.
func TestDatagrams(t *testing.T) {
	h := hosttest.Agent(t, t.TempDir(), nil)
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, silent := free.LocalAddr().String(), taken.LocalAddr().String()
	free.Close()

	stop, errs, err := h.ListenUDP(t.Context(), []string{addr, silent}, "nonce-1")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if errs[silent] == "" || errs[addr] != "" {
		t.Errorf("listening: %v", errs)
	}
	results, err := h.ReachUDP(t.Context(), []string{addr, silent}, 700*time.Millisecond, "nonce-1")
	if err != nil || !results[0].Connected || results[0].Error != "" || results[1].Connected || results[1].Error == "" {
		t.Errorf("reach: %+v, %v", results, err)
	}
	results, err = h.ReachUDP(t.Context(), []string{addr}, 400*time.Millisecond, "nonce-2")
	if err != nil || results[0].Connected {
		t.Errorf("another nonce was answered: %+v, %v", results, err)
	}
	if _, err := h.ReachUDP(t.Context(), []string{addr}, time.Second, ""); err == nil {
		t.Error("nothing was expected, and sent")
	}
}

func TestFacts(t *testing.T) {
	root := t.TempDir()
	h := hosttest.Agent(t, root, nil)
	if err := os.WriteFile(filepath.Join(root, "hello"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	facts, err := h.Facts(t.Context(), protocol.FactsRequest{
		Files: []protocol.FileQuery{{Path: "/hello", Content: true, Digest: true}, {Path: "/none"}},
		Disks: []string{"/var/lib/etcd"},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := facts.Files["/hello"]
	if file.Content != "hello" || file.SHA256 != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" || file.Mode != 0o644 {
		t.Errorf("file: %+v", file)
	}
	if facts.Files["/none"].Exists {
		t.Error("a missing file exists")
	}
	if facts.CPUs == 0 || facts.MemoryBytes == 0 || facts.BootID == "" || len(facts.Interfaces) == 0 || facts.Disks["/var/lib/etcd"].Size == 0 {
		t.Errorf("facts: %+v", facts)
	}
}

func TestCancelledRunEndsTheProgram(t *testing.T) {
	h := hosttest.Agent(t, t.TempDir(), nil)
	pidFile := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := h.Run(ctx, host.Command{Argv: []string{"sh", "-c", "echo $$ > " + pidFile + ".new; mv " + pidFile + ".new " + pidFile + "; exec sleep 1000"}})
		done <- err
	}()
	pid := awaitFile(t, pidFile)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled run: %v", err)
	}
	await(t, "the program to end", func() bool {
		_, err := os.Stat("/proc/" + pid)
		return os.IsNotExist(err)
	})
}

func awaitFile(t *testing.T, path string) string {
	t.Helper()
	var content []byte
	await(t, path, func() bool {
		var err error
		content, err = os.ReadFile(path)
		return err == nil
	})
	return strings.TrimSpace(string(content))
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited too long for %s", what)
		case <-tick.C:
		}
	}
}

// What stands in for an API server is found healthy by a check over TCP and
// by one over HTTPS, proves itself with the certificate that it told of, and
// remembers who came and what failed.
func TestStandIn(t *testing.T) {
	h := hosttest.Agent(t, t.TempDir(), nil)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	s, err := h.StandIn(t.Context(), []string{addr}, "nonce-1")
	if err != nil || len(s.Errors) > 0 {
		t.Fatal(err, s.Errors)
	}
	defer s.Stop()
	if busy, err := h.StandIn(t.Context(), []string{addr}, "nonce-2"); err != nil || busy.Errors[addr] == "" {
		t.Errorf("a port in use: %+v, %v", busy, err)
	} else {
		busy.Stop()
	}

	check, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	check.Close()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(c tls.ConnectionState) error {
			if !bytes.Equal(c.PeerCertificates[0].Raw, s.Certificate) {
				return errors.New("another certificate")
			}
			return nil
		}},
	}}
	response, err := client.Get("https://" + addr + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK || string(body) != "nonce-1" {
		t.Errorf("it answers %s %q, %v", response.Status, body, err)
	}
	plain, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(plain, "GET /readyz HTTP/1.0\r\n\r\n")
	io.Copy(io.Discard, plain)
	plain.Close()

	for deadline := time.Now().Add(5 * time.Second); ; {
		peer := s.Report().Peers["127.0.0.1"]
		if peer.Connections == 3 && peer.Requests == 1 && peer.Failed == 1 && strings.Contains(peer.Failure, "TLS") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it reports %+v", s.Report())
		}
	}
	if r := s.Report(); os.Geteuid() == 0 {
		if r.Blind != "" || len(r.Attempts) == 0 {
			t.Errorf("it saw no attempts: %+v", r)
		}
	} else if r.Blind == "" {
		t.Error("only root can see attempts")
	}
	s.Stop()
	// The agent hears of it a moment later.
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("it listens on after Stop")
		}
	}
}
