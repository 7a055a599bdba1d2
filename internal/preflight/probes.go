package preflight

import "time"

// Probes are what was tried beyond looking: connections between hosts, writes
// on disks, names resolved. What could not be tried is told as such, and never
// taken for good or bad.
type Probes struct {
	// Hosts by name; hosts that were not observed are absent.
	Hosts map[string]HostProbes
	// Paths are the connections that were tried between hosts.
	Paths []Path
	// NoListeners is why only what listened already was connected to; empty
	// where listeners were opened.
	NoListeners string
	// RoundTrips are between etcd hosts, each way.
	RoundTrips []RoundTrip
}

// HostProbes is what was tried on one host.
type HostProbes struct {
	// Loadable tells of modules that are not in the running kernel whether they
	// can be loaded.
	Loadable map[string]bool
	// Fsync is how long synced writes to etcd's disk took; nil where etcd is
	// not to run.
	Fsync *Fsync
	// Names that were resolved.
	Names map[string]Lookup
	// VIP is who answered at the virtual address; nil where it was not tried.
	VIP *VIPAnswer
}

// Fsync is a distribution of synced writes of 2300 bytes.
type Fsync struct {
	P50, P99, Max time.Duration
	Writes        int
	Error         string // why it could not be measured
}

// Lookup is how resolving a name went.
type Lookup struct {
	Addresses []string
	Error     string
}

// VIPAnswer is what answers at a virtual address that should be free.
type VIPAnswer struct {
	// Ports that were connected to, or refused a connection: somebody is there.
	Ports []int
	// MAC is the hardware address that the neighbour table gives; MACBefore is
	// the one that it gave before anything was tried.
	MAC, MACBefore string
	Error          string // why it could not be told
}

// Path is a route that was tried.
type Path struct {
	From string
	To   Target
	What string // "etcd's peers"
	// Listener is who was connected to.
	Listener Listener
	// Connected tells that the connection came about, or a datagram came back;
	// Whole that what the listener sent came through, which takes packets of
	// full size, and is not known of UDP.
	Connected, Whole bool
	Error            string // why not
	// Untried is why the host that was to connect could not be asked to.
	Untried string
}

// Listener is who listens on a port while paths are tried.
type Listener string

// The listeners.
const (
	ListenerOurs    Listener = "temporary" // one that preflight opened
	ListenerPresent Listener = "present"   // what listened already
	ListenerNone    Listener = "none"      // an installed part that does not listen just now
	ListenerFailed  Listener = "failed"    // none could be opened
)

// RoundTrip is the time that a connection takes to come about, which is one
// round trip; the least of several.
type RoundTrip struct {
	From, To string
	Took     time.Duration
}
