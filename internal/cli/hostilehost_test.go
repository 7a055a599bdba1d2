package cli

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// The lies of a hostile host.
const (
	lieProgram = "program" // in its admin.conf, for the operator's machine to run
	lieFile    = "file"    // in its admin.conf, for the operator's machine to read and send
	lieEscapes = "escapes" // in all that it says
	lieEndless = "endless" // answers
	lieTypes   = "types"   // answers that are something else
	liePrompt  = "prompt"  // for sudo's password, after its agent has greeted
	lieNoise   = "noise"   // escapes from its login shell, and no agent
	lieSilence = "silence" // after its agent has greeted
)

var lies = []string{lieProgram, lieFile, lieEscapes, lieEndless, lieTypes, liePrompt, lieNoise, lieSilence}

const sudoOfOperator = "hunter2-of-operator"

// liar is a host: an SSH server whose agent lies.
type liar struct {
	port       int
	knownHosts string
	lie        string
	adminConf  string

	mu      sync.Mutex
	reached bool
	seen    bytes.Buffer // the end of what came to the agent's input
	leak    string
}

func serveLies(t *testing.T, address, lie, canary string) *liar {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(key)
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	user := fmt.Sprintf(`tokenFile: %s-secret`, canary)
	if lie == lieProgram {
		user = fmt.Sprintf(`exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: ["-c", "id > %s"], interactiveMode: Never}`, canary)
	}
	s := &liar{
		port: l.Addr().(*net.TCPAddr).Port, lie: lie,
		adminConf: fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: "https://%s:1", insecure-skip-tls-verify: true}}], users: [{name: u, user: {%s}}]}`, address, user),
	}
	s.knownHosts = fmt.Sprintf("[%s]:%d %s", address, s.port, ssh.MarshalAuthorizedKey(key.PublicKey()))
	var wg sync.WaitGroup
	var conns sync.Map
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, true)
			wg.Go(func() { s.handle(conn, config) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
		wg.Wait()
	})
	return s
}

func (s *liar) handle(conn net.Conn, config *ssh.ServerConfig) {
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
				s.run(channel, payload.Command)
				break
			}
		}
	}
}

var promptIn = regexp.MustCompile(` -p (\S+) `)

// run is the command that starts the agent.
func (s *liar) run(channel ssh.Channel, command string) {
	defer channel.Close()
	s.mu.Lock()
	s.reached = true
	s.mu.Unlock()
	if s.lie == lieNoise {
		_, _ = io.WriteString(channel, escapes+"\n")
		_, _ = io.WriteString(channel.Stderr(), escapes+"\n")
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{1}))
		return
	}
	_, _ = io.WriteString(channel, protocol.Greeting+"\n")
	ended := make(chan struct{})
	defer close(ended)
	spoken := make(chan struct{}) // Quorate has read the greeting: it speaks to the agent
	if found := promptIn.FindStringSubmatch(command); s.lie == liePrompt && found != nil {
		go func() {
			select {
			case <-ended:
				return
			case <-spoken:
			}
			for tick := time.NewTicker(20 * time.Millisecond); ; {
				if _, err := io.WriteString(channel.Stderr(), found[1]); err != nil {
					return
				}
				select {
				case <-ended:
					tick.Stop()
					return
				case <-tick.C:
				}
			}
		}()
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	l := &oneListener{conn: &channelConn{Channel: channel, s: s, closed: make(chan struct{}), spoken: sync.OnceFunc(func() { close(spoken) })}}
	server := &http.Server{Handler: s, Protocols: &protocols}
	_ = server.Serve(l)
	<-l.conn.closed
	server.Close()
}

// ServeHTTP answers as the lie is.
func (s *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := strings.TrimPrefix(r.URL.Path, "/v1/")
	fail := func(message string) {
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(protocol.Error{Kind: protocol.KindOther, Message: message})
	}
	switch {
	case op == protocol.OpExit:
		_, _ = io.WriteString(w, "{}")
	case s.lie == lieSilence:
		<-r.Context().Done()
	case s.lie == lieEndless:
		_, _ = io.WriteString(w, `{"hostname": "`)
		for piece := bytes.Repeat([]byte("x"), 64<<10); r.Context().Err() == nil; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	case s.lie == lieTypes:
		_, _ = io.WriteString(w, `{"time": [], "files": 7, "held": "yes", "changed": {}}`+"\n")
	case op == protocol.OpLock:
		_, _ = io.WriteString(w, `{"held": true}`+"\n")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(io.Discard, r.Body)
	case op == protocol.OpRead && s.lie != lieEscapes:
		_, _ = io.WriteString(w, s.adminConf)
	case op == protocol.OpFacts:
		facts := protocol.Facts{Time: time.Now()}
		if s.lie == lieEscapes {
			fill(reflect.ValueOf(&facts).Elem(), 0)
			facts.Time = time.Now()
		}
		_ = json.NewEncoder(w).Encode(facts)
	default:
		fail("it failed: " + escapes)
	}
}

// fill puts escapes into every text of a value.
func fill(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(escapes)
	case reflect.Pointer:
		if depth < 8 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), depth+1)
			}
		}
	case reflect.Slice:
		if depth < 8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), depth+1)
		}
	case reflect.Map:
		if key := reflect.New(v.Type().Key()).Elem(); depth < 8 && key.Kind() == reflect.String {
			value := reflect.New(v.Type().Elem()).Elem()
			fill(key, depth+1)
			fill(value, depth+1)
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(key, value)
		}
	}
}

// took looks for the operator's secrets in what comes to the host.
func (s *liar) took(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.Write(p)
	for _, secret := range []string{sudoOfOperator, "LOCAL-SECRET-OF-OPERATOR"} {
		// Its beginning: what came in between two requests ends the reading of both.
		if bytes.Contains(s.seen.Bytes(), []byte(secret[:7])) {
			s.leak = secret
		}
	}
	if extra := s.seen.Len() - 1024; extra > 0 {
		s.seen.Next(extra)
	}
}

func (s *liar) wasReached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reached
}

func (s *liar) learned() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leak
}

// channelConn is an SSH channel as a connection.
type channelConn struct {
	ssh.Channel
	s      *liar
	once   sync.Once
	closed chan struct{}
	spoken func() // called with what Quorate says first
}

func (c *channelConn) Read(p []byte) (int, error) {
	n, err := c.Channel.Read(p)
	if n > 0 {
		c.spoken()
	}
	c.s.took(p[:n])
	return n, err
}

func (c *channelConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Channel.Close()
}

func (c *channelConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *channelConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *channelConn) SetDeadline(time.Time) error      { return nil }
func (c *channelConn) SetReadDeadline(time.Time) error  { return nil }
func (c *channelConn) SetWriteDeadline(time.Time) error { return nil }

// oneListener gives one connection.
type oneListener struct {
	conn  *channelConn
	given bool
}

func (l *oneListener) Accept() (net.Conn, error) {
	if l.given {
		return nil, io.EOF
	}
	l.given = true
	return l.conn, nil
}

func (l *oneListener) Close() error   { return nil }
func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }
