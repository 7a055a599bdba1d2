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
	"time"
)

// ArgsHeader carries the base64 (standard alphabet) JSON of a request whose
// body is a stream.
const ArgsHeader = "Quorate-Args"

// Greeting is the line that an agent prints before it speaks HTTP/2. The
// operator's side passes over all that a login shell printed before it.
const Greeting = "quorate-agent/1 ready"

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

// FactsRequest names what a snapshot needs to know beyond what is always
// reported. All of it is answered in one round trip.
type FactsRequest struct {
	// Brief leaves out what is always reported (the machine, its network, its
	// listeners) and answers only what is named below. Waits that look again
	// several times a second ask for brief facts.
	Brief bool `json:"brief,omitempty"`
	// Files to describe. A missing file is reported as such, never an error.
	Files []FileQuery `json:"files,omitempty"`
	// Dirs to list, one level, names only.
	Dirs []string `json:"dirs,omitempty"`
	// Units (systemd) to describe.
	Units []string `json:"units,omitempty"`
	// Packages (of the distribution) whose installed version is wanted.
	Packages []string `json:"packages,omitempty"`
	// Candidates are those of Packages for which the host's package sources are
	// asked where they are not installed, by the host's package tool (apt, dnf).
	Candidates map[string][]string `json:"candidates,omitempty"`
	// Sysctls to read, as dotted names.
	Sysctls []string `json:"sysctls,omitempty"`
	// Modules whose presence in the running kernel is wanted.
	Modules []string `json:"modules,omitempty"`
	// Paths whose file system is to be measured (nearest existing parent).
	Disks []string `json:"disks,omitempty"`
	// Images asks for the names and digests of the images in containerd's
	// k8s.io namespace; CtrPath is the ctr to ask with.
	Images  bool   `json:"images,omitempty"`
	CtrPath string `json:"ctrPath,omitempty"`
	// LocalHTTP are health endpoints on the host itself to ask.
	LocalHTTP []HTTPQuery `json:"localHTTP,omitempty"`
	// ConnectedTo asks which programs of the host are connected to this TCP port,
	// of whatever host; 0 asks nothing.
	ConnectedTo int `json:"connectedTo,omitempty"`
}

// FileQuery asks for one file.
type FileQuery struct {
	Path string `json:"path"`
	// Content asks for the text too (at most MaxContent bytes, else it is
	// left out). Never set it for a file that holds a secret.
	Content bool `json:"content,omitempty"`
	// Digest asks for the sha256 of the content.
	Digest bool `json:"digest,omitempty"`
	// Certificate asks for the certificates found in the file as PEM
	// (certificates only, never keys); it understands PEM files and the
	// client certificate inside a kubeconfig.
	Certificate bool `json:"certificate,omitempty"`
}

// MaxContent is the most bytes of a file that Facts carries.
const MaxContent = 256 << 10

// HTTPQuery is one request the agent makes from the host's own viewpoint: a
// GET, or a POST where there is a body.
type HTTPQuery struct {
	URL string `json:"url"`
	// Body is JSON to post; empty means GET.
	Body string `json:"body,omitempty"`
	// CAFile is the path on the host of the CA that the server's
	// certificate must chain to; ServerName the name it must carry.
	CAFile     string `json:"caFile,omitempty"`
	ServerName string `json:"serverName,omitempty"`
	CertFile   string `json:"certFile,omitempty"`
	KeyFile    string `json:"keyFile,omitempty"`
	// TimeoutMillis bounds the whole exchange; 0 means 1000.
	TimeoutMillis int `json:"timeoutMillis,omitempty"`
	// UnixSocket is dialled instead of the URL's host when set.
	UnixSocket string `json:"unixSocket,omitempty"`
}

// HTTPReply is the answer to one HTTPQuery, in the order asked.
type HTTPReply struct {
	Status int    `json:"status"`          // 0 when no answer came
	Body   string `json:"body,omitempty"`  // at most 64 KiB
	Error  string `json:"error,omitempty"` // why no answer came
	Millis int64  `json:"millis"`          // how long it took
	// PeerSHA256 is the hex digest of the certificate (DER) that the server
	// proved itself with; empty without TLS.
	PeerSHA256 string `json:"peerSHA256,omitempty"`
}

