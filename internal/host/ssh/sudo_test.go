package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fakeSudo reads sudo's options as the real one does, and behaves as its mode says.
const fakeSudo = `#!/bin/sh
mode=%s; password=%s
while [ $# -gt 0 ]; do
  case $1 in
    -n) noninteractive=1 ;;
    -S) stdin=1 ;;
    -p) prompt=$2; shift ;;
    --) shift; break ;;
    *) echo "sudo: bad option $1" >&2; exit 1 ;;
  esac
  shift
done
case $mode in
  free) exec "$@" ;;
  tty) echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1 ;;
  refuse) echo "alice is not in the sudoers file." >&2; exit 1 ;;
esac
[ "$noninteractive" = 1 ] && { echo "sudo: a password is required" >&2; exit 1; }
for try in 1 2 3; do
  printf %%s "$prompt" >&2
  IFS= read -r given || { echo "sudo: no password was provided" >&2; exit 1; }
  [ "$given" = "$password" ] && exec "$@"
  echo "Sorry, try again." >&2
done
echo "sudo: 3 incorrect password attempts" >&2
exit 1
`

// withSudo puts a sudo before the machine's own; it lets alice log in.
func withSudo(t *testing.T, mode, password string) *testServer {
	return serve(t, func(s *testServer) {
		withPassword("right")(s)
		dir := t.TempDir()
		writeTestFile(t, filepath.Join(dir, "sudo"), fmt.Sprintf(fakeSudo, mode, "'"+password+"'"), 0o755)
		s.path = dir + ":" + s.path
	})
}

func aliceOn(server *testServer) Options {
	options := server.options()
	options.User = "alice"
	return options
}

func TestSudo(t *testing.T) {
	t.Run("without a password", func(t *testing.T) {
		mustConnect(t, aliceOn(withSudo(t, "free", "")))
	})
	t.Run("with a password that is not wanted", func(t *testing.T) {
		options := aliceOn(withSudo(t, "free", ""))
		options.SudoPassword = func(context.Context) (string, error) {
			t.Error("the password was asked for though sudo wants none")
			return "", nil
		}
		mustConnect(t, options)
	})
	t.Run("with a password", func(t *testing.T) {
		server := withSudo(t, "ask", "s3cret and $(strange)")
		options := aliceOn(server)
		var asked atomic.Int32
		options.SudoPassword = func(context.Context) (string, error) { asked.Add(1); return "s3cret and $(strange)", nil }
		mustConnect(t, options)
		mustConnect(t, options) // with the agent there already
		if asked.Load() != 2 {
			t.Errorf("two connections asked %d times", asked.Load())
		}
		for _, command := range server.ran() {
			if strings.Contains(command, "s3cret") {
				t.Errorf("the password is in a command line: %s", command)
			}
		}
	})
	t.Run("that is refused by its source", func(t *testing.T) {
		options := aliceOn(withSudo(t, "ask", "x"))
		cause := errors.New("the vault is locked")
		options.SudoPassword = func(context.Context) (string, error) { return "", cause }
		if _, err := Connect(t.Context(), options); !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
	})

	failures := map[string]struct {
		mode   string
		given  func(context.Context) (string, error)
		reason SudoReason
		hint   string
	}{
		"wrong password":   {"ask", secret("wrong-Qx7"), SudoPasswordWrong, "check it"},
		"password needed":  {"ask", nil, SudoPasswordNeeded, "NOPASSWD"},
		"refused":          {"refuse", nil, SudoRefused, "connect as root"},
		"refused with one": {"refuse", secret("x"), SudoRefused, "connect as root"},
		"needs a terminal": {"tty", nil, SudoNeedsTTY, "requiretty"},
	}
	for name, test := range failures {
		t.Run(name, func(t *testing.T) {
			options := aliceOn(withSudo(t, test.mode, "right"))
			options.SudoPassword = test.given
			_, err := Connect(t.Context(), options)
			sudo, ok := errors.AsType[*SudoError](err)
			if !ok || !errors.Is(err, ErrSudo) || sudo.Reason != test.reason {
				t.Fatalf("got %v, want %s", err, test.reason)
			}
			text := err.Error()
			if !strings.HasPrefix(text, "cp-1: ") || !strings.Contains(text, "alice") || !strings.Contains(text, test.hint) || strings.Contains(text, "Qx7") {
				t.Errorf("unclear: %s", text)
			}
		})
	}
	t.Run("not installed", func(t *testing.T) {
		server := serve(t, func(s *testServer) {
			withPassword("right")(s)
			s.path = t.TempDir()
			env, err := exec.LookPath("env")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(env, filepath.Join(s.path, "env")); err != nil {
				t.Fatal(err)
			}
		})
		_, err := Connect(t.Context(), aliceOn(server))
		if sudo, ok := errors.AsType[*SudoError](err); !ok || sudo.Reason != SudoMissing {
			t.Errorf("got %v", err)
		}
	})
}

func TestStartFailures(t *testing.T) {
	tests := map[string]struct {
		out, stderr string
		code        int
		want        string
	}{
		"read-only":   {"quorate-agent missing x86_64 gzip\n", "mkdir: cannot create directory '/var/lib/quorate': Read-only file system\n", 1, "read-only"},
		"full":        {"quorate-agent missing x86_64 gzip\n", "head: write error: No space left on device\n", 1, "full"},
		"noexec":      {"", "sh: 1: exec: /var/lib/quorate/agent/x: Permission denied\n", 126, "noexec"},
		"no shell":    {"This account is currently not available.\n", "", 1, "This account is currently not available."},
		"sparc":       {"quorate-agent unsupported sparc64\n", "", 1, "sparc64"},
		"much noise":  {strings.Repeat("noise\n", 20000), "", 0, "no greeting"},
		"silent end":  {"", "", 0, "ended before it was ready"},
		"binary junk": {string([]byte{0xff, 0xfe, 0, 1, 2}), "", 3, "exit code 3"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := serve(t, func(s *testServer) {
				withPassword("right")(s)
				s.instead = func(_ string, out, stderr io.Writer) int {
					io.WriteString(out, test.out)
					io.WriteString(stderr, test.stderr)
					return test.code
				}
			})
			_, err := Connect(t.Context(), server.options())
			if !errors.Is(err, ErrAgentStart) || !strings.HasPrefix(err.Error(), "cp-1: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestNoisyLogin(t *testing.T) {
	server := serve(t, func(s *testServer) {
		withPassword("right")(s)
		s.preamble = "Welcome to cp-1!\nLast login: never\nno newline at the end: "
	})
	mustConnect(t, server.options())
}

func TestDamagedAgentIsReplaced(t *testing.T) {
	server := serve(t, withPassword("right"))
	options := server.options()
	mustConnect(t, options)
	entries, err := os.ReadDir(options.agentFolder)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	path := filepath.Join(options.agentFolder, entries[0].Name())
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	older := filepath.Join(options.agentFolder, "0123456789abcdef")
	writeTestFile(t, older, "an older agent", 0o700)
	if err := os.Chtimes(older, time.Time{}, time.Now().Add(-48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	mustConnect(t, options)
	if entries, err = os.ReadDir(options.agentFolder); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	if info, err := os.Stat(options.agentFolder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder's mode is %v, %v", info.Mode(), err)
	}
}

// The script travels between single quotes in one line, through whatever
// login shell the user has.
func TestScriptIsSafeToQuote(t *testing.T) {
	line := oneLine(bootstrapScript)
	if strings.ContainsAny(line, "'\\!\n") {
		t.Errorf("the script holds a character that some login shell interprets: %s", line)
	}
}
