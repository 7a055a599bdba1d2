package ansible

import (
	"regexp"
	"strings"

	"github.com/quorate/quorate/internal/config/strict"
)

// kubeasz has groups much like kubespray's, and settings of its own: those that
// have a counterpart are read under kubespray's name for it, so that what becomes
// of a setting is said in one place.

// The groups that only kubeasz has, by their plain names.
const (
	groupBalancer = "ex_lb"
	groupHarbor   = "harbor"
	groupChrony   = "chrony"
)

// kubeaszLine is a line that only kubeasz' inventories have.
var kubeaszLine = regexp.MustCompile(`(?m)^\s*(\[ex[-_]lb\]|(CLUSTER_NETWORK|CLUSTER_CIDR|SERVICE_CIDR)\s*=)`)

// isKubeasz reports whether a file is an inventory of kubeasz'.
func isKubeasz(f *strict.File) bool { return f.Roots == nil && kubeaszLine.Match(f.Data) }

// kubeaszNames are kubeasz' names of settings, with kubespray's.
func kubeaszNames() map[string]string {
	return map[string]string{
		"K8S_VER": "kube_version", "CLUSTER_DNS_DOMAIN": "dns_domain", "MAX_PODS": "kubelet_max_pods",
		"NODE_CIDR_LEN": "kube_network_node_prefix", "PROXY_MODE": "kube_proxy_mode",
		"MASTER_CERT_HOSTS": "supplementary_addresses_in_ssl_keys", "CONTAINER_RUNTIME": "container_manager",
		"CLUSTER_NETWORK": "kube_network_plugin", "CLUSTER_CIDR": "kube_pods_subnet", "SERVICE_CIDR": "kube_service_addresses",
		"FLANNEL_BACKEND": "flannel_backend_type", "DIRECT_ROUTING": "flannel_vxlan_direct_routing",
		"ETCD_DATA_DIR": "etcd_data_dir", "INSECURE_REG": "insecure_registries", "SECURE_PORT": "kube_apiserver_port",
	}
}

// renameKubeasz makes kubeasz' settings known under kubespray's names, too. What
// its templates have where a value will be filled in is none.
func (m *importer) renameKubeasz() {
	scopes := []scope{m.inv.extra, m.inv.common}
	for _, g := range m.inv.order {
		scopes = append(scopes, g.vars, g.fileVars)
	}
	for _, h := range m.inv.hosts {
		scopes = append(scopes, h.vars, h.fileVars)
	}
	for theirs, ours := range kubeaszNames() {
		m.handled[theirs] = true
		for _, s := range scopes {
			if v, ok := s[theirs]; ok && !strings.HasPrefix(v.value.Value, "__") {
				s[ours] = v
			}
		}
	}
}

// kubeaszName is the name of a host's node: its k8s_nodename, or what kubeasz
// makes of its address.
func (m *importer) kubeaszName(p strict.Path, h *host) string {
	name, v := m.of(p, h, "k8s_nodename")
	if v == nil || strings.TrimSpace(name) == "" {
		if isAddress(h.name) {
			return "k8s-" + strings.ReplaceAll(h.name, ".", "-")
		}
		return h.name
	}
	m.r.Set(p, v.at)
	return strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), "_", "-"))
}

// leftOutOfKubeasz tells about a host of a group that is for something beside the
// cluster, and reports whether it is one.
func (m *importer) leftOutOfKubeasz(h *host) bool {
	for _, other := range []struct{ group, follows string }{
		{groupHarbor, "no image registry is installed"},
		{groupChrony, "no time server is installed"},
	} {
		if _, ok := h.isIn(other.group); ok {
			m.inv.warn(h.at, "set it up yourself", "host %s is in the group %s alone, and left out of the cluster: %s", quote(h.name), other.group, other.follows)
			return true
		}
	}
	return false
}

