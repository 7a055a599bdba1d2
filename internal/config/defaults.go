package config

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
)

// Filled is a default that was filled in, for explaining the effective file.
type Filled struct {
	Path  string // such as spec.endpoint.port
	Value string
	Why   string // in a few words
}

// defaulted is one row of the table of defaults: a field, the value it gets
// when the file leaves it out, and why that value.
type defaulted struct {
	path  strict.Path
	field any // a *string, *int, *int64 or *time.Duration into the document
	value any
	why   string
}

// The defaults that do not depend on anything else.
const (
	defaultName        = "kubernetes"
	defaultDomain      = "lb.kubesphere.local"
	defaultPort        = 6443
	defaultEtcdDataDir = "/var/lib/etcd"
	defaultHeartbeat   = 100 * time.Millisecond
	defaultElection    = time.Second
	defaultEtcdQuota   = int64(2 << 30)
	defaultPodCIDR     = "10.233.64.0/18"
	defaultServiceCIDR = "10.233.0.0/18"
	defaultSSHPort     = 22
	defaultSSHTimeout  = 10 * time.Second
)

// defaultsTable is every default of a document, in the document's order. Those
// of a host's ssh block are not here: they are the cluster's.
func defaultsTable(doc *v1alpha1.Cluster, o Options) []defaulted {
	s := &doc.Spec
	rows := []defaulted{
		{"metadata.name", &doc.Metadata.Name, defaultName, "kubeadm's name for a cluster that has none"},
		{"spec.kubernetes.version", &s.Kubernetes.Version, o.DefaultKubernetes, "the newest version that this Quorate is tested with"},
		{"spec.kubernetes.dnsDomain", &s.Kubernetes.DNSDomain, "cluster.local", "Kubernetes' own"},
		{"spec.kubernetes.maxPods", &s.Kubernetes.MaxPods, 110, "Kubernetes' own"},
		{"spec.kubernetes.nodeCIDRMaskSize", &s.Kubernetes.NodeCIDRMaskSize, 24, "254 addresses a node, twice its pods"},
		{"spec.kubernetes.proxyMode", &s.Kubernetes.ProxyMode, "nftables", "faster than iptables with many services, and IPVS is on its way out"},
		{"spec.kubernetes.apiServer.port", &s.Kubernetes.APIServer.Port, defaultPort, "Kubernetes' own"},
		{"spec.ssh.timeout", &s.SSH.Timeout, defaultSSHTimeout, "long for a live host, short for a dead one"},
	}
	for i := range s.Hosts {
		rows = append(rows, defaulted{strict.Path("spec.hosts").Index(i).Key("connection"), &s.Hosts[i].Connection, connectionSSH, "the usual way"})
	}
	balancer := &s.Endpoint.LoadBalancer
	domain := defaulted{"spec.endpoint.domain", &s.Endpoint.Domain, defaultDomain, "the name that KubeSphere and KubeKey clusters use"}
	if balancer.Mode == "external" && balancer.Address != "" && !isIP(balancer.Address) {
		// A hosts file has no names of names: the balancer's is the endpoint's.
		domain.value, domain.why = balancer.Address, "the balancer's own name, which DNS knows"
	}
	rows = append(rows,
		domain,
		defaulted{"spec.endpoint.port", &s.Endpoint.Port, defaultPort, "that on which API servers usually listen"},
		defaulted{"spec.endpoint.loadBalancer.mode", &balancer.Mode, "localhost", "needs no further servers"},
	)
	if balancer.Mode == "" || balancer.Mode == "localhost" {
		rows = append(rows, defaulted{"spec.endpoint.loadBalancer.type", &balancer.Type, "haproxy", "checks backends by HTTPS /readyz"})
	}
	rows = append(rows,
		defaulted{"spec.etcd.mode", &s.Etcd.Mode, "external", "etcd keeps running, and can be mended, without the kubelet"},
		defaulted{"spec.etcd.dataDir", &s.Etcd.DataDir, defaultEtcdDataDir, "etcd's usual folder"},
		defaulted{"spec.etcd.heartbeat", &s.Etcd.Heartbeat, defaultHeartbeat, "etcd's own, right for one site"},
		defaulted{"spec.etcd.election", &s.Etcd.Election, defaultElection, "etcd's own, ten heartbeats"},
		defaulted{"spec.etcd.quotaBackendBytes", &s.Etcd.QuotaBackendBytes, defaultEtcdQuota, "etcd's own, 2 GiB"},
		defaulted{"spec.network.plugin", &s.Network.Plugin, "flannel", "small, and works everywhere"},
		defaulted{"spec.network.podCIDR", &s.Network.PodCIDR, defaultPodCIDR, "64 nodes' pods, and rarely in use elsewhere"},
		defaulted{"spec.network.serviceCIDR", &s.Network.ServiceCIDR, defaultServiceCIDR, "beside the pods' range"},
	)
	if s.Network.Plugin == "" || s.Network.Plugin == "flannel" {
		rows = append(rows, defaulted{"spec.network.flannel.backend", &s.Network.Flannel.Backend, "vxlan", "crosses routers"})
	}
	return rows
}

// fillDefaults gives every field that the file leaves out its default, and
// returns what it filled in. A field that the file gives a zero value keeps it,
// for the checks to refuse.
func fillDefaults(r *strict.Report, doc *v1alpha1.Cluster, o Options) []Filled {
	var filled []Filled
	for _, row := range defaultsTable(doc, o) {
		if r.Given(row.path) || !setIfZero(row.field, row.value) {
			continue
		}
		filled = append(filled, Filled{Path: string(row.path), Value: fmt.Sprint(row.value), Why: row.why})
	}
	return append(filled, fillHosts(r, doc)...)
}

// fillHosts fills in what hosts get from the rest of the document.
func fillHosts(r *strict.Report, doc *v1alpha1.Cluster) []Filled {
	var filled []Filled
	hosts := doc.Spec.Hosts
	anyEtcd := false
	for i := range hosts {
		p := strict.Path("spec.hosts").Index(i)
		if !r.Given(p.Key("internalAddress")) && isIP(hosts[i].Address) && setIfZero(&hosts[i].InternalAddress, hosts[i].Address) {
			filled = append(filled, Filled{string(p.Key("internalAddress")), hosts[i].Address, "the host's address"})
		}
		anyEtcd = anyEtcd || hasRole(&hosts[i], "etcd")
	}
	if anyEtcd || doc.Spec.Etcd.Mode != "external" {
		return filled
	}
	for i := range hosts {
		if hasRole(&hosts[i], "control-plane") {
			hosts[i].Roles = append(hosts[i].Roles, "etcd")
			filled = append(filled, Filled{string(strict.Path("spec.hosts").Index(i).Key("roles")), "etcd",
				"no host has the role etcd, so the control-plane hosts get it"})
		}
	}
	return filled
}

// setIfZero sets a field that is zero, and reports whether it did.
func setIfZero(field, value any) bool {
	switch f := field.(type) {
	case *string:
		return setZero(f, value.(string))
	case *int:
		return setZero(f, value.(int))
	case *int64:
		return setZero(f, value.(int64))
	case *time.Duration:
		return setZero(f, value.(time.Duration))
	}
	panic(fmt.Sprintf("defaults: no such kind of field: %T", field))
}

func setZero[T comparable](field *T, value T) bool {
	var zero T
	if *field != zero || value == zero {
		return false
	}
	*field = value
	return true
}
