package secret

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"
)

// AskOnTerminal asks a question on the process's terminal, even when standard
// input and output are redirected, and reads the answer without showing it.
// When ctx ends while it waits, the terminal is set back and the error is the
// context's cause.
func AskOnTerminal(ctx context.Context, question string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", errNoTerminal
	}
	return askOn(ctx, tty, question)
}

// askOn asks on a terminal and closes it.
func askOn(ctx context.Context, tty *os.File, question string) (string, error) {
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		tty.Close()
		return "", errNoTerminal
	}
	fmt.Fprintf(tty, "%s: ", question)

	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		answered <- answer{string(text), err}
	}()
	select {
	case a := <-answered:
		fmt.Fprintln(tty)
		tty.Close()
		if a.err != nil {
			return "", fmt.Errorf("reading the terminal: %w", a.err)
		}
		return a.text, nil
	case <-ctx.Done():
		// The read cannot be ended; it goes with the process, and holds the
		// terminal open until then. What the user sees is set right now.
		if err := term.Restore(fd, before); err != nil {
			return "", fmt.Errorf("%w; the terminal could not be set back (run stty sane): %w", context.Cause(ctx), err)
		}
		fmt.Fprintln(tty)
		return "", context.Cause(ctx)
	}
}
