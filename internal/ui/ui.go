// Package ui is how a run looks in a terminal: live, plain or JSON views of
// its events, and the texts of plans and results. It sees only events, plans
// and results, never hosts.
package ui

// The rules of the interface, for whoever changes it:
//
//   - Never silent for more than ten seconds while something runs, and always
//     say what it is: host, step, for how long, what it waits for.
//   - One line says one thing. What happened stays; only the live view redraws.
//   - Failures are shown when they happen and again at the end, with host,
//     step, the failure's own words and a hint. Success is short.
//   - Everything works without colour, without UTF-8 and at 80 columns. Colour
//     and symbols repeat what words say, they never say it alone.
//   - Text from hosts is shown without its control characters: a server must
//     not be able to draw on the operator's terminal.
//   - What is drawn is a pure function of state, time and size; views only
//     feed it, so that all of it is tested without a terminal.
//   - Nothing is asked or drawn when the output isn't a terminal; JSON output
//     has nothing but JSON on it.

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/printable"
)

// Mode is a way to show a run.
type Mode string

// The modes that a user may ask for; Auto is decided by Choose.
const (
	Auto  Mode = "auto"
	Live  Mode = "live"
	Plain Mode = "plain"
	JSON  Mode = "json"
)

// Modes are the accepted values, for help texts.
func Modes() []string { return []string{string(Auto), string(Live), string(Plain), string(JSON)} }

// View shows a run's events. Send is for one goroutine at a time (event.Fan
// sees to that); Close draws what is left and gives the terminal back.
type View interface {
	Send(event.Event)
	Close() error
}

// Choose decides how to show a run on out: mode is what the user asked for,
// auto being live where out is a terminal that can do it and plain elsewhere.
// It is an error to ask for live where that can't be.
func Choose(out *os.File, mode string) (Mode, error) {
	return choose(term.IsTerminal(int(out.Fd())), mode, os.Getenv)
}

func choose(terminal bool, mode string, env func(string) string) (Mode, error) {
	able := terminal && env("TERM") != "dumb" && env("TERM") != ""
	switch Mode(mode) {
	case Auto, "":
		if able && env("CI") == "" {
			return Live, nil
		}
		return Plain, nil
	case Live:
		if !terminal {
			return "", fmt.Errorf("live output needs a terminal; use plain or json")
		}
		if !able {
			return Plain, nil // TERM=dumb: the user's terminal says that it can't
		}
		return Live, nil
	case Plain, JSON:
		return Mode(mode), nil
	}
	return "", fmt.Errorf("unknown output mode %q; it is one of %s", mode, strings.Join(Modes(), ", "))
}

// Options are what views need beyond their output.
type Options struct {
	// Interrupt is called when the user first presses Ctrl-C in the live view,
	// which reads the keyboard itself: the run should be cancelled. Elsewhere
	// Ctrl-C is the usual signal.
	Interrupt func()
	// Force is called when Ctrl-C is pressed again, after the terminal has
	// been given back: the program should exit without waiting.
	Force func()
}

// New opens the view of a mode that Choose returned.
func New(mode Mode, out *os.File, o Options) View {
	switch mode {
	case Live:
		return newLive(os.Stdin, out, LookFor(out), o)
	case JSON:
		return NewJSON(out)
	}
	return NewPlain(printable.NewOutput(out))
}
