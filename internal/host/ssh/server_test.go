package ssh

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// testServer is an SSH server in this process. Commands run on this machine
// with its PATH, so that a sudo of the test's own can come first.
type testServer struct {
	t        testing.TB
	listener net.Listener
	config   *ssh.ServerConfig
	hostKey  ssh.Signer
	path     string       // PATH of the commands
	turnAway atomic.Int32 // connections to close before the handshake
	cutStart atomic.Int32 // commands at which to cut all connections
	preamble string       // printed to standard output before any command
	// instead, when set, answers a command in place of running it.
	instead func(command string, out, stderr io.Writer) int

	mu       sync.Mutex
	commands []string
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

func newSigner(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// serve starts a server; configure may change it before it does.
func serve(t testing.TB, configure func(*testServer)) *testServer {
	t.Helper()
	s := &testServer{t: t, config: &ssh.ServerConfig{}, hostKey: newSigner(t), path: os.Getenv("PATH"), conns: map[net.Conn]bool{}}
	configure(s)
	s.config.AddHostKey(s.hostKey)
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.wg.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			if s.turnAway.Add(-1) >= 0 {
				conn.Close()
				continue
			}
			s.mu.Lock()
			s.conns[conn] = true
			s.mu.Unlock()
			s.wg.Go(func() { s.handle(conn) })
		}
	})
	t.Cleanup(func() {
		s.listener.Close()
		s.cut()
		s.wg.Wait()
	})
	return s
}

// cut ends all connections at once.
func (s *testServer) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}

func (s *testServer) ran() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.commands...)
}

func (s *testServer) handle(conn net.Conn) {
	defer conn.Close()
	server, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		for request := range requests {
			if request.WantReply {
				request.Reply(false, nil) // as OpenSSH answers keepalives
			}
		}
	}()
	var wg sync.WaitGroup
	defer wg.Wait()
	for channel := range channels {
		switch channel.ChannelType() {
		case "session":
			wg.Go(func() { s.session(channel) })
		case "direct-tcpip":
			wg.Go(func() { forward(channel) })
		default:
			channel.Reject(ssh.UnknownChannelType, "no")
		}
	}
}

func (s *testServer) session(offered ssh.NewChannel) {
	channel, requests, err := offered.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	for request := range requests {
		if request.Type != "exec" {
			request.Reply(false, nil)
			continue
		}
		var payload struct{ Command string }
		ssh.Unmarshal(request.Payload, &payload)
		request.Reply(true, nil)
		s.mu.Lock()
		s.commands = append(s.commands, payload.Command)
		s.mu.Unlock()
		if s.cutStart.Add(-1) >= 0 {
			s.cut()
			return
		}
		ended := make(chan struct{})
		go func() {
			// The session's end is the end of its requests.
			ssh.DiscardRequests(requests)
			close(ended)
		}()
		code := s.exec(payload.Command, channel, ended)
		channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
		return
	}
}

func (s *testServer) exec(command string, channel ssh.Channel, ended <-chan struct{}) int {
	io.WriteString(channel, s.preamble)
	if s.instead != nil {
		return s.instead(command, channel, channel.Stderr())
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Env = []string{"PATH=" + s.path}
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		s.t.Error(err)
		return 255
	}
	if err := cmd.Start(); err != nil {
		s.t.Error(err)
		return 255
	}
	go func() {
		io.Copy(stdin, channel)
		stdin.Close()
	}()
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0
}

func forward(offered ssh.NewChannel) {
	var payload struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	ssh.Unmarshal(offered.ExtraData(), &payload)
	conn, err := net.Dial("tcp", net.JoinHostPort(payload.Host, strconv.Itoa(int(payload.Port))))
	if err != nil {
		offered.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := offered.Accept()
	if err != nil {
		conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(channel, conn); channel.Close() })
	wg.Go(func() { io.Copy(conn, channel); conn.Close() })
	wg.Wait()
}

// withPassword lets in whoever knows the password.
func withPassword(password string) func(*testServer) {
	return func(s *testServer) {
		s.config.PasswordCallback = func(_ ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
			if string(given) != password {
				return nil, errors.New("wrong password")
			}
			return nil, nil
		}
	}
}

// options reach the server as root with the password "right", the host's key
// being known.
func (s *testServer) options() Options {
	dir := s.t.TempDir()
	knownHosts := filepath.Join(dir, "known_hosts")
	writeTestFile(s.t, knownHosts, s.knownHostsLine(s.hostKey.PublicKey()), 0o600)
	return Options{
		Name: "cp-1", Address: "127.0.0.1", Port: s.port(), User: "root",
		Password:        secret("right"),
		KnownHostsPaths: []string{knownHosts},
		agentFolder:     agentFolder(s.t),
	}
}

func (s *testServer) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

func (s *testServer) knownHostsLine(key ssh.PublicKey) string {
	return fmt.Sprintf("[127.0.0.1]:%d %s", s.port(), ssh.MarshalAuthorizedKey(key))
}

func secret(value string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return value, nil }
}
