package protocol

import "time"

// Faults are what drills do to a host on purpose. Every fault that lasts is a
// transient systemd unit of its own, quorate-drill-ID.service: systemd knows
// how to undo it before it is done, and does so when the unit is stopped, when
// its time is over, and when its process dies. So the fault ends though the
// connection, the agent or the operator's machine is gone. A reboot ends it,
// too: nothing of a fault is on disk but what the unit's end removes.

// FaultFolder is where a fault's unit keeps its own copy of the agent and what
// it needs to undo: root's, mode 0700, one folder a fault.
const FaultFolder = "/var/lib/quorate/drill"

// FaultEndTime is how long a host may take to undo a fault, or to say that it could
// not; FaultArmTime, to do one, or to say that it could not and has undone what it did
// of it. Who asks waits for longer.
const (
	FaultEndTime = 3 * time.Minute
	FaultArmTime = FaultEndTime + time.Minute
)

// FaultUnitPrefix begins the name of every fault's unit.
const FaultUnitPrefix = "quorate-drill-"

// FaultRequest does harm to the host. Exactly one of the pointers is set.
type FaultRequest struct {
	// ID names the fault on its host: lower-case letters, digits and "-".
	ID string `json:"id"`
	// LastsMillis is when the host undoes the fault by itself, at the latest.
	LastsMillis int64 `json:"lastsMillis"`
	// Try only asks whether the host can do this, and does nothing: an error
	// says why it cannot.
	Try bool `json:"try,omitempty"`

	Process     *ProcessFault     `json:"process,omitempty"`
	Unit        *UnitFault        `json:"unit,omitempty"`
	Network     *NetworkFault     `json:"network,omitempty"`
	Disk        *DiskFault        `json:"disk,omitempty"`
	Boot        *BootFault        `json:"boot,omitempty"`
	Clock       *ClockFault       `json:"clock,omitempty"`
	Certificate *CertificateFault `json:"certificate,omitempty"`
	Data        *DataFault        `json:"data,omitempty"`
}

// ProcessFault sends a signal to all processes of a program.
type ProcessFault struct {
	// Program is the base name of the executable: kube-apiserver, etcd.
	Program string `json:"program"`
	// Hang stops them (SIGSTOP) and lets them go on at the end; else they are
	// killed (SIGKILL), which nothing undoes but whoever restarts them.
	Hang bool `json:"hang,omitempty"`
}

// UnitFault stops a systemd unit and starts it at the end.
type UnitFault struct {
	Name string `json:"name"`
}

// NetworkFault drops packets silently, as a broken cable or switch does.
type NetworkFault struct {
	// Address is one of the host's own: the interface that carries it is cut.
	Address string `json:"address"`
	// Peers are the addresses that are cut off; none means everybody, the
	// operator too.
	Peers []string `json:"peers,omitempty"`
	// In and Out say which packets are dropped, those to the host and those
	// from it.
	In  bool `json:"in,omitempty"`
	Out bool `json:"out,omitempty"`
	// LossPercent drops this share of the packets only; 0 means all.
	LossPercent int `json:"lossPercent,omitempty"`
	// BytesPerSecond, where it is more than 0, drops only what goes beyond this
	// in either direction: a slow line.
	BytesPerSecond int64 `json:"bytesPerSecond,omitempty"`
	// DelayMillis, where it is more than 0, drops nothing: all that leaves the
	// interface does so later. It needs the kernel's netem.
	DelayMillis int64 `json:"delayMillis,omitempty"`
}

// DiskFault fills a folder's file system.
type DiskFault struct {
	Dir string `json:"dir"`
	// LeaveBytes stay free.
	LeaveBytes int64 `json:"leaveBytes"`
}

// BootFault reboots the host.
type BootFault struct {
	// Hard resets it at once: no process is asked, nothing is unmounted.
	Hard bool `json:"hard,omitempty"`
	// Off switches it off at once instead, by the kernel's sysrq, after its
	// clock was set to wake it when LastsMillis are over.
	Off bool `json:"off,omitempty"`
}

// ClockFault sets the host's clock forward, or back where it is negative.
type ClockFault struct {
	ShiftMillis int64 `json:"shiftMillis"`
}

// CertificateFault lets a program run with a certificate that has expired: one
// like the file's, of the same authority, is laid over the file (a mount, which
// a reboot ends), and the program is killed for whoever restarts it.
type CertificateFault struct {
	File string `json:"file"`
	// Authority and AuthorityKey are the files of who signed it.
	Authority    string `json:"authority"`
	AuthorityKey string `json:"authorityKey"`
	Program      string `json:"program"`
}

// DataFault takes a unit's data away: the unit is stopped, an empty file system
// is laid over the folder (a mount, which a reboot ends), and the unit is told
// to start. The unit must be one that does not start without its data.
type DataFault struct {
	Unit string `json:"unit"`
	Dir  string `json:"dir"`
	// Holds is what the unit asserts to be in the folder.
	Holds string `json:"holds"`
}

// FaultReply tells what was hit. A network fault begins BeginsMillis after
// the reply was sent, so that the reply arrives though it cuts the operator off.
type FaultReply struct {
	Processes    int   `json:"processes,omitempty"`
	FilledBytes  int64 `json:"filledBytes,omitempty"`
	BeginsMillis int64 `json:"beginsMillis,omitempty"`
}

// UndoRequest ends a fault, or every fault of the host when ID is empty.
type UndoRequest struct {
	ID string `json:"id,omitempty"`
}

// UndoReply names the faults that were ended now; one that had ended already
// is not among them. Left says of each that is not undone why.
type UndoReply struct {
	Ended []string `json:"ended,omitempty"`
	Left  []string `json:"left,omitempty"`
}
