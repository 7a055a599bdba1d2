package cli

import (
	"bufio"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// lyingServer is an SSH server whose host lies.
type lyingServer struct {
	port       int
	knownHosts string
	login      string // what the cluster file says besides, in ssh
}

// newHostKey makes a key for a server, or for who logs in.
func newHostKey(t *testing.T) (ed25519.PrivateKey, ssh.PublicKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return private, key
}

func knownAs(address string, port int, key ssh.PublicKey) string {
	return fmt.Sprintf("[%s]:%d %s", address, port, ssh.MarshalAuthorizedKey(key))
}

// serveInProcess is a server in this process, which lets everybody in.
func serveInProcess(t *testing.T, address string, l *liar) lyingServer {
	t.Helper()
	private, public := newHostKey(t)
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var conns sync.Map
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, true)
			wg.Go(func() { handleLying(conn, config, l) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		conns.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
		wg.Wait()
	})
	port := listener.Addr().(*net.TCPAddr).Port
	return lyingServer{port: port, knownHosts: knownAs(address, port, public)}
}

func handleLying(conn net.Conn, config *ssh.ServerConfig, l *liar) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		for r := range requests {
			var payload struct{ Command string }
			_ = ssh.Unmarshal(r.Payload, &payload)
			_ = r.Reply(r.Type == "exec", nil)
			if r.Type == "exec" {
				go ssh.DiscardRequests(requests)
				code := l.run(payload.Command, channel, channel.Stderr())
				_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
				channel.Close()
				break
			}
		}
	}
}

// asLiar makes the test's program what sshd runs on a hostile host; it holds the liar.
const asLiar = "QUORATE_TEST_AS_LIAR"

// lieBySSHD answers in the place of the command that sshd was asked for.
func lieBySSHD(description string) int {
	l := new(liar)
	if err := json.Unmarshal([]byte(description), l); err != nil {
		panic(err)
	}
	return l.run(os.Getenv("SSH_ORIGINAL_COMMAND"), stdio{os.Stdin, os.Stdout}, os.Stderr)
}

type stdio struct {
	io.Reader
	io.Writer
}

func (stdio) Close() error { return os.Stdin.Close() }

const sshd = "/usr/sbin/sshd"

// serveBySSHD is OpenSSH's sshd, which lets alice in with a key.
func serveBySSHD(t *testing.T, address string, l *liar) lyingServer {
	t.Helper()
	dir := t.TempDir()
	description, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	hostKey, hostPublic := newHostKey(t)
	userKey, userPublic := newHostKey(t)
	free, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	for path, content := range map[string]string{
		"host_key": pemOf(t, hostKey), "user_key": pemOf(t, userKey),
		"authorized_keys": string(ssh.MarshalAuthorizedKey(userPublic)),
		"liar":            fmt.Sprintf("#!/bin/sh\n%s='%s' exec '%s'\n", asLiar, description, os.Args[0]),
		"sshd_config": fmt.Sprintf(`Port %d
ListenAddress %s
HostKey %[3]s/host_key
AuthorizedKeysFile %[3]s/authorized_keys
ForceCommand %[3]s/liar
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
`, port, address, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "liar"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sshd, "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(stderr)
	for listening := false; !listening; listening = strings.Contains(lines.Text(), "listening on") {
		if !lines.Scan() {
			t.Fatal("sshd did not start")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	return lyingServer{
		port: port, knownHosts: knownAs(address, port, hostPublic),
		login: ", privateKeyPath: " + filepath.Join(dir, "user_key"),
	}
}

func pemOf(t *testing.T, key ed25519.PrivateKey) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

// addAlice makes alice a user, in the mount namespace of the test.
func addAlice(t *testing.T) {
	t.Helper()
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(path, append(passwd, "alice:x:0:0::/:/bin/sh\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(path, "/etc/passwd", "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount("/etc/passwd", syscall.MNT_DETACH) })
}