// kubeasz fills in what kubespray has otherwise: the endpoint, the range of node
// ports, and the cluster's name.
func (m *importer) kubeasz() {
	if s := m.cluster("NODE_PORT_RANGE"); s != nil && canonical(s.value) != "30000-32767" {
		m.nodePorts(s)
	}
	if s := m.cluster("CLUSTER_NAME"); s != nil && clusterName.MatchString(canonical(s.value)) {
		m.doc.Metadata.Name = canonical(s.value)
		m.r.Set("metadata.name", s.at)
	}
	m.kubeaszEndpoint()
	for _, h := range m.members {
		if at, ok := h.isIn(groupChrony); ok {
			m.inv.warn(at, "keep the hosts' clocks in step yourself, with chrony or systemd-timesyncd", "the group chrony is not used: no time server is installed")
			break
		}
	}
}

// clusterName is what a cluster may be called.
var clusterName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// kubeaszEndpoint makes mode managed of ex_lb, whose hosts share a virtual address.
// Without, kubeasz has a proxy on every node, as mode localhost has.
func (m *importer) kubeaszEndpoint() {
	lb := &m.doc.Spec.Endpoint.LoadBalancer
	var first *host
	for _, h := range m.members {
		if at, ok := h.isIn(groupBalancer); ok && first == nil {
			first = h
			m.r.Set(balancerPath, at)
			m.r.Set(balancerPath.Key("mode"), at)
		}
	}
	if first == nil {
		lb.Mode, lb.Type = "localhost", "nginx"
		m.r.Set(balancerPath.Key("mode"), whole(m.inv.file))
		m.r.Set(balancerPath.Key("type"), whole(m.inv.file))
		m.endpointPort(nil)
		return
	}
	lb.Mode = "managed"
	if m.text(balancerPath.Key("vip"), &lb.VIP, "EX_APISERVER_VIP") == nil {
		m.r.Errorf(balancerPath.Key("vip"), "add EX_APISERVER_VIP=ADDRESS to the hosts of ex_lb", "the hosts of ex_lb have no EX_APISERVER_VIP, the address that they share")
	}
	m.endpointPort(m.cluster("EX_APISERVER_PORT"))
	m.inv.warn(first.at, "", "ex_lb is mode managed: nodes, too, reach the API by its address, where kubeasz gives each a proxy of its own")
}

// kubeaszFamilies are kubeasz' settings that nothing is made of.
func kubeaszFamilies() []family {
	return []family{
		{what: "keepalived", names: []string{"LB_ROLE", "LB_IF"}, follows: "the hosts of ex_lb agree among themselves which of them has the address"},
		{what: "etcd's members", names: []string{"NODE_NAME", "ETCD_WAL_DIR"}, follows: "members of etcd are called as their hosts, and keep all in one folder"},
		{what: "CoreDNS", names: []string{"dns_install"}, follows: "CoreDNS is installed anyway"},
		{what: "add-ons", suffixes: []string{"_install"}, follows: "add-ons are not installed", hint: addonHint, lost: "add-ons"},
		{what: "the DNS cache on the nodes", names: []string{"ENABLE_LOCAL_DNS_CACHE", "LOCAL_DNS_CACHE", "dnsNodeCacheVer"}, switches: []string{"ENABLE_LOCAL_DNS_CACHE"}, follows: "pods ask CoreDNS directly", hint: addonHint, lost: "node-local DNS"},
		{what: "a registry", prefixes: []string{"HARBOR_"}, names: []string{"NEW_INSTALL", "SELF_SIGNED_CERT", "ENABLE_MIRROR_REGISTRY"}, follows: "no image registry is installed, and Docker Hub has no mirror"},
		{what: "certificates", names: []string{"CA_EXPIRY", "CERT_EXPIRY", "CUSTOM_EXPIRY", "CHANGE_CA", "ca_dir"}, follows: "certificates are kubeadm's, for one year, in /etc/kubernetes/pki, and `quorate apply` renews them"},
		{what: "Ansible itself", prefixes: []string{"ansible_"}, follows: "no playbook is run, and the hosts need no Python"},
		{what: "kubeasz itself", prefixes: []string{""}, follows: "where kubeasz has its files, and what its add-ons are like, has no counterpart here"},
	}
}
