package ssh

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/agent/embedded"
	"github.com/quorate/quorate/internal/agent/protocol"
)

//go:embed bootstrap.sh
var bootstrapScript string

const (
	// quietLimit is how long a host may take to answer before the agent is up
	// (sudo may look up names), uploading aside.
	quietLimit = 60 * time.Second
	// maxNoise bounds what may be printed before the agent's greeting, in bytes.
	maxNoise = 64 << 10
)

// process is a program started on a host or on this machine.
type process struct {
	stdin  io.WriteCloser
	stdout io.Reader
	stderr io.Reader
	wait   func() (exitCode int, err error)
	kill   func()
	words  *lastWords
}

// said is the end of what it printed to standard error.
func (p *process) said() string { return p.words.String() }

// starter brings up the agent of one host.
type starter struct {
	host         string
	user         string
	root         bool
	folder       string // where the agent lives on the host
	sudoPassword func(context.Context) (string, error)
	// prompt is what sudo is told to ask with, so that its question can be told from
	// all else that is printed: another one for every connection.
	prompt string
	log    *slog.Logger
	launch func(command string) (*process, error)
}

// start starts the agent, uploading it first where it is missing. Both happen
// in one command on the host.
func (s *starter) start(ctx context.Context) (*process, error) {
	s.prompt = "quorate-sudo-password-" + rand.Text() + ":"
	command, agents, err := s.command()
	if err != nil {
		return nil, err
	}
	p, err := s.launch(command)
	if err != nil {
		return nil, &AgentStartError{Host: s.host, Reason: err.Error()}
	}
	p.words = &lastWords{log: s.log, host: s.host}
	quiet := time.AfterFunc(quietLimit, p.kill)
	defer quiet.Stop()
	dialogue := &sudoDialogue{starter: s, process: p, ctx: ctx, asking: func() { quiet.Stop() }}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		io.Copy(dialogue, p.stderr)
	}()
	interrupted := context.AfterFunc(ctx, p.kill)

	buffered := bufio.NewReaderSize(p.stdout, 64<<10)
	noise, err := s.converse(buffered, p, agents, quiet)
	dialogue.end()
	if err == nil && !interrupted() {
		err = context.Cause(ctx)
	}
	if err == nil {
		p.stdout = buffered
		return p, nil
	}
	interrupted()
	if ctx.Err() != nil {
		p.kill()
		return nil, fmt.Errorf("%s: starting the agent: %w", s.host, context.Cause(ctx))
	}
	return nil, s.explain(p, dialogue, drained, noise, err)
}

// command is what the host is told to run.
func (s *starter) command() (string, map[string]embedded.Agent, error) {
	agents := map[string]embedded.Agent{}
	sums := []string{"-", "-"}
	for i, arch := range []string{"amd64", "arm64"} {
		agent, err := embedded.Find(arch)
		if errors.Is(err, embedded.ErrNotBuilt) {
			continue
		}
		if err != nil {
			return "", nil, err
		}
		agents[arch] = agent
		sums[i] = agent.SHA256
	}
	if len(agents) == 0 {
		return "", nil, fmt.Errorf("%s: %w", s.host, embedded.ErrNotBuilt)
	}
	run := "sh -c '" + oneLine(bootstrapScript) + "' quorate " + s.folder + " " + strings.Join(sums, " ")
	switch {
	case s.root:
		return run, agents, nil
	case s.sudoPassword == nil:
		return "env LC_ALL=C sudo -n -- " + run, agents, nil
	}
	return "env LC_ALL=C sudo -S -p " + s.prompt + " -- " + run, agents, nil
}

