package protocol

// KillRequest ends processes at once, with SIGKILL, until none is left that
// matches: containers and their shims, which outlive what started them.
type KillRequest struct {
	// Cgroups are paths below the hierarchies' roots, as "/kubepods.slice";
	// every process in or below one matches, in whatever hierarchy. The
	// groups themselves are removed when they are empty.
	Cgroups []string `json:"cgroups,omitempty"`
	// Programs are the paths of executables.
	Programs []string `json:"programs,omitempty"`
}

// KillReply tells how many processes were ended.
type KillReply struct {
	Ended int `json:"ended"`
}

// RunRequest runs one program. There is no shell and no word splitting.
// Standard input is the request's body. The whole process group is killed
// when the request is cancelled or the timeout passes.
type RunRequest struct {
	Argv []string `json:"argv"`
	Env  []string `json:"env,omitempty"` // KEY=value, added to a clean environment with PATH
	Dir  string   `json:"dir,omitempty"`
	// TimeoutMillis bounds the run; 0 means no bound but the request's own.
	TimeoutMillis int64 `json:"timeoutMillis,omitempty"`
	// MaxOutput bounds what is kept of each stream (the end of it); 0 means 1 MiB.
	MaxOutput int64 `json:"maxOutput,omitempty"`
}

// RunReply is how a program ended. A non-zero exit is a reply, not an Error.
type RunReply struct {
	ExitCode int    `json:"exitCode"` // 128+n when signal n ended it
	Stdout   []byte `json:"stdout,omitempty"`
	Stderr   []byte `json:"stderr,omitempty"`
	Millis   int64  `json:"millis"`
}

// UnitRequest changes a systemd unit to the state asked for; what is so
// already is left alone. Order: daemon-reload, enable, then the verb.
type UnitRequest struct {
	Name         string `json:"name"`
	DaemonReload bool   `json:"daemonReload,omitempty"`
	// Enable: "enable", "disable", "mask", "unmask" or "" for as it is.
	Enable string `json:"enable,omitempty"`
	// Verb: "start", "stop", "restart", "reload-or-restart", "reset-failed" or "".
	Verb string `json:"verb,omitempty"`
	// NoBlock does not wait for the job to finish.
	NoBlock bool `json:"noBlock,omitempty"`
}

// UnitReply is the unit's state afterwards. Journal holds its last lines when
// the verb failed.
type UnitReply struct {
	Unit    Unit `json:"unit"`
	Changed bool `json:"changed"`
	// Failure is what systemctl said when it failed, empty when it did not.
	Failure string `json:"failure,omitempty"`
	Journal string `json:"journal,omitempty"`
}

// PackagesRequest installs distribution packages. Files are local package
// files already on the host; with none the host's own sources are used.
type PackagesRequest struct {
	Names []string `json:"names"`
	Files []string `json:"files,omitempty"`
	// Remove removes Names instead.
	Remove bool `json:"remove,omitempty"`
	// LockWaitMillis bounds the wait for another program that holds the package
	// database; then the error is of KindBusy and names the program. 0 means
	// five minutes.
	LockWaitMillis int `json:"lockWaitMillis,omitempty"`
}

// PackagesReply lists what was installed or removed.
type PackagesReply struct {
	Changed []string `json:"changed,omitempty"`
	Output  string   `json:"output,omitempty"` // the end of the package tool's words
}
