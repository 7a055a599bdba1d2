package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// lock holds the host's lock for as long as the request lasts and is renewed.
//
// Only the end of the renewals gives it up in good order. Every other end (the
// TTL passed, the connection broke off, the agent was told to exit) ends the
// agent, and the lock stays held until the last program that it started is
// gone: Close lets it go.
func (a *Agent) lock(w http.ResponseWriter, r *http.Request, request protocol.LockRequest) error {
	path, err := a.path(protocol.LockFile)
	if err != nil {
		return err
	}
	ttl := time.Duration(request.TTLMillis) * time.Millisecond
	if ttl <= 0 {
		ttl = protocol.LockTTL
	}
	reply, err := a.takeLock(r.Context(), path, ttl, request)
	if err != nil {
		return err
	}
	text, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	w.Write(append(text, '\n'))
	if err := control.Flush(); err != nil && reply.Held {
		a.endForLock()
		return nil
	}
	if !reply.Held {
		return nil
	}

	reason := a.keepLock(r, ttl)
	if reason == nil {
		a.releaseLock()
		return nil
	}
	a.markEnding()
	// The operator's side may be asleep rather than gone: it reads this when
	// it wakes up, and knows that its run is over.
	if text, err := json.Marshal(protocol.LockLost{Lost: reason.Error()}); err == nil {
		w.Write(append(text, '\n'))
		control.Flush()
	}
	a.endForLock()
	return nil
}

// takeLock takes the lock unless somebody else holds it.
func (a *Agent) takeLock(ctx context.Context, path string, ttl time.Duration, request protocol.LockRequest) (protocol.LockReply, error) {
	a.lockMu.Lock()
	defer a.lockMu.Unlock()
	if a.held != nil {
		return protocol.LockReply{}, protocol.Failure(protocol.KindInvalid, "this agent holds the lock already")
	}
	held, holder, err := acquireLock(ctx, path, request)
	if err != nil {
		return protocol.LockReply{}, fmt.Errorf("taking the lock %s: %w", path, err)
	}
	if held == nil {
		return protocol.LockReply{Holder: holder}, nil
	}
	if err := held.describe(request, ttl); err != nil {
		held.release()
		return protocol.LockReply{}, fmt.Errorf("writing the lock %s: %w", path, err)
	}
	a.held = held
	return protocol.LockReply{Held: true}, nil
}

// errReleased is the end of the renewals in good order.
var errReleased = errors.New("released")

// keepLock returns nil when the operator gave the lock up, else why it ends.
func (a *Agent) keepLock(r *http.Request, ttl time.Duration) error {
	renewed, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		var b [64]byte
		for {
			n, err := r.Body.Read(b[:])
			if n > 0 {
				select {
				case renewed <- struct{}{}:
				case <-r.Context().Done():
				}
			}
			if err != nil {
				if err == io.EOF {
					err = errReleased
				}
				ended <- err
				return
			}
		}
	}()
	expiry := time.NewTimer(ttl)
	defer expiry.Stop()
	for {
		select {
		case <-renewed:
			expiry.Reset(ttl)
			a.renewLock(ttl)
		case err := <-ended:
			if err == errReleased {
				return nil
			}
			return fmt.Errorf("the connection to the operator broke off: %w", err)
		case <-expiry.C:
			return fmt.Errorf("nothing was heard of the operator for %s", ttl)
		case <-r.Context().Done():
			return errors.New("the connection to the operator broke off")
		case <-a.exited.Done():
			return errors.New("the agent was told to end")
		}
	}
}

// endForLock ends the agent with everything that it runs.
func (a *Agent) endForLock() {
	a.exit()
	if a.spawner != nil {
		a.spawner.cancel()
	}
}

func (a *Agent) renewLock(ttl time.Duration) {
	a.lockMu.Lock()
	defer a.lockMu.Unlock()
	if a.held != nil {
		a.held.expireAt(time.Now().Add(ttl))
	}
}

// markEnding lets those who want the lock wait for its end, which is near.
func (a *Agent) markEnding() {
	a.lockMu.Lock()
	defer a.lockMu.Unlock()
	if a.held != nil {
		a.held.expireAt(longAgo)
	}
}

// releaseLock gives the lock up if this agent holds it.
func (a *Agent) releaseLock() {
	a.lockMu.Lock()
	defer a.lockMu.Unlock()
	if a.held != nil {
		a.held.release()
		a.held = nil
	}
}

// breakable tells whether a process is an agent, of whatever version, that
// has the lock at path open. Nothing else is ever ended for a lock. Agents
// live in a folder beside the lock.
func breakable(pid int, path string) bool {
	if pid <= 1 || pid == os.Getpid() {
		return false
	}
	proc := filepath.Join("/proc", fmt.Sprint(pid))
	program, err := os.Readlink(proc + "/exe")
	if err != nil || filepath.Dir(program) != agentsBeside(path) {
		return false
	}
	return hasOpen(proc, path)
}

// agentsBeside is the agents' folder of the same root as the lock at path.
func agentsBeside(path string) string {
	return filepath.Join(filepath.Dir(path), filepath.Base(protocol.AgentFolder))
}

// hasOpen reports whether the process has the very file at path open.
func hasOpen(proc, path string) bool {
	want, err := os.Stat(path)
	if err != nil {
		return false
	}
	entries, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return false
	}
	for _, entry := range entries {
		if info, err := os.Stat(proc + "/fd/" + entry.Name()); err == nil && os.SameFile(info, want) {
			return true
		}
	}
	return false
}
