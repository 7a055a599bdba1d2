package lock

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/quorate/quorate/internal/agent"
	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fleet is hosts as one operator sees them, and how to cut one off.
type fleet struct {
	hosts map[string]*host.Host
	cut   map[string]func()
}

// connect starts agents on the roots, as a new operator would.
func connect(t *testing.T, roots map[string]string) fleet {
	t.Helper()
	f := fleet{map[string]*host.Host{}, map[string]func(){}}
	for name, root := range roots {
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
		f.hosts[name] = h
		f.cut[name] = func() { near.Close(); <-done }
	}
	return f
}

func roots(t *testing.T, names ...string) map[string]string {
	out := map[string]string{}
	for _, name := range names {
		out[name] = t.TempDir()
	}
	return out
}

func isLocked(root string) bool {
	_, err := os.Stat(filepath.Join(root, protocol.LockFile))
	return err == nil
}

func TestAllOrNothing(t *testing.T) {
	where := roots(t, "cp-1", "cp-2", "cp-3")
	alice, bob := connect(t, where), connect(t, where)
	// Bob knows of one host only, and has it.
	only, err := Acquire(t.Context(), map[string]*host.Host{"cp-2": bob.hosts["cp-2"]}, Info{Owner: "bob@lap", Purpose: "reset"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Acquire(t.Context(), alice.hosts, Info{Owner: "alice@desk", Purpose: "apply"})
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok || len(refused.Locked) != 1 || !strings.Contains(err.Error(), "cp-2: bob@lap is working on it (reset") {
		t.Fatalf("alice got: %v", err)
	}
	if isLocked(where["cp-1"]) || isLocked(where["cp-3"]) {
		t.Error("the refused one keeps locks")
	}
	only.Release(t.Context())
	held, err := Acquire(t.Context(), alice.hosts, Info{Owner: "alice@desk", Purpose: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(t.Context(), bob.hosts, Info{Owner: "bob@lap"}); err == nil || !strings.Contains(err.Error(), "alice@desk") {
		t.Errorf("bob got: %v", err)
	}
	held.Release(t.Context())
}

// holding is a host that gives its lock, and silence one that answers nothing.
type holding struct{}

func (holding) RoundTrip(r *http.Request) (*http.Response, error) {
	out, in := io.Pipe()
	go func() {
		io.WriteString(in, `{"held": true}`+"\n")
		io.Copy(io.Discard, r.Body)
		in.Close()
	}()
	return &http.Response{StatusCode: http.StatusOK, Body: out}, nil
}

type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A host that let Quorate in and says nothing more keeps no command for ever; nobody
// works on it, since its lock was not had.
func TestSilentHostIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := map[string]*host.Host{"cp-1": host.New("cp-1", silence{}, nil), "cp-2": host.New("cp-2", holding{}, nil)}
		began := time.Now()
		held, err := Acquire(t.Context(), hosts, Info{Owner: "alice@desk", Purpose: "reset"})
		if err != nil {
			t.Fatal(err)
		}
		defer held.Release(t.Context())
		if why := held.Passed["cp-1"]; len(held.Passed) != 1 || why == nil || !strings.Contains(why.Error(), "cp-1: taking the lock: it let Quorate in, and then did not answer within 25s") {
			t.Errorf("passed over: %v", held.Passed)
		}
		if took := time.Since(began); took != takeTimeout {
			t.Errorf("it took %s, want %s", took, takeTimeout)
		}
	})
}

func TestOnlyOneOfManyGetsIt(t *testing.T) {
	where := roots(t, "cp-1", "cp-2")
	const operators = 4
	results := make(chan error, operators)
	helds := make(chan *Held, operators)
	for range operators {
		f := connect(t, where)
		go func() {
			held, err := Acquire(t.Context(), f.hosts, Info{Owner: "x@y", Purpose: "apply"})
			if err == nil {
				helds <- held
			}
			results <- err
		}()
	}
	won := 0
	for range operators {
		err := <-results
		if err == nil {
			won++
		} else if _, ok := errors.AsType[*RefusedError](err); !ok {
			t.Errorf("refused with: %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d operators hold the lock", won)
	}
	for range won {
		(<-helds).Release(t.Context())
	}
}

func TestADeadHostDoesNotStopTheRun(t *testing.T) {
	where := roots(t, "cp-1", "cp-2")
	alice := connect(t, where)
	held, err := Acquire(t.Context(), alice.hosts, Info{Owner: "alice@desk"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := held.Guard(t.Context())
	defer stop()
	dead := held.locks[0] // cp-1's: the first by name is taken first
	alice.cut["cp-1"]()
	<-dead.Done()
	if err := context.Cause(ctx); err != nil {
		t.Errorf("the run was stopped: %v", err)
	}
	held.Release(t.Context())
}

func TestALostLockStopsTheRun(t *testing.T) {
	h := connect(t, roots(t, "cp-1")).hosts["cp-1"]
	// Renewals come too seldom for this one.
	l, err := h.Lock(t.Context(), protocol.LockRequest{Owner: "alice@desk", TTLMillis: 100})
	if err != nil {
		t.Fatal(err)
	}
	held := &Held{locks: []*host.Lock{l}, lost: make(chan error, 1)}
	go held.watch(l)
	ctx, stop := held.Guard(t.Context())
	defer stop()
	<-ctx.Done()
	if _, ok := errors.AsType[*host.LockLostError](context.Cause(ctx)); !ok {
		t.Errorf("the run was stopped by: %v", context.Cause(ctx))
	}
	held.Release(t.Context())
}

func TestAHostThatIsGoneIsPassedOver(t *testing.T) {
	where := roots(t, "cp-1", "cp-2")
	alice := connect(t, where)
	alice.cut["cp-1"]()
	held, err := Acquire(t.Context(), alice.hosts, Info{Owner: "alice@desk"})
	if err != nil {
		t.Fatal(err)
	}
	if !isLocked(where["cp-2"]) {
		t.Error("the host that lives is not locked")
	}
	held.Release(t.Context())
}
