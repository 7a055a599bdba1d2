package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestMain lets the test program be what quorate is to a lab: its
// supervisors, the first processes of its hosts, and the way into them.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "lab" {
		os.Exit(runInternal(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

func runInternal(command string, args []string) int {
	var err error
	switch command {
	case SupervisorCommand:
		err = SuperviseHost(context.Background(), args[0], args[1])
	case InitCommand:
		err = InitHost(args[0], args[1])
	case EnterCommand:
		var status int
		if status, err = EnterHost(args[0], args[1], args[2:]); err == nil {
			return status
		}
	case "test-up":
		_, err = DefaultStore().Up(context.Background(), Spec{Name: args[0], ControlPlanes: 1, Workers: 1}, func(string) {})
	case "test-lock-holder":
		fmt.Println(recordLockHolder(args[0]))
	default:
		err = fmt.Errorf("unknown command %q", command)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	return 0
}

// holderSeenFromOutside asks another process who holds a record lock.
func holderSeenFromOutside(t *testing.T, path string) int {
	t.Helper()
	output, err := exec.Command("/proc/self/exe", "lab", "test-lock-holder", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(output)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
