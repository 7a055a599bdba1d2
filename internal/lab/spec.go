package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
)

// Role is what a lab host is meant for; the words are those of the cluster
// file, but for ExternalBalancer, whose host is not in it.
type Role string

// The roles a lab host can have.
const (
	ControlPlane Role = "control-plane"
	Worker       Role = "worker"
	Etcd         Role = "etcd"
	LoadBalancer Role = "load-balancer"
	// ExternalBalancer is a balancer of the user's: the cluster uses it, and
	// Quorate does not manage it.
	ExternalBalancer Role = "external-balancer"
)

// The most hosts of each kind that the address plan has room for.
const (
	maxControlPlanes = 9
	maxEtcds         = 9
	maxLoadBalancers = 9
	maxWorkers       = 50
)

// Spec says which hosts a lab has.
type Spec struct {
	Name          string `json:"name"` // lower-case letters, digits and dashes; at most 20
	ControlPlanes int    `json:"controlPlanes"`
	Workers       int    `json:"workers"`
	LoadBalancers int    `json:"loadBalancers,omitempty"` // 0: each worker balances for itself
	Etcds         int    `json:"etcds,omitempty"`         // 0: etcd runs on the control-plane hosts
	ExternalLB    bool   `json:"externalLB,omitempty"`    // a balancer that Quorate does not manage is there; it carries the endpoint unless load balancers do
	SharedLB      bool   `json:"sharedLB,omitempty"`      // the control-plane hosts are the load balancers
	Kubernetes    string `json:"kubernetes,omitempty"`    // written into the cluster file; "" leaves the choice to it
}

// HostSpec is one host of a lab as planned: it follows from the Spec and the
// lab's subnet alone, so a host keeps its name, address and MAC for good,
// whatever is added beside it.
type HostSpec struct {
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
	MAC     string     `json:"mac"`
	Roles   []Role     `json:"roles"`
}

var labName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$`)

// ValidateName reports why a lab cannot be called this.
func ValidateName(name string) error {
	if !labName.MatchString(name) {
		return fmt.Errorf("lab name %q: use 1 to 20 lower-case letters, digits and dashes, with a letter or digit at both ends", name)
	}
	return nil
}

// Validate reports everything that is wrong with the spec at once.
func (s Spec) Validate() error {
	var errs []error
	if err := ValidateName(s.Name); err != nil {
		errs = append(errs, err)
	}
	for _, count := range []struct {
		what     string
		n, limit int
	}{
		{"control planes", s.ControlPlanes, maxControlPlanes},
		{"workers", s.Workers, maxWorkers},
		{"load balancers", s.LoadBalancers, maxLoadBalancers},
		{"etcds", s.Etcds, maxEtcds},
	} {
		if count.n < 0 || count.n > count.limit {
			errs = append(errs, fmt.Errorf("%d %s: a lab can have 0 to %d", count.n, count.what, count.limit))
		}
	}
	if s.ExternalLB && s.ControlPlanes == 0 {
		errs = append(errs, errors.New("an external load balancer needs control planes behind it"))
	}
	if s.SharedLB && (s.LoadBalancers > 0 || s.ExternalLB) {
		errs = append(errs, errors.New("either the control planes are the load balancers, or other hosts are"))
	}
	if s.ControlPlanes+s.Workers+s.LoadBalancers+s.Etcds < 1 {
		errs = append(errs, errors.New("a lab needs at least one host"))
	}
	return errors.Join(errs...)
}

// shrinks names the first kind of host that the spec has fewer of than old,
// or is empty. A lab only grows: taking a host away is something the cluster
// on it has to be told about.
func (s Spec) shrinks(old Spec) string {
	switch {
	case s.ControlPlanes < old.ControlPlanes:
		return "control planes"
	case s.Workers < old.Workers:
		return "workers"
	case s.LoadBalancers < old.LoadBalancers:
		return "load balancers"
	case s.Etcds < old.Etcds:
		return "etcds"
	case !s.ExternalLB && old.ExternalLB:
		return "external load balancers"
	case !s.SharedLB && old.SharedLB:
		return "load balancers on control planes"
	}
	return ""
}

// hosts lays the spec's hosts out on the lab's subnet.
func (s Spec) hosts(net subnet) []HostSpec {
	var hosts []HostSpec
	add := func(prefix string, count, firstOctet int, roles ...Role) {
		for i := 1; i <= count; i++ {
			octet := byte(firstOctet + i - 1)
			hosts = append(hosts, HostSpec{
				Name:    fmt.Sprintf("%s-%d", prefix, i),
				Address: net.host(octet),
				MAC:     net.mac(octet).String(),
				Roles:   roles,
			})
		}
	}
	controlPlaneRoles := []Role{ControlPlane, Etcd}
	if s.Etcds > 0 {
		controlPlaneRoles = []Role{ControlPlane}
	}
	if s.SharedLB {
		controlPlaneRoles = append(controlPlaneRoles, LoadBalancer)
	}
	add("cp", s.ControlPlanes, firstControlPlane, controlPlaneRoles...)
	add("etcd", s.Etcds, firstEtcd, Etcd)
	add("worker", s.Workers, firstWorker, Worker)
	add("lb", s.LoadBalancers, firstLoadBalancer, LoadBalancer)
	if s.ExternalLB {
		add("balancer", 1, firstExternalBalancer, ExternalBalancer)
	}
	return hosts
}
