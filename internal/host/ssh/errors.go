package ssh

import (
	"errors"
	"fmt"
	"strings"
)

// The classes of errors of this package, for errors.Is. A host that does not
// answer is a host.ErrUnreachable.
var (
	ErrUnknownHostKey = errors.New("the host's key is not known")
	ErrHostKeyChanged = errors.New("the host's key has changed")
	ErrAuth           = errors.New("authentication failed")
	ErrSudo           = errors.New("sudo failed")
	ErrAgentStart     = errors.New("the agent did not start")
)

// UnknownHostKeyError says that a host is not in the known_hosts files.
type UnknownHostKeyError struct {
	Host        string
	Address     string
	Fingerprint string // SHA256:…
	KeyType     string
	Line        string // what would go into File
	File        string
}

func (e *UnknownHostKeyError) Error() string {
	return fmt.Sprintf("%s: the key of %s is not known: %s %s; compare it with what the host's console shows (ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub), then either run again with --accept-new-host-keys, or add this line to %s:\n%s",
		e.Host, e.Address, e.KeyType, e.Fingerprint, shortKeyType(e.KeyType), e.File, e.Line)
}

// Is makes the error an ErrUnknownHostKey.
func (e *UnknownHostKeyError) Is(target error) bool { return target == ErrUnknownHostKey }

// HostKeyChangedError says that a host shows another key than the one that is
// known: the host was reinstalled, or somebody is in between.
type HostKeyChangedError struct {
	Host        string
	Address     string
	Fingerprint string   // what it shows now
	KeyType     string   // of what it shows now
	Known       []string // fingerprint and place of what is known
	Pinned      bool     // the known one is a pinned fingerprint
}

func (e *HostKeyChangedError) Error() string {
	hint := fmt.Sprintf("only if you know that the host was reinstalled, remove the old key (ssh-keygen -R %q) and run again", e.Address)
	if e.Pinned {
		hint = "only if you know that the host was reinstalled, change the pinned fingerprint"
	}
	return fmt.Sprintf("%s: THE KEY OF %s HAS CHANGED: it shows %s %s, but %s is known; the connection may be intercepted; %s",
		e.Host, e.Address, e.KeyType, e.Fingerprint, strings.Join(e.Known, " and "), hint)
}

// Is makes the error an ErrHostKeyChanged.
func (e *HostKeyChangedError) Is(target error) bool { return target == ErrHostKeyChanged }

// AuthError says that the server took none of what it was offered.
type AuthError struct {
	Host  string
	User  string
	Tried []string // what was offered, in order, and what could not be
}

func (e *AuthError) Error() string {
	tried := "nothing: no key file, no ssh-agent and no password"
	if len(e.Tried) > 0 {
		tried = strings.Join(e.Tried, ", ")
	}
	return fmt.Sprintf("%s: the server does not let user %s in; tried %s; check user and key (privateKeyPath), or the password", e.Host, e.User, tried)
}

// Is makes the error an ErrAuth.
func (e *AuthError) Is(target error) bool { return target == ErrAuth }

// SudoReason is why sudo did not start the agent.
type SudoReason string

// The reasons that are told apart.
const (
	SudoPasswordNeeded SudoReason = "password needed"
	SudoPasswordWrong  SudoReason = "wrong password"
	SudoRefused        SudoReason = "refused"
	SudoNeedsTTY       SudoReason = "needs a terminal"
	SudoMissing        SudoReason = "not installed"
)

// SudoError says why the user could not become root.
type SudoError struct {
	Host   string
	User   string
	Reason SudoReason
	Words  string // sudo's own
}

func (e *SudoError) Error() string {
	var text string
	switch e.Reason {
	case SudoPasswordNeeded:
		text = "sudo wants a password for user %s: give it (sudoPasswordFrom), or let the user run sudo without one (NOPASSWD)"
	case SudoPasswordWrong:
		text = "sudo does not take the password of user %s: check it"
	case SudoRefused:
		text = "user %s may not use sudo on this host: add the user to its sudo (or wheel) group, or connect as root"
	case SudoNeedsTTY:
		text = "sudo wants a terminal for user %s: remove \"requiretty\" from the host's sudoers (Defaults:%[1]s !requiretty)"
	case SudoMissing:
		text = "user %s is not root and the host has no sudo: install sudo there, or connect as root"
	}
	message := e.Host + ": " + fmt.Sprintf(text, e.User)
	if e.Words != "" {
		message += fmt.Sprintf(" (sudo said: %s)", e.Words)
	}
	return message
}

// Is makes the error an ErrSudo.
func (e *SudoError) Is(target error) bool { return target == ErrSudo }

// AgentStartError says why the agent did not come up although the login worked.
type AgentStartError struct {
	Host   string
	Reason string // with its hint
	Output string // what the host printed, if anything
}

func (e *AgentStartError) Error() string {
	message := fmt.Sprintf("%s: starting the agent: %s", e.Host, e.Reason)
	if e.Output != "" {
		message += fmt.Sprintf("; the host said: %s", e.Output)
	}
	return message
}

// Is makes the error an ErrAgentStart.
func (e *AgentStartError) Is(target error) bool { return target == ErrAgentStart }

// shortKeyType is a key type's name as in the files of /etc/ssh.
func shortKeyType(keyType string) string {
	switch {
	case strings.Contains(keyType, "ed25519"):
		return "ed25519"
	case strings.Contains(keyType, "ecdsa"):
		return "ecdsa"
	}
	return "rsa"
}
