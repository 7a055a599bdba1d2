// Package status judges a cluster: what was observed against what is desired,
// as one report that says whether it is healthy, how many more failures it
// stands, and what is wrong and what to do about it. It is pure: Of looks at
// nothing but its arguments.
//
// A problem is a cause. What merely follows from another problem (the node of
// a host that is off is not Ready, a proxy's backend on it is down) shows in
// the report's parts, not among its problems.
package status

import (
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
)

// State is the cluster's state in one word.
type State string

// The states.
const (
	Healthy     State = "healthy"     // everything is as it should be; there may be warnings
	Degraded    State = "degraded"    // the API serves, something is wrong
	Down        State = "down"        // the API does not serve, or etcd takes no writes
	Unknown     State = "unknown"     // control-plane hosts do not answer, and nobody tells whether the API serves
	Unreachable State = "unreachable" // no host answers, so nothing is known
	Absent      State = "absent"      // the hosts answer and nothing was built on them
)

// Report is the judgement. Its JSON form is stable: names stay, new ones may
// come.
type Report struct {
	Cluster string    `json:"cluster"`
	Taken   time.Time `json:"taken"` // when the cluster was observed
	State   State     `json:"state"`
	Healthy bool      `json:"healthy"`
	// Summary is the state in one line: "healthy; tolerates 1 failure".
	Summary string `json:"summary"`
	// ToleratedFailures is how many more hosts may fail, whichever they are,
	// before the API or its writes stop; ToleratedByDesign is how many may when
	// everything is healthy. Tolerance is the first in words.
	ToleratedFailures int    `json:"toleratedFailures"`
	ToleratedByDesign int    `json:"toleratedByDesign"`
	Tolerance         string `json:"tolerance"`

	Problems      []Problem      `json:"problems"`
	Kubernetes    Kubernetes     `json:"kubernetes"`
	Endpoint      Endpoint       `json:"endpoint"`
	Etcd          Etcd           `json:"etcd"`
	ControlPlanes []ControlPlane `json:"controlPlanes"`
	Nodes         []Node         `json:"nodes"`
	AddOns        []AddOn        `json:"addOns"`
	// Certificates are sorted by when they end, the soonest first.
	Certificates []Certificate `json:"certificates"`
}

// Kubernetes is the version that the file wants and the one that answered.
type Kubernetes struct {
	Desired string `json:"desired"`
	// Running is empty when no API server answered.
	Running string `json:"running,omitempty"`
}

// Endpoint is where clients reach the API.
type Endpoint struct {
	Domain string               `json:"domain"`
	Port   int                  `json:"port"`
	Mode   cluster.BalancerMode `json:"mode"`
	// VIP is the balancer's address; empty in localhost mode.
	VIP string `json:"vip,omitempty"`
	// LoadBalancers are the hosts that carry the VIP in managed mode.
	LoadBalancers []LoadBalancer `json:"loadBalancers,omitempty"`
}

// LoadBalancer is one host that carries the endpoint.
type LoadBalancer struct {
	Host     string `json:"host"`
	HoldsVIP bool   `json:"holdsVIP"`
	// Detail says in a few words why it could not take the VIP over.
	Detail string `json:"detail,omitempty"`
	Proxy  *Proxy `json:"proxy"`
}

// Etcd is the etcd cluster.
type Etcd struct {
	Members []Member `json:"members"`
	// HasQuorum tells whether writes are taken; QuorumSize is how many voters
	// that needs, HealthyVoters how many were seen healthy of Voters.
	HasQuorum     bool `json:"hasQuorum"`
	QuorumSize    int  `json:"quorumSize"`
	Voters        int  `json:"voters"`
	HealthyVoters int  `json:"healthyVoters"`
	// ToleratedFailures is how many more members may fail now.
	ToleratedFailures int `json:"toleratedFailures"`
	ToleratedByDesign int `json:"toleratedByDesign"`
}

// Member is one etcd member, or a host that should have one.
type Member struct {
	Host string `json:"host,omitempty"` // empty when the file has no host for it
	Name string `json:"name,omitempty"` // etcd's own; empty while it never started
	// Address is where etcd knows a member that no host of the file runs.
	Address string `json:"address,omitempty"`
	Healthy bool   `json:"healthy"`
	Leader  bool   `json:"leader"`
	Learner bool   `json:"learner"`
	// Detail says in a few words why it is not healthy.
	Detail  string `json:"detail,omitempty"`
	Version string `json:"version,omitempty"`
	DBBytes int64  `json:"dbBytes,omitempty"`
}

// ControlPlane is the control plane of one host.
type ControlPlane struct {
	Host  string `json:"host"`
	Ready bool   `json:"ready"` // its API server's own /readyz, verified against the cluster's authority
	// Detail says in a few words why it is not.
	Detail     string `json:"detail,omitempty"`
	TookMillis int64  `json:"tookMillis,omitempty"` // how long /readyz took
	// Scheduler and ControllerManager tell whether this host's one leads.
	Scheduler         bool `json:"leadsScheduler"`
	ControllerManager bool `json:"leadsControllerManager"`
	// Running are those of the two that run here, by their names, Down those that do
	// not. Of a host that does not answer, neither is known.
	Running []string `json:"running,omitempty"`
	Down    []string `json:"down,omitempty"`
}

