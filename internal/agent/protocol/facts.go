package protocol

import "time"

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
	// Hold keeps the connection open until every query of the request is
	// answered: a balancer that goes by the number of connections gives the next
	// one to another backend.
	Hold bool `json:"hold,omitempty"`
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
	Time        time.Time `json:"time"` // the host's clock when asked; also when Brief
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

// Running reports whether the unit is active at this moment.
func (u Unit) Running() bool { return u.Active == "active" }

// steadyAfter is how long a unit that systemd has started again by itself must have
// been active to be taken for one that stays so.
const steadyAfter = 30 * time.Second

// Up reports whether the unit runs, by the host's clock: one whose program ends
// again and again is active for a moment each time, and activating in between.
func (u Unit) Up(now time.Time) bool {
	if u.Restarts == 0 || u.ActiveSince == 0 {
		return u.Running()
	}
	since := now.Sub(time.Unix(u.ActiveSince, 0))
	return u.Running() && (since < 0 || since >= steadyAfter) // the clock may have been set
}

// Disk is a file system's size, in bytes, seen from a path.
type Disk struct {
	MountPoint string `json:"mountPoint"`
	Type       string `json:"type"` // ext4, xfs, overlay …
	Size       int64  `json:"size"`
	Available  int64  `json:"available"`
	ReadOnly   bool   `json:"readOnly,omitempty"`
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