// Facts is what a host is and has, as observed by its agent.
type Facts struct {
	Hostname    string    `json:"hostname"`
	MachineID   string    `json:"machineID"`
	ProductUUID string    `json:"productUUID,omitempty"`
	BootID      string    `json:"bootID"`
	Time        time.Time `json:"time"` // the host's clock when asked
	OS          OS        `json:"os"`
	Kernel      string    `json:"kernel"` // as in uname -r
	Arch        string    `json:"arch"`   // as GOARCH: amd64, arm64
	CPUs        int       `json:"cpus"`
	MemoryBytes int64     `json:"memoryBytes"`
	// Cgroup is "v1", "hybrid" or "v2".
	Cgroup string `json:"cgroup"`
	// Capabilities is the agent's bounding set (CapBnd) as a bit mask.
	Capabilities uint64          `json:"capabilities"`
	Interfaces   []Interface     `json:"interfaces"`
	DefaultRoute string          `json:"defaultRoute,omitempty"` // interface of the IPv4 default route
	Swap         []string        `json:"swap,omitempty"`         // active swap devices
	Listening    []Listener      `json:"listening"`              // TCP sockets that listen
	UID          int             `json:"uid"`
	ReadOnlyRoot bool            `json:"readOnlyRoot"`
	Resolv       []string        `json:"resolv,omitempty"` // nameservers
	NTPSynced    *bool           `json:"ntpSynced,omitempty"`
	SELinux      string          `json:"selinux,omitempty"` // enforcing, permissive or empty
	PackageTool  string          `json:"packageTool"`       // apt, dnf or empty
	Files        map[string]File `json:"files,omitempty"`
	// Dirs maps each asked directory to its sorted entries; a missing one is absent.
	Dirs map[string][]string `json:"dirs,omitempty"`
	// Units, Packages, Sysctls hold only what exists.
	Units    map[string]Unit   `json:"units,omitempty"`
	Packages map[string]string `json:"packages,omitempty"`
	// Candidates maps packages that are not installed to the versions that the
	// host's package sources have.
	Candidates map[string]string `json:"candidates,omitempty"`
	// CandidatesError is why the package sources could not be asked.
	CandidatesError string            `json:"candidatesError,omitempty"`
	Sysctls         map[string]string `json:"sysctls,omitempty"`
	Modules         map[string]bool   `json:"modules,omitempty"`
	Disks           map[string]Disk   `json:"disks,omitempty"`
	// Images maps an image's name to its manifest digest.
	Images    map[string]string `json:"images,omitempty"`
	LocalHTTP []HTTPReply       `json:"localHTTP,omitempty"`
	// Connected are the connections that ConnectedTo asked for.
	Connected []Connection `json:"connected,omitempty"`
	// Unknown says why a part that was asked for could not be told: "units",
	// "packages" or "images". What is unknown is empty, and not to be taken
	// for absent.
	Unknown map[string]string `json:"unknown,omitempty"`
}

// OS is /etc/os-release, the parts that matter.
type OS struct {
	ID         string   `json:"id"`      // debian, ubuntu, rocky …
	Version    string   `json:"version"` // VERSION_ID
	IDLike     []string `json:"idLike,omitempty"`
	PrettyName string   `json:"prettyName"`
}

// Family is "debian", "rhel" or "" when it is neither.
func (o OS) Family() string {
	for _, id := range append([]string{o.ID}, o.IDLike...) {
		switch id {
		case "debian", "ubuntu":
			return "debian"
		case "rhel", "fedora", "centos", "rocky", "almalinux":
			return "rhel"
		}
	}
	return ""
}

// Interface is a network interface that is up.
type Interface struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac,omitempty"`
	MTU       int      `json:"mtu"`
	Addresses []string `json:"addresses"` // CIDR notation
}

// Listener is a listening TCP socket.
type Listener struct {
	Address string `json:"address"` // IP, as 0.0.0.0 or ::
	Port    int    `json:"port"`
	Process string `json:"process,omitempty"`
}

// Connection is an established TCP connection that a program of the host's own
// network (its pods' are others) has to somebody.
type Connection struct {
	Address string `json:"address"` // the other end's IP
	Port    int    `json:"port"`    // the other end's
	Process string `json:"process,omitempty"`
}

