package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// The lies of a hostile host.
const (
	lieProgram = "program" // in its admin.conf, for the operator's machine to run
	lieFile    = "file"    // in its admin.conf, for the operator's machine to read and send
	liePaths   = "paths"   // of keys and authorities, in its admin.conf
	lieEscapes = "escapes" // in all that it says
	lieEndless = "endless" // answers
	lieTypes   = "types"   // answers that are something else
	liePrompt  = "prompt"  // for sudo's password, after its agent has greeted
	lieNoise   = "noise"   // escapes from its login shell, and no agent
	lieSilence = "silence" // after its agent has greeted
)

var lies = []string{lieProgram, lieFile, liePaths, lieEscapes, lieEndless, lieTypes, liePrompt, lieNoise, lieSilence}

// The operator's secrets, which a host is not to learn.
const (
	sudoOfOperator = "hunter2-of-operator"
	localSecret    = "LOCAL-SECRET-OF-OPERATOR" // in a file of the operator's machine
)

// liar is a hostile host's agent, and what starts it there. It is one of this process or
// one of its own: what it learns it notes in a folder.
type liar struct {
	Lie       string
	AdminConf string
	Notes     string

	mu   sync.Mutex
	seen bytes.Buffer // the end of what came to the agent's input
}

func newLiar(t *testing.T, address, lie, canary string) *liar {
	user, authority := "tokenFile: "+canary+"-secret", "insecure-skip-tls-verify: true"
	switch lie {
	case lieProgram:
		user = fmt.Sprintf(`exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: ["-c", "id > %s"], interactiveMode: Never}`, canary)
	case liePaths:
		user = fmt.Sprintf("client-certificate: %[1]s-secret, client-key: %[1]s-secret", canary)
		authority = "certificate-authority: " + canary + "-secret"
	}
	return &liar{Lie: lie, Notes: t.TempDir(), AdminConf: fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: "https://%s:1", %s}}], users: [{name: u, user: {%s}}]}`, address, authority, user)}
}

// The names of what it notes.
const (
	noteReached = "reached"
	noteLeak    = "leak"
)

func (l *liar) note(name, text string) {
	if err := os.WriteFile(filepath.Join(l.Notes, name), []byte(text), 0o600); err != nil {
		panic(err)
	}
}

// noted is what it has noted; empty when it has not.
func (l *liar) noted(name string) string {
	text, _ := os.ReadFile(filepath.Join(l.Notes, name))
	return string(text)
}

var promptIn = regexp.MustCompile(` -p (\S+) `)

// run is the command that starts the agent; it gives the command's exit code.
func (l *liar) run(command string, stdio io.ReadWriteCloser, stderr io.Writer) int {
	l.note(noteReached, "yes")
	if l.Lie == lieNoise {
		_, _ = io.WriteString(stdio, escapes+"\n")
		_, _ = io.WriteString(stderr, escapes+"\n")
		return 1
	}
	_, _ = io.WriteString(stdio, protocol.Greeting+"\n")
	ended := make(chan struct{})
	defer close(ended)
	spoken := make(chan struct{}) // Quorate has read the greeting: it speaks to the agent
	if found := promptIn.FindStringSubmatch(command); l.Lie == liePrompt && found != nil {
		go func() {
			select {
			case <-ended:
				return
			case <-spoken:
			}
			for tick := time.NewTicker(20 * time.Millisecond); ; {
				if _, err := io.WriteString(stderr, found[1]); err != nil {
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
	conn := &stdioConn{ReadWriteCloser: stdio, liar: l, closed: make(chan struct{}), spoken: sync.OnceFunc(func() { close(spoken) })}
	server := &http.Server{Handler: l, Protocols: &protocols}
	_ = server.Serve(&oneListener{conn: conn})
	<-conn.closed
	server.Close()
	return 0
}

// ServeHTTP answers as the lie is.
func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := strings.TrimPrefix(r.URL.Path, "/v1/")
	fail := func(message string) {
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(protocol.Error{Kind: protocol.KindOther, Message: message})
	}
	switch {
	case op == protocol.OpExit:
		_, _ = io.WriteString(w, "{}")
	case l.Lie == lieSilence:
		<-r.Context().Done()
	case l.Lie == lieEndless:
		_, _ = io.WriteString(w, `{"hostname": "`)
		for piece := bytes.Repeat([]byte("x"), 64<<10); r.Context().Err() == nil; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	case l.Lie == lieTypes:
		_, _ = io.WriteString(w, `{"time": [], "files": 7, "held": "yes", "changed": {}}`+"\n")
	case op == protocol.OpLock:
		_, _ = io.WriteString(w, `{"held": true}`+"\n")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(io.Discard, r.Body)
	case op == protocol.OpRead && l.Lie != lieEscapes:
		_, _ = io.WriteString(w, l.AdminConf)
	case op == protocol.OpFacts:
		facts := protocol.Facts{Time: time.Now()}
		if l.Lie == lieEscapes {
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
func (l *liar) took(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen.Write(p)
	for _, secret := range []string{sudoOfOperator, localSecret} {
		// Its beginning: what came in between two requests ends the reading of both.
		if bytes.Contains(l.seen.Bytes(), []byte(secret[:7])) {
			l.note(noteLeak, secret)
		}
	}
	if extra := l.seen.Len() - 1024; extra > 0 {
		l.seen.Next(extra)
	}
}

// stdioConn is the agent's input and output as a connection.
type stdioConn struct {
	io.ReadWriteCloser
	liar   *liar
	once   sync.Once
	closed chan struct{}
	spoken func() // called with what Quorate says first
}

func (c *stdioConn) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	if n > 0 {
		c.spoken()
	}
	c.liar.took(p[:n])
	return n, err
}

func (c *stdioConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.ReadWriteCloser.Close()
}

func (c *stdioConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *stdioConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *stdioConn) SetDeadline(time.Time) error      { return nil }
func (c *stdioConn) SetReadDeadline(time.Time) error  { return nil }
func (c *stdioConn) SetWriteDeadline(time.Time) error { return nil }

// oneListener gives one connection.
type oneListener struct {
	conn  net.Conn
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