// oneLine joins a script's lines and leaves out its comments.
func oneLine(script string) string {
	var lines []string
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// errNoGreeting says that the output ended before the agent's greeting.
var errNoGreeting = errors.New("it ended before it was ready")

// converse reads what the host prints until the agent is up, and uploads the
// agent when it is asked for. Noise is what a login shell printed besides.
func (s *starter) converse(out *bufio.Reader, p *process, agents map[string]embedded.Agent, quiet *time.Timer) (noise string, err error) {
	var seen strings.Builder
	for seen.Len() < maxNoise {
		line, err := out.ReadSlice('\n')
		text := strings.TrimRight(string(line), "\r\n")
		// A shell may have printed something without ending its line.
		switch {
		case strings.HasSuffix(text, protocol.Greeting):
			return "", nil
		case strings.Contains(text, "quorate-agent unsupported "):
			_, machine, _ := strings.Cut(text, "quorate-agent unsupported ")
			return "", &AgentStartError{Host: s.host, Reason: fmt.Sprintf("the machine is %s; x86_64 and aarch64 are supported", machine)}
		case strings.Contains(text, "quorate-agent unsafe "):
			_, folder, _ := strings.Cut(text, "quorate-agent unsafe ")
			return "", &AgentStartError{Host: s.host, Reason: fmt.Sprintf("others than root may write where the agent is run from, %s: see whose it is and what they left there, then remove it, or chown it to root and chmod it go-w", folder)}
		case strings.Contains(text, "quorate-agent missing "):
			_, rest, _ := strings.Cut(text, "quorate-agent missing ")
			quiet.Stop() // the keepalives watch over the upload
			if err := s.upload(p.stdin, agents, rest); err != nil {
				return seen.String(), err
			}
			quiet.Reset(quietLimit)
			continue
		}
		seen.Write(line)
		if err != nil && err != bufio.ErrBufferFull {
			return seen.String(), errNoGreeting
		}
	}
	return seen.String(), fmt.Errorf("it printed more than %d bytes and no greeting", maxNoise)
}

// upload sends the agent to the waiting script: its size as a line, then it.
func (s *starter) upload(stdin io.Writer, agents map[string]embedded.Agent, wanted string) error {
	machine, packing, _ := strings.Cut(wanted, " ")
	arch := map[string]string{"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[machine]
	agent, ok := agents[arch]
	if !ok {
		return fmt.Errorf("%s (%s): %w", s.host, machine, embedded.ErrNotBuilt)
	}
	content, size, err := agent.Compressed()
	if err == nil && packing != "gzip" {
		content.Close()
		var program []byte
		program, err = agent.Program()
		content, size = io.NopCloser(bytes.NewReader(program)), int64(len(program))
	}
	if err != nil {
		return fmt.Errorf("%s: reading the agent inside this quorate: %w", s.host, err)
	}
	defer content.Close()
	if _, err := fmt.Fprintf(stdin, "%d\n", size); err != nil {
		return errNoGreeting // the host's own words say why
	}
	// In large pieces, and not by what the reader would give whole.
	if _, err := io.CopyBuffer(struct{ io.Writer }{stdin}, struct{ io.Reader }{content}, make([]byte, 64<<10)); err != nil {
		return errNoGreeting
	}
	return nil
}

// explain turns a failed start into an error that says what to do.
func (s *starter) explain(p *process, dialogue *sudoDialogue, drained <-chan struct{}, noise string, err error) error {
	if !errors.Is(err, errNoGreeting) {
		p.kill()
	}
	<-drained
	code, waitErr := p.wait()
	p.kill()
	words := p.said()
	if err := dialogue.failure(); err != nil {
		return err
	}
	if _, ok := errors.AsType[*AgentStartError](err); ok || errors.Is(err, embedded.ErrNotBuilt) {
		return err
	}
	if !s.root {
		if reason, ok := sudoReason(words, code); ok {
			return &SudoError{Host: s.host, User: s.user, Reason: reason, Words: words}
		}
	}
	reason := err.Error()
	switch {
	case strings.Contains(words, "Read-only file system"):
		reason = "the host's file system is read-only: look at its kernel log and remount it"
	case strings.Contains(words, "No space left"), strings.Contains(words, "Disk quota exceeded"):
		reason = "the file system of /var/lib is full: free some space there"
	case code == 126 || strings.Contains(words, "Permission denied"):
		reason = "/var/lib/quorate cannot be written or run from: check that its file system is not mounted noexec"
	case waitErr != nil && code == 0:
		reason = fmt.Sprintf("%v (%v)", err, waitErr)
	case code != 0:
		reason = fmt.Sprintf("%v, with exit code %d", err, code)
	}
	output := strings.TrimSpace(strings.TrimSpace(noise) + "\n" + words)
	return &AgentStartError{Host: s.host, Reason: reason, Output: shorten(output)}
}

func shorten(s string) string {
	const most = 2000
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return strings.ToValidUTF8(s, "�")
}

// lastWords keeps the end of a process's standard error.
type lastWords struct {
	log  *slog.Logger
	host string

	mu   sync.Mutex
	kept []byte
}

func (w *lastWords) Write(p []byte) (int, error) {
	const most = 8 << 10
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = append(w.kept, p...)
	if len(w.kept) > most {
		w.kept = append(w.kept[:0], w.kept[len(w.kept)-most:]...)
	}
	w.log.Debug("agent", "host", w.host, "stderr", string(p))
	return len(p), nil
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(string(w.kept))
}