// File describes one path.
type File struct {
	Exists  bool   `json:"exists"`
	Dir     bool   `json:"dir,omitempty"`
	Size    int64  `json:"size,omitempty"`
	Mode    uint32 `json:"mode,omitempty"` // permission bits
	UID     int    `json:"uid"`
	GID     int    `json:"gid"`
	SHA256  string `json:"sha256,omitempty"` // hex
	Content string `json:"content,omitempty"`
	// Certificates is PEM, leaf first, when asked for.
	Certificates string `json:"certificates,omitempty"`
}

// Unit is a systemd unit's state.
type Unit struct {
	Load         string `json:"load"`   // loaded, not-found, masked …
	Active       string `json:"active"` // active, inactive, failed, activating …
	Sub          string `json:"sub"`
	Enabled      string `json:"enabled"` // enabled, disabled, static …
	MainPID      int    `json:"mainPID,omitempty"`
	NeedsReload  bool   `json:"needsReload,omitempty"` // unit file changed on disk
	ActiveSince  int64  `json:"activeSince,omitempty"` // Unix seconds
	Restarts     int    `json:"restarts,omitempty"`
	Result       string `json:"result,omitempty"`
	FragmentPath string `json:"fragmentPath,omitempty"`
}

// Running reports whether the unit is active.
func (u Unit) Running() bool { return u.Active == "active" }

// Disk is a file system's size, in bytes, seen from a path.
type Disk struct {
	MountPoint string `json:"mountPoint"`
	Type       string `json:"type"` // ext4, xfs, overlay …
	Size       int64  `json:"size"`
	Available  int64  `json:"available"`
	ReadOnly   bool   `json:"readOnly,omitempty"`
}

// ReadRequest asks for a file's bytes.
type ReadRequest struct {
	Path string `json:"path"`
}

// WriteRequest puts the request's body at Path: to a temporary name beside
// it, synced, then renamed over it, and only when content, mode or owner differ.
// Missing parent directories are made with mode 0755 (0700 where Mode
// has no bits for others or the group).
type WriteRequest struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"` // permission bits
	UID  int    `json:"uid,omitempty"`
	GID  int    `json:"gid,omitempty"`
	// SHA256, when set, is what the body must hash to.
	SHA256 string `json:"sha256,omitempty"`
}

// WriteReply tells whether anything changed.
type WriteReply struct {
	Changed bool   `json:"changed"`
	SHA256  string `json:"sha256"`
}

// RemoveRequest removes Path; a missing one is no error.
type RemoveRequest struct {
	Path      string `json:"path"`
	Recursive bool   `json:"recursive,omitempty"`
	// Unmount also lazily unmounts every mount at or below Path first.
	Unmount bool `json:"unmount,omitempty"`
	// Empty removes what is in the directory Path, and Path itself unless it
	// is a mount point or a symbolic link: those are the host's own. Every
	// mount below it is lazily unmounted first; while one is left, nothing is
	// removed, so that no other file system's files are.
	Empty bool `json:"empty,omitempty"`
	// IfEmpty removes Path only if it is an empty directory and no mount point.
	IfEmpty bool `json:"ifEmpty,omitempty"`
}

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

// MkdirRequest makes Path and its parents and sets Path's mode.
type MkdirRequest struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"`
}

// ChangedReply tells whether anything changed.
type ChangedReply struct {
	Changed bool `json:"changed"`
}

// Records of a tar entry in an unpack stream, as PAX records. An entry's name
// is the absolute path it is written to; its mode is the header's mode.
const (
	PAXSHA256   = "QUORATE.sha256"   // hex sha256 of the decoded content
	PAXEncoding = "QUORATE.encoding" // "zstd" when the entry's bytes are compressed
)

