package ssh

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
)

// sudoDialogue reads what sudo and the agent print to standard error, and
// answers sudo's question for the password when it comes, and only until the
// agent has greeted: sudo is over by then, and whoever asks is not sudo. So
// nothing of it can reach the agent where sudo does not ask, and the agent's
// first byte cannot reach sudo.
type sudoDialogue struct {
	starter *starter
	process *process
	ctx     context.Context
	asking  func() // called before a person may be asked

	pending string // the last bytes, which may be the beginning of a prompt
	prompts int

	mu   sync.Mutex
	over bool // the agent has greeted, or never will
	err  error
}

func (d *sudoDialogue) Write(p []byte) (int, error) {
	n := len(p)
	if d.starter.sudoPassword == nil || d.starter.root {
		return d.process.words.Write(p)
	}
	text := d.pending + string(p)
	prompt := d.starter.prompt
	for {
		before, after, found := strings.Cut(text, prompt)
		if !found {
			break
		}
		io.WriteString(d.process.words, before)
		text = after
		d.answer()
	}
	// Keep back what may be the prompt's beginning.
	keep := 0
	for i := min(len(prompt)-1, len(text)); i > 0; i-- {
		if strings.HasSuffix(text, prompt[:i]) {
			keep = i
			break
		}
	}
	d.pending = text[len(text)-keep:]
	if text = text[:len(text)-keep]; text != "" {
		io.WriteString(d.process.words, text)
	}
	return n, nil
}

// answer gives the password once; a second question means that it was wrong.
func (d *sudoDialogue) answer() {
	if d.ended() {
		return // nobody is asked for a password that is not given
	}
	d.prompts++
	if d.prompts > 1 {
		d.fail(&SudoError{Host: d.starter.host, User: d.starter.user, Reason: SudoPasswordWrong})
		return
	}
	d.asking()
	password, err := d.starter.sudoPassword(d.ctx)
	if err == nil && strings.ContainsAny(password, "\n\x00") {
		err = fmt.Errorf("a password cannot hold a line break")
	}
	if err != nil {
		d.fail(fmt.Errorf("%s: the password for sudo: %w", d.starter.host, err))
		return
	}
	if !d.ended() { // a person may have taken long
		io.WriteString(d.process.stdin, password+"\n")
	}
}

func (d *sudoDialogue) ended() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

// end is called once the agent has greeted, or will not any more.
func (d *sudoDialogue) end() {
	d.mu.Lock()
	d.over = true
	d.mu.Unlock()
}

func (d *sudoDialogue) fail(err error) {
	d.mu.Lock()
	if d.err == nil {
		d.err = err
	}
	d.mu.Unlock()
	d.process.kill()
}

func (d *sudoDialogue) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// sudoReason recognizes why sudo refused from its words (in the C locale) and
// the exit code of the command.
func sudoReason(words string, exitCode int) (SudoReason, bool) {
	has := func(s string) bool { return strings.Contains(words, s) }
	switch {
	case has("sudo: not found"), has("sudo: command not found"), has("Unknown command: sudo"),
		has("sudo: No such file or directory"), has("‘sudo’: No such file"), has("'sudo': No such file"):
		return SudoMissing, true
	case has("you must have a tty"), has("no tty present"):
		return SudoNeedsTTY, true
	case has("Sorry, try again"), has("incorrect password"):
		return SudoPasswordWrong, true
	case has("not in the sudoers file"), has("is not allowed to"), has("may not run sudo"):
		return SudoRefused, true
	case has("a password is required"), has("a terminal is required to read the password"), has("no password was provided"):
		return SudoPasswordNeeded, true
	case exitCode == 127 && has("sudo"):
		return SudoMissing, true
	}
	return "", false
}
