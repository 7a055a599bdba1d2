// Package protocol is the vocabulary that the operator's side and the agent
// on a host share: the requests, the replies and the errors of every
// operation. It is data only and imports the standard library only, so the
// models (package state) can hold what a host reported as it was reported.
//
// An operation is one HTTP/2 POST to "/v1/<name>" over the agent's standard
// input and output. The request travels as JSON in the Args header when the
// body is a stream (write, unpack, run with standard input), and as the body
// otherwise. A failed operation answers with a non-2xx status and an Error.
package protocol

import (
	"fmt"
	"io/fs"
)

// ArgsHeader carries the base64 (standard alphabet) JSON of a request whose
// body is a stream.
const ArgsHeader = "Quorate-Args"

// Greeting is the line that an agent prints before it speaks HTTP/2. The
// operator's side passes over all that a login shell printed before it.
const Greeting = "quorate-agent/1 ready"

// SELinuxUnconfined is the context of a unit that runs what SELinux' targeted policy
// would let no unit run where it lies.
const SELinuxUnconfined = "system_u:system_r:unconfined_service_t:s0"

// AgentFolder is where agents live on a host: root's, mode 0700. A file's name
// there is the beginning of the hex sha256 of its content.
const AgentFolder = "/var/lib/quorate/agent"

// Names of the operations, and of their paths under "/v1/".
const (
	OpFacts    = "facts"    // FactsRequest → Facts
	OpRead     = "read"     // ReadRequest → the file's bytes
	OpWrite    = "write"    // WriteRequest + bytes → WriteReply
	OpRemove   = "remove"   // RemoveRequest → ChangedReply
	OpMkdir    = "mkdir"    // MkdirRequest → ChangedReply
	OpSync     = "sync"     // SyncRequest → ChangedReply
	OpUnpack   = "unpack"   // tar stream → UnpackReply
	OpRun      = "run"      // RunRequest + standard input → RunReply
	OpUnit     = "unit"     // UnitRequest → UnitReply
	OpPackages = "packages" // PackagesRequest → PackagesReply
	OpConnect  = "connect"  // ConnectRequest, then bytes both ways
	OpDial     = "dial"     // DialRequest → DialReply
	OpListen   = "listen"   // ListenRequest → ListenReply; listens until the request ends
	OpFsync    = "fsync"    // FsyncRequest → FsyncReply
	OpLock     = "lock"     // LockRequest + renewals → LockReply, later LockLost; see lock.go
	OpKill     = "kill"     // KillRequest → KillReply
	OpFault    = "fault"    // FaultRequest → FaultReply; see fault.go
	OpUndo     = "undo"     // UndoRequest → UndoReply
	OpExit     = "exit"     // removes the agent's folder if asked, then exits
)

// Kind classes an Error so that callers need not read its text.
type Kind string

// The kinds of errors. Everything else is KindOther.
const (
	KindNotExist   Kind = "not-exist"
	KindPermission Kind = "permission"
	KindReadOnly   Kind = "read-only"
	KindNoSpace    Kind = "no-space"
	KindInvalid    Kind = "invalid"
	KindDigest     Kind = "digest"
	KindCancelled  Kind = "cancelled"
	KindBusy       Kind = "busy" // another program is in the way; to be tried again
	KindOther      Kind = "other"
)

// Error is what a failed operation answers.
type Error struct {
	Kind    Kind   `json:"kind"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// Is lets errors.Is(err, fs.ErrNotExist) and fs.ErrPermission work across the wire.
func (e *Error) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e.Kind == KindNotExist
	case fs.ErrPermission:
		return e.Kind == KindPermission
	}
	return false
}

// ExitRequest ends the agent. RemoveSelf also removes its folder.
type ExitRequest struct {
	RemoveSelf bool `json:"removeSelf,omitempty"`
}

// Failure formats an Error of a kind.
func Failure(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}
