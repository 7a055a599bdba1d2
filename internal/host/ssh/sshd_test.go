package ssh

import (
	"bufio"
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// realServer is OpenSSH's sshd on loopback, which lets root in with a key.
type realServer struct {
	port       int
	keyPath    string
	knownHosts string
}

// startSSHD starts a real sshd for the length of the test.
func startSSHD(t testing.TB) *realServer {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("not root: a real sshd cannot be started")
	}
	path := "/usr/sbin/sshd"
	if _, err := os.Stat(path); err != nil {
		t.Skip("no /usr/sbin/sshd: install openssh-server to run this test")
	}
	dir := t.TempDir()
	hostKey := writeKey(t, filepath.Join(dir, "host_key"))
	userKey := writeKey(t, filepath.Join(dir, "user_key"))
	writeTestFile(t, filepath.Join(dir, "authorized_keys"), string(ssh.MarshalAuthorizedKey(userKey)), 0o600)
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	config := fmt.Sprintf(`Port %d
ListenAddress 127.0.0.1
HostKey %[2]s/host_key
AuthorizedKeysFile %[2]s/authorized_keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
`, port, dir)
	writeTestFile(t, filepath.Join(dir, "sshd_config"), config, 0o600)
	cmd := exec.Command(path, "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(stderr)
	listening := false
	for !listening && lines.Scan() {
		listening = strings.Contains(lines.Text(), "listening on")
	}
	if !listening {
		t.Fatal("sshd did not start")
	}
	go io.Copy(io.Discard, stderr)
	server := &realServer{port: port, keyPath: filepath.Join(dir, "user_key"), knownHosts: filepath.Join(dir, "known_hosts")}
	writeTestFile(t, server.knownHosts, fmt.Sprintf("[127.0.0.1]:%d %s", port, ssh.MarshalAuthorizedKey(hostKey)), 0o600)
	return server
}

func (s *realServer) options(t testing.TB) Options {
	return Options{
		Name: "cp-1", Address: "127.0.0.1", Port: s.port, User: "root",
		PrivateKeyPath: s.keyPath, KnownHostsPaths: []string{s.knownHosts},
		agentFolder: agentFolder(t),
	}
}

// agentFolder is a temporary stand-in for the agent's folder on a host.
func agentFolder(t testing.TB) string { return filepath.Join(t.TempDir(), "quorate", "agent") }

func writeKey(t testing.TB, path string) ssh.PublicKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	writeTestFile(t, path, string(pem.EncodeToMemory(block)), 0o600)
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writeTestFile(t testing.TB, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
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