// Node is a Kubernetes node, or a host that should be one.
type Node struct {
	Name  string         `json:"name"`
	Roles []cluster.Role `json:"roles,omitempty"` // as in the file; none when it is not in it
	Ready bool           `json:"ready"`
	// Detail says in a few words why it is not.
	Detail   string `json:"detail,omitempty"`
	Kubelet  string `json:"kubelet,omitempty"` // its version
	Cordoned bool   `json:"cordoned"`
	// Proxy is the node's own endpoint proxy or, in mode external, what the node
	// sees through the user's balancer; nil where it has none.
	Proxy *Proxy `json:"proxy,omitempty"`
}

// Proxy is a node's own balancer of the API servers.
type Proxy struct {
	Up    int `json:"up"`
	Total int `json:"total"`
	// Down are the API servers, by host, that it cannot reach.
	Down []string `json:"down,omitempty"`
	// Detail says why its state is not known.
	Detail string `json:"detail,omitempty"`
}

// AddOn is a workload that the cluster itself needs.
type AddOn struct {
	Name    string `json:"name"`
	Ready   int    `json:"ready"`
	Desired int    `json:"desired"`
}

// Certificate is one certificate on one host.
type Certificate struct {
	What string          `json:"what"` // "apiserver.crt", "etcd/server.crt", "admin.conf"
	Kind CertificateKind `json:"kind"`
	Host string          `json:"host"`
	Path string          `json:"path"`
	Ends time.Time       `json:"ends"`
	// DaysLeft are whole days by the host's own clock, negative once it ended.
	DaysLeft int `json:"daysLeft"`
}

// CertificateKind groups certificates that are renewed in the same way.
type CertificateKind string

// The kinds of certificates.
const (
	KindAuthority  CertificateKind = "authority"
	KindKubernetes CertificateKind = "kubernetes"
	KindEtcd       CertificateKind = "etcd"
	KindKubeconfig CertificateKind = "kubeconfig" // the client certificate in one
	KindKubelet    CertificateKind = "kubelet"    // a kubelet's own, which it renews itself
)

// Problem is something wrong and what to do about it. An error makes the
// cluster unhealthy, a warning does not.
type Problem struct {
	// Kind is for programs: "host-unreachable", "etcd-no-quorum".
	Kind     Kind          `json:"kind"`
	Severity diag.Severity `json:"severity"`
	// Subject is the host or part that it is about; empty for the whole cluster.
	Subject string `json:"subject,omitempty"`
	Summary string `json:"summary"`
	// Detail is what the host or program itself said.
	Detail string `json:"detail,omitempty"`
	Hint   string `json:"hint"`
}

// Kind names a kind of problem.
type Kind string

// The kinds of problems.
const (
	HostUnreachable     Kind = "host-unreachable"
	ClockSkew           Kind = "clock-skew"
	NeverBuilt          Kind = "never-built"
	EtcdNoQuorum        Kind = "etcd-no-quorum"
	EtcdNoLeader        Kind = "etcd-no-leader"
	EtcdMemberDown      Kind = "etcd-member-down"
	EtcdLearner         Kind = "etcd-learner"
	EtcdNotMember       Kind = "etcd-not-a-member"
	EtcdUnknownMember   Kind = "etcd-member-not-in-file"
	EtcdDivided         Kind = "etcd-two-clusters" // members are in different etcd clusters
	EtcdAlarm           Kind = "etcd-alarm"
	EtcdNearlyFull      Kind = "etcd-nearly-full"
	EtcdVersions        Kind = "etcd-versions-differ"
	EtcdEven            Kind = "etcd-even"
	APIServerNotReady   Kind = "api-server-not-ready"
	APIUnusable         Kind = "api-unusable"
	AdminConfRefused    Kind = "admin-conf-refused" // it holds what kubeadm never writes
	LeaseStale          Kind = "lease-stale"
	ProgramDown         Kind = "program-down" // the scheduler or controller manager of a host
	FileEmpty           Kind = "file-empty"
	Drift               Kind = "drift"
	VersionDiffers      Kind = "version-differs"
	HostMisplaced       Kind = "host-misplaced"  // it belongs to another cluster
	AddressDiffers      Kind = "address-differs" // from the one that the host joined with
	NodeMissing         Kind = "node-missing"
	NodeNotReady        Kind = "node-not-ready"
	NodeTrouble         Kind = "node-trouble" // DiskPressure and the like
	NodeNotInFile       Kind = "node-not-in-file"
	EndpointSwitching   Kind = "endpoint-switching" // some nodes reach the API another way than the file's
	ProxyUnreachable    Kind = "proxy-unreachable"
	ProxyBackendDown    Kind = "proxy-backend-down"
	ProxyNoBackend      Kind = "proxy-no-backend"
	ProxyBackendMissing Kind = "proxy-backend-missing"
	VIPNotCarried       Kind = "vip-not-carried" // by a load balancer that should be able to
	VIPNowhere          Kind = "vip-nowhere"
	VIPTwice            Kind = "vip-twice"
	BalancerUnreachable Kind = "balancer-unreachable"
	BalancerBackendDown Kind = "balancer-backend-down"
	BalancerStranger    Kind = "balancer-stranger"
	CertificateEnds     Kind = "certificate-ends"
	CertificateExpired  Kind = "certificate-expired"
	CertificateBad      Kind = "certificate-unreadable"
	AddOnNotReady       Kind = "add-on-not-ready"
	AddOnTogether       Kind = "add-on-together" // all its pods are on one node
)
