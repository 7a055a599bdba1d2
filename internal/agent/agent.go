// Package agent is the side of Quorate that runs on a host for the length of
// a run: it answers the operations of package protocol over one connection,
// its own standard input and output, and leaves nothing running behind when
// that connection ends. What is to outlive it, a drill's fault, runs as a copy of it under
// a unit of its own.
//
// It runs on Linux only and imports the standard library, the protocol, and
// a zstd decoder (binaries travel compressed, since the operator's uplink is
// the scarce thing), so that it stays a few megabytes.
package agent

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// Options are what an Agent may be told. The zero value serves the host itself.
type Options struct {
	// Root is prefixed to every path of an operation; empty means the host's
	// own root. Tests serve a temporary directory.
	Root string
	// Exec starts programs in place of the agent itself when set; tests stub
	// run, unit and packages through it.
	Exec func(ctx context.Context, cmd Command) (protocol.RunReply, error)
	// OwnFolder is removed by the exit operation when it is asked to;
	// empty means that there is nothing to remove.
	OwnFolder string
	// Log receives what goes wrong outside any operation; nil discards it.
	Log *slog.Logger
}

// Agent answers operations on one host.
type Agent struct {
	root      string
	ownFolder string
	log       *slog.Logger
	exec      func(ctx context.Context, cmd Command) (protocol.RunReply, error)
	spawner   *spawner
	exit      context.CancelFunc // ends serving; set by Serve
	exited    context.Context

	lockMu sync.Mutex
	held   *lockFile // the host's lock, where this agent holds it
}

// New makes an agent. Close must be called to end what it started.
func New(options Options) *Agent {
	a := &Agent{
		root:      options.Root,
		ownFolder: options.OwnFolder,
		log:       options.Log,
		exec:      options.Exec,
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.exec == nil {
		a.spawner = newSpawner()
		a.exec = a.spawner.run
	}
	a.exited, a.exit = context.WithCancel(context.Background())
	return a
}

// Close kills the process groups that the agent started, waits for them, and
// then gives up the host's lock if the agent holds it.
func (a *Agent) Close() {
	a.exit()
	if a.spawner != nil {
		a.spawner.close()
	}
	a.releaseLock()
}

// Handler answers the operations under "/v1/".
func (a *Agent) Handler() http.Handler {
	mux := http.NewServeMux()
	handle(mux, protocol.OpFacts, a.facts)
	handle(mux, protocol.OpRemove, a.remove)
	handle(mux, protocol.OpMkdir, a.mkdir)
	handle(mux, protocol.OpSync, a.sync)
	handle(mux, protocol.OpUnit, a.unit)
	handle(mux, protocol.OpPackages, a.packages)
	handle(mux, protocol.OpDial, a.dial)
	handle(mux, protocol.OpFsync, a.fsync)
	handle(mux, protocol.OpKill, a.kill)
	handle(mux, protocol.OpFault, a.fault)
	handle(mux, protocol.OpUndo, a.undo)
	handle(mux, protocol.OpExit, a.exitOp)
	stream(mux, protocol.OpRead, a.read)
	stream(mux, protocol.OpWrite, a.write)
	stream(mux, protocol.OpUnpack, a.unpack)
	stream(mux, protocol.OpRun, a.run)
	stream(mux, protocol.OpConnect, a.connect)
	stream(mux, protocol.OpListen, a.listen)
	stream(mux, protocol.OpLock, a.lock)
	return mux
}

// maxRequest bounds a request that travels as a JSON body, in bytes.
const maxRequest = 4 << 20

// handle registers an operation whose request and reply are both JSON bodies.
func handle[Request, Reply any](mux *http.ServeMux, name string, op func(context.Context, Request) (Reply, error)) {
	mux.HandleFunc("POST /v1/"+name, func(w http.ResponseWriter, r *http.Request) {
		var request Request
		body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
		switch {
		case err != nil:
			fail(w, fmt.Errorf("reading the request: %w", err))
			return
		case len(body) > maxRequest:
			fail(w, protocol.Failure(protocol.KindInvalid, "the request is larger than %d bytes", maxRequest))
			return
		}
		if len(body) > 0 {
			if err := json.Unmarshal(body, &request); err != nil {
				fail(w, protocol.Failure(protocol.KindInvalid, "malformed request: %v", err))
				return
			}
		}
		reply, err := op(r.Context(), request)
		if err != nil {
			fail(w, err)
			return
		}
		answer(w, reply)
	})
}

// stream registers an operation whose request travels in the Args header
// because the bodies carry bytes. The operation answers by itself; an error it
// returns is sent unless it has begun to answer.
func stream[Request any](mux *http.ServeMux, name string, op func(http.ResponseWriter, *http.Request, Request) error) {
	mux.HandleFunc("POST /v1/"+name, func(w http.ResponseWriter, r *http.Request) {
		var request Request
		if header := r.Header.Get(protocol.ArgsHeader); header != "" {
			text, err := base64.StdEncoding.DecodeString(header)
			if err == nil {
				err = json.Unmarshal(text, &request)
			}
			if err != nil {
				fail(w, protocol.Failure(protocol.KindInvalid, "malformed %s header: %v", protocol.ArgsHeader, err))
				return
			}
		}
		if err := op(w, r, request); err != nil {
			fail(w, err)
		}
	})
}

// answer sends a reply as JSON.
func answer(w http.ResponseWriter, reply any) {
	text, err := json.Marshal(reply)
	if err != nil {
		fail(w, fmt.Errorf("encoding the reply: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(text)
}

// fail sends err as a protocol.Error with a status that fits its kind.
func fail(w http.ResponseWriter, err error) {
	failure := asFailure(err)
	status := http.StatusInternalServerError
	switch failure.Kind {
	case protocol.KindNotExist:
		status = http.StatusNotFound
	case protocol.KindPermission:
		status = http.StatusForbidden
	case protocol.KindInvalid, protocol.KindDigest:
		status = http.StatusBadRequest
	case protocol.KindNoSpace, protocol.KindReadOnly:
		status = http.StatusInsufficientStorage
	case protocol.KindCancelled:
		status = http.StatusRequestTimeout
	}
	text, _ := json.Marshal(failure) // two strings always encode
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(text)
}

// path turns an operation's path into one on this machine. Only absolute,
// clean paths are taken, so that what is written is what was named.
func (a *Agent) path(name string) (string, error) {
	if err := checkPath(name); err != nil {
		return "", err
	}
	if a.root == "" || a.root == "/" {
		return name, nil
	}
	return filepath.Join(a.root, name), nil
}

func checkPath(name string) error {
	switch {
	case !strings.HasPrefix(name, "/"):
		return protocol.Failure(protocol.KindInvalid, "%q is not an absolute path", name)
	case strings.ContainsRune(name, 0):
		return protocol.Failure(protocol.KindInvalid, "%q holds a zero byte", name)
	case filepath.Clean(name) != name:
		return protocol.Failure(protocol.KindInvalid, "%q is not a clean path (want %q)", name, filepath.Clean(name))
	}
	return nil
}

// asFailure classes any error for the wire.
func asFailure(err error) *protocol.Error {
	if failure, ok := errors.AsType[*protocol.Error](err); ok {
		if failure.Message == err.Error() {
			return failure
		}
		return &protocol.Error{Kind: failure.Kind, Message: err.Error()}
	}
	return &protocol.Error{Kind: kindOf(err), Message: err.Error()}
}