// UnpackReply lists the paths whose content changed.
type UnpackReply struct {
	Changed []string `json:"changed,omitempty"`
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

// ConnectRequest opens a stream from the host to Network ("tcp" or "unix")
// Address. After a 200 the bodies of request and response carry its bytes.
type ConnectRequest struct {
	Network string `json:"network"`
	Address string `json:"address"`
	// TimeoutMillis bounds the dialling; 0 means 5000.
	TimeoutMillis int `json:"timeoutMillis,omitempty"`
	// PodIP connects from the network namespace of the pod that has this
	// address, as the pod itself would; Address must then be an IP address.
	PodIP string `json:"podIP,omitempty"`
}

// DialRequest tries to reach TCP addresses from the host, all at once.
type DialRequest struct {
	Addresses     []string `json:"addresses"`
	TimeoutMillis int      `json:"timeoutMillis"`
	// Expect, when set, is what the peer must send first (a listener's nonce).
	Expect string `json:"expect,omitempty"`
	// UDP sends Expect, which must not be empty, in datagrams until it comes
	// back; nobody answers to anything else.
	UDP bool `json:"udp,omitempty"`
}

// DialReply has one result an address, in order.
type DialReply struct {
	Results []DialResult `json:"results"`
}

// DialResult is how one dial went.
type DialResult struct {
	Error  string `json:"error,omitempty"` // empty when it connected, and sent what was expected
	Micros int64  `json:"micros"`          // time to connect
	// Connected tells that the connection came about, whatever was sent then.
	Connected bool `json:"connected,omitempty"`
	// Answer tells what came where something was expected.
	Answer Answer `json:"answer,omitempty"`
}

// Answer is what the peer of a dial sent first.
type Answer string

// The answers.
const (
	AnswerExpected Answer = "expected"
	AnswerOther    Answer = "other"   // it is somebody else
	AnswerPartial  Answer = "partial" // nothing, or the beginning, in time
)

// ListenRequest listens on TCP addresses for as long as the request lasts and
// sends Nonce to whoever connects.
type ListenRequest struct {
	Addresses []string `json:"addresses"`
	Nonce     string   `json:"nonce"`
	// HTTPS stands in for an API server instead: over TLS, with a certificate
	// made for the occasion, every request is answered with 200 and the nonce.
	// ListenReport lines then follow the reply.
	HTTPS bool `json:"https,omitempty"`
	// UDP receives datagrams instead, and sends those that are the nonce back.
	UDP bool `json:"udp,omitempty"`
}

// ListenReply is sent, as one line of JSON, when all listeners are up (or have failed).
type ListenReply struct {
	// Errors maps an address to why it could not be listened on.
	Errors map[string]string `json:"errors,omitempty"`
	// Certificate (DER) is what the HTTPS listeners prove themselves with.
	Certificate []byte `json:"certificate,omitempty"`
}

// ListenReport is what HTTPS listeners have seen since they began. It is sent
// as a line of JSON whenever it has changed.
type ListenReport struct {
	// Peers are those who connected, by IP address.
	Peers map[string]PeerReport `json:"peers,omitempty"`
	// Attempts are the connections that others began to make to the host, as
	// seen on its interfaces: also to ports that nothing listens on, and before
	// a firewall of the host's own dropped them. Sorted by From, then Port.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Blind says why attempts cannot be seen; empty when they can.
	Blind string `json:"blind,omitempty"`
}

// PeerReport counts what one peer did.
type PeerReport struct {
	Connections int `json:"connections"`
	Requests    int `json:"requests"` // answered
	// Failed counts connections on which TLS failed otherwise than by being
	// closed at once, as a check by TCP does; Failure is the last reason.
	Failed  int    `json:"failed,omitempty"`
	Failure string `json:"failure,omitempty"`
}

// Attempt counts connections begun by one IP address to one TCP port.
type Attempt struct {
	From  string `json:"from"`
	Port  int    `json:"port"`
	Count int    `json:"count"`
}

// FsyncRequest measures fdatasync of small appended writes in Dir
// (its nearest existing parent), as etcd's write-ahead log makes them.
type FsyncRequest struct {
	Dir   string `json:"dir"`
	Count int    `json:"count"` // writes of 2300 bytes
}

// FsyncReply is the distribution, in microseconds.
type FsyncReply struct {
	P50Micros int64 `json:"p50Micros"`
	P99Micros int64 `json:"p99Micros"`
	MaxMicros int64 `json:"maxMicros"`
}

// ExitRequest ends the agent. RemoveSelf also removes its folder.
type ExitRequest struct {
	RemoveSelf bool `json:"removeSelf,omitempty"`
}

// Failure formats an Error of a kind.
func Failure(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}
