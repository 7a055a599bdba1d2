package secret

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openPTY returns both ends of a new pseudo-terminal: the user's and the
// program's.
func openPTY(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { user.Close() })
	if err := unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	return user, program
}

func echoes(t *testing.T, user *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(user.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// waitForEcho polls until the terminal echoes or not, as wanted.
func waitForEcho(t *testing.T, user *os.File, want bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for echoes(t, user) != want {
		if time.Now().After(deadline) {
			t.Fatalf("the terminal's echo did not become %t", want)
		}
		time.Sleep(time.Millisecond) // the terminal has no event for this
	}
}

func TestAskOnTerminal(t *testing.T) {
	user, program := openPTY(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		answer, err := askOn(context.Background(), program, "SSH password")
		if err != nil || answer != password {
			t.Errorf("askOn = %q, %v", answer, err)
		}
	}()
	waitForEcho(t, user, false)
	fmt.Fprintln(user, password)
	shown, err := bufio.NewReader(user).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	<-done
	if want := "SSH password: \r\n"; shown != want {
		t.Errorf("the terminal showed %q, want %q", shown, want)
	}
}

func TestAskOnTerminalCancelled(t *testing.T) {
	user, program := openPTY(t)
	cancelled := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	failed := make(chan error)
	go func() {
		_, err := askOn(ctx, program, "SSH password")
		failed <- err
	}()
	waitForEcho(t, user, false)
	cancel(cancelled)
	if err := <-failed; !errors.Is(err, cancelled) {
		t.Errorf("error = %v, want the cancellation's cause", err)
	}
	if !echoes(t, user) {
		t.Error("the terminal does not echo after the cancellation")
	}
}

func TestAskWithoutTerminal(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := askOn(t.Context(), in, "SSH password"); !errors.Is(err, errNoTerminal) {
		t.Errorf("error = %v, want that there is no terminal", err)
	}
}
