package protocol

import "time"

// LockFile is a host's lock: an agent holds it with flock(2) for a run, and
// its content says for whom. It is removed when it is given up.
const LockFile = "/var/lib/quorate/lock"

// LockTTL is how long an agent holds its lock without hearing of the
// operator. After that it takes the operator for dead: it ends every program
// that it runs, then itself, so that a half-dead run cannot go on changing the
// host while somebody else starts. LockRenewal is how often the operator's
// side renews.
const (
	LockTTL     = 30 * time.Second
	LockRenewal = 5 * time.Second
)

// LockRequest takes the host's lock. The request's body carries the renewals,
// a byte each; its end gives the lock up. When the body breaks off instead,
// the operator is gone, and the agent ends as if the TTL had passed.
//
// The answer is a LockReply on one line; when it says Held, the answer stays
// open until the lock ends, and a LockLost on a line is the last thing in it
// when that was not the operator's wish.
type LockRequest struct {
	Owner   string `json:"owner"`   // user@machine
	Purpose string `json:"purpose"` // the command: apply, reset …
	RunID   string `json:"runID,omitempty"`
	// TTLMillis is the time without a renewal; 0 means LockTTL.
	TTLMillis int64 `json:"ttlMillis,omitempty"`
	// Break ends the agent that holds the lock, if one does.
	Break bool `json:"break,omitempty"`
}

// LockReply tells whether the lock is held now, and who holds it if somebody
// else does.
type LockReply struct {
	Held   bool        `json:"held"`
	Holder *LockHolder `json:"holder,omitempty"`
}

// LockHolder is who holds a host's lock; times are by the host's clock. All
// is empty while the holder has not said yet.
type LockHolder struct {
	Owner   string    `json:"owner,omitempty"`
	Purpose string    `json:"purpose,omitempty"`
	RunID   string    `json:"runID,omitempty"`
	PID     int       `json:"pid,omitempty"` // the holder's agent on the host
	Since   time.Time `json:"since,omitzero"`
	// Expires is when the lock ends unless it is renewed.
	Expires time.Time `json:"expires,omitzero"`
	// Now is the host's time of the answer.
	Now time.Time `json:"now,omitzero"`
}

// LockLost is the agent's last word on a lock that ended without the
// operator's wish.
type LockLost struct {
	Lost string `json:"lost"`
}
