package agent

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
)

// A connection from a pod leaves from the pod's own network, and the agent's
// own stays what it was.
func TestDialFromPod(t *testing.T) {
	name := fmt.Sprintf("quorate-test-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Skipf("making a network namespace needs root: %v: %s", err, out)
	}
	defer exec.Command("ip", "netns", "del", name).Run()
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"address", "add", "192.0.2.77/32", "dev", "lo"}} {
		if out, err := exec.Command("ip", append([]string{"-n", name}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	outside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	address := outside.Addr().String()
	if conn, err := dialFromPod(t.Context(), net.Dialer{}, "tcp", address, "192.0.2.77"); err == nil {
		conn.Close()
		t.Error("a pod's loopback is the host's")
	}
	if conn, err := dialFromPod(t.Context(), net.Dialer{}, "tcp", address, "192.0.2.78"); err == nil {
		conn.Close()
		t.Error("a pod that is not there was dialled from")
	}
	for range 20 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("the agent's own network changed: %v", err)
		}
		conn.Close()
	}
}
