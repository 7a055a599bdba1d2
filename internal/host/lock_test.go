package host_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent"
	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
)

// agentOn serves root as one operator's agent would; cut breaks the
// connection off, and ended is closed when the agent has ended.
func agentOn(t *testing.T, name, root string) (h *host.Host, cut func(), ended <-chan struct{}) {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan struct{})
	server := agent.New(agent.Options{Root: root})
	go func() {
		defer close(done)
		server.Serve(context.Background(), far)
	}()
	h, err := host.NewConn(t.Context(), name, near, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Close(context.Background())
		<-done
	})
	return h, func() { near.Close() }, done
}

var alice = protocol.LockRequest{Owner: "alice@desk", Purpose: "apply", RunID: "20261121-1"}

func TestLockRefusesTheSecond(t *testing.T) {
	root := t.TempDir()
	first, _, _ := agentOn(t, "cp-1", root)
	second, _, _ := agentOn(t, "cp-1", root)
	held, err := first.Lock(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	_, err = second.Lock(t.Context(), protocol.LockRequest{Owner: "bob@lap"})
	locked, ok := errors.AsType[*host.LockedError](err)
	if !ok {
		t.Fatalf("the second got: %v", err)
	}
	for _, want := range []string{"cp-1", "alice@desk", "apply", "20261121-1", "since"} {
		if !strings.Contains(locked.Error(), want) {
			t.Errorf("%q does not say %q", locked, want)
		}
	}
	if !strings.Contains(locked.Hint(), "--break-lock") || !strings.Contains(locked.Hint(), "within 30s") {
		t.Errorf("hint: %s", locked.Hint())
	}
	held.Release(t.Context())
	if held.Err() != nil {
		t.Errorf("released, yet: %v", held.Err())
	}
	again, err := second.Lock(t.Context(), alice)
	if err != nil {
		t.Fatalf("after the release: %v", err)
	}
	again.Release(t.Context())
	if _, err := os.Stat(filepath.Join(root, protocol.LockFile)); !os.IsNotExist(err) {
		t.Errorf("the lock's file stays: %v", err)
	}
}

func TestLockNotRenewedEndsTheAgentAndItsPrograms(t *testing.T) {
	root := t.TempDir()
	h, _, ended := agentOn(t, "cp-1", root)
	request := alice
	request.TTLMillis = 300 // the renewals come every five seconds
	held, err := h.Lock(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() {
		_, err := h.Run(t.Context(), host.Command{Argv: []string{"sleep", "1000"}})
		ran <- err
	}()
	<-held.Done()
	if lost, ok := errors.AsType[*host.LockLostError](held.Err()); !ok || !strings.Contains(lost.Error(), "nothing was heard") {
		t.Errorf("lost with: %v", held.Err())
	}
	if err := <-ran; err == nil {
		t.Error("the program was not ended")
	}
	<-ended
	second, _, _ := agentOn(t, "cp-1", root)
	again, err := second.Lock(t.Context(), alice)
	if err != nil {
		t.Fatalf("after the TTL: %v", err)
	}
	again.Release(t.Context())
}

// The lock outlives the connection for as long as a program of the run does.
func TestLockIsFreeOnlyAfterTheLastProgram(t *testing.T) {
	root := t.TempDir()
	first, cut, ended := agentOn(t, "cp-1", root)
	held, err := first.Lock(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	marks := filepath.Join(t.TempDir(), "marks")
	// Ends half a second after it was asked to.
	program := "trap 'sleep 0.5; echo ended >>" + marks + "; exit' TERM; echo started >>" + marks + "; while :; do sleep 0.05; done"
	go first.Run(t.Context(), host.Command{Argv: []string{"sh", "-c", program}})
	for deadline := time.Now().Add(10 * time.Second); ; {
		if text, _ := os.ReadFile(marks); string(text) == "started\n" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the program did not start")
		}
		time.Sleep(5 * time.Millisecond)
	}
	cut()
	<-held.Done()
	if err := held.Err(); !errors.Is(err, host.ErrUnreachable) {
		t.Errorf("a broken connection is: %v", err)
	}
	second, _, _ := agentOn(t, "cp-1", root)
	again, err := second.Lock(t.Context(), protocol.LockRequest{Owner: "bob@lap"})
	for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); {
		// On a busy machine the first agent has not noticed yet that it is cut off.
		again, err = second.Lock(t.Context(), protocol.LockRequest{Owner: "bob@lap"})
	}
	if err != nil {
		t.Fatalf("the ending holder was not waited for: %v", err)
	}
	if text, _ := os.ReadFile(marks); string(text) != "started\nended\n" {
		t.Errorf("the lock was free while the first one's program ran: %q", text)
	}
	again.Release(t.Context())
	<-ended
}

func TestLockCancelled(t *testing.T) {
	h, _, _ := agentOn(t, "cp-1", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Lock(ctx, alice); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
