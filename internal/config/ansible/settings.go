package ansible

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

const (
	kubernetesPath = strict.Path("spec.kubernetes")
	networkPath    = strict.Path("spec.network")
)

// settings fills in what holds for the whole cluster.
func (m *importer) settings() {
	m.kubernetes()
	m.network()
	if m.isKubeasz {
		m.kubeasz()
	} else {
		m.endpoint()
	}
	m.etcd()
	m.registry()
}

// kubernetes fills in Kubernetes' own settings.
func (m *importer) kubernetes() {
	k := &m.doc.Spec.Kubernetes
	m.text(kubernetesPath.Key("version"), &k.Version, "kube_version")
	m.domain()
	m.number(kubernetesPath.Key("maxPods"), &k.MaxPods, "kubelet_max_pods")
	m.number(kubernetesPath.Key("nodeCIDRMaskSize"), &k.NodeCIDRMaskSize, "kube_network_node_prefix")
	if s := m.cluster("kube_proxy_mode"); s != nil {
		p := kubernetesPath.Key("proxyMode")
		mode, ok := m.scalar(p, s)
		if ok && mode == "ipvs" { // the installers' own, which as little as ours is anybody's choice; the summary names ours
			k.ProxyMode = "nftables"
		} else if ok {
			k.ProxyMode = mode
		}
	}
	if s := m.cluster("supplementary_addresses_in_ssl_keys"); s != nil {
		k.ExtraSANs = m.texts(kubernetesPath.Key("extraSANs"), s)
	}
	m.featureGates()
	m.arguments()
	if s := m.cluster("container_manager"); s != nil && canonical(s.value) != "containerd" {
		m.tell(s, "", "%s %s is not used: containers run in containerd", s.name, m.shown(s))
	}
}

// domain fills in the domain of services. kubespray's cluster_name is that,
// unless dns_domain says otherwise.
func (m *importer) domain() {
	name, own := m.cluster("cluster_name"), m.cluster("dns_domain")
	p := kubernetesPath.Key("dnsDomain")
	if name != nil {
		m.name(name)
	}
	switch {
	case own != nil && compact(own.value) != "{{cluster_name}}":
		if value, ok := m.scalar(p, own); ok {
			m.doc.Spec.Kubernetes.DNSDomain = strings.TrimSuffix(value, ".")
		}
	case name != nil:
		if value, ok := m.scalar(p, name); ok {
			m.doc.Spec.Kubernetes.DNSDomain = strings.TrimSuffix(value, ".")
		}
	}
}

// name calls the cluster after its domain, where that is not everybody's:
// prod.example is prod, so that two clusters are not called the same.
func (m *importer) name(s *setting) {
	n, why := m.resolve(s.value, s.host)
	if why != nil || n.Kind != yaml.ScalarNode || strings.TrimSpace(n.Value) == "cluster.local" {
		return
	}
	label, _, _ := strings.Cut(strings.TrimSpace(n.Value), ".")
	if ourName.MatchString(label) {
		m.doc.Metadata.Name = label
		m.r.Set("metadata.name", s.at)
	}
}

// ourName is what a cluster may be called.
var ourName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// featureGates fills in gates that are switched on or off everywhere.
func (m *importer) featureGates() {
	s := m.cluster("kube_feature_gates")
	if s == nil {
		return
	}
	m.gates(s, m.texts(gatesPath, s))
}

const gatesPath = kubernetesPath + ".featureGates"

// gates fills in feature gates of the form NAME=true, for all programs.
func (m *importer) gates(s *setting, items []string) {
	p, gates := gatesPath, m.doc.Spec.Kubernetes.FeatureGates
	if gates == nil {
		gates = map[string]bool{}
	}
	if !m.r.Given(p) {
		m.r.Set(p, s.at)
	}
	for _, item := range items {
		name, value, ok := strings.Cut(item, "=")
		on := strings.EqualFold(value, "true")
		if !ok || !on && !strings.EqualFold(value, "false") {
			m.r.Errorf(p, "write NAME=true or NAME=false", "%s: %s is not of the form NAME=true", s.name, quote(item))
			return
		}
		if since, gone := catalog.GoneGate(name); gone {
			m.r.Tell(diag.SeverityWarning, s.at, "remove it", "",
				fmt.Sprintf("the feature gate %s is left out: what it switched on is part of Kubernetes since %s, and the gate is gone", name, since))
			continue
		}
		gates[name] = on
		m.r.Set(p.Key(name), s.at)
	}
	if len(gates) > 0 {
		m.doc.Spec.Kubernetes.FeatureGates = gates
	}
}

// arguments fills in flags of Kubernetes' programs.
func (m *importer) arguments() {
	k := &m.doc.Spec.Kubernetes
	for _, program := range []struct {
		name string
		path strict.Path
		args *[]string
	}{
		{"kube_kubeadm_apiserver_extra_args", kubernetesPath.Key("apiServer"), &k.APIServer.ExtraArgs},
		{"kube_kubeadm_controller_extra_args", kubernetesPath.Key("controllerManager"), &k.ControllerManager.ExtraArgs},
		{"kube_kubeadm_scheduler_extra_args", kubernetesPath.Key("scheduler"), &k.Scheduler.ExtraArgs},
	} {
		if s := m.cluster(program.name); s != nil {
			*program.args = m.flags(program.path.Key("extraArgs"), s)
		}
	}
	if s := m.cluster("kube_apiserver_node_port_range"); s != nil && canonical(s.value) != "30000-32767" {
		m.nodePorts(s)
	}
	if s := m.cluster("kubelet_custom_flags"); s != nil {
		p := kubernetesPath.Key("kubelet").Key("extraArgs")
		for _, flag := range m.texts(p, s) {
			flag = strings.TrimLeft(flag, "-")
			if gates, ok := strings.CutPrefix(flag, "feature-gates="); ok {
				m.gates(s, strings.Split(gates, ","))
				continue
			}
			if !strings.Contains(flag, "=") { // a switch, or a value behind a blank
				name, value, _ := strings.Cut(flag, " ")
				flag = name + "=" + cmp.Or(strings.TrimSpace(value), "true")
			}
			k.Kubelet.ExtraArgs = append(k.Kubelet.ExtraArgs, flag)
		}
	}
	if s := m.cluster("kubelet_config_extra_args"); s != nil {
		p := kubernetesPath.Key("kubelet").Key("configuration")
		if n := m.value(p, s); n != nil && n.Kind == yaml.MappingNode && len(n.Content) > 0 {
			if free, ok := m.free(p, s, n, 0).(map[string]any); ok {
				m.kubeletConfiguration(s, free)
			}
		} else if n != nil && n.Kind != yaml.MappingNode && !isNull(n) {
			m.r.Errorf(p, "", "%s must be a mapping (key: value), not %s", s.name, describe(n))
		}
	}
}

// nodePorts fills in the range of node ports.
func (m *importer) nodePorts(s *setting) {
	p := kubernetesPath.Key("apiServer").Key("extraArgs")
	if ports, ok := m.scalar(p, s); ok {
		args := &m.doc.Spec.Kubernetes.APIServer.ExtraArgs
		m.r.Set(p.Index(len(*args)), s.at)
		*args = append(*args, "service-node-port-range="+ports)
	}
}

// kubeletConfiguration takes what is laid over the kubelet's configuration. What
// has a field of its own here becomes that field.
func (m *importer) kubeletConfiguration(s *setting, settings map[string]any) {
	k := &m.doc.Spec.Kubernetes
	if n, ok := settings["maxPods"].(int64); ok && n > 0 && n < 1<<20 {
		k.MaxPods = int(n)
		m.r.Set(kubernetesPath.Key("maxPods"), s.at)
		delete(settings, "maxPods")
	}
	if gates, ok := settings["featureGates"].(map[string]any); ok {
		var items []string
		for _, name := range slices.Sorted(maps.Keys(gates)) {
			items = append(items, fmt.Sprintf("%s=%v", name, gates[name]))
		}
		m.gates(s, items)
		delete(settings, "featureGates")
	}
	for _, name := range []string{"apiVersion", "kind", "clusterDNS", "clusterDomain", "cgroupDriver"} {
		if _, ok := settings[name]; ok {
			m.tell(s, "remove it", "%s: %s is not used: Quorate sets it, as the cluster's parts must agree on it", s.name, name)
			delete(settings, name)
		}
	}
	if len(settings) > 0 {
		k.Kubelet.Configuration = settings
	}
}

// flags makes name=value of a mapping.
func (m *importer) flags(p strict.Path, s *setting) []string {
	n := m.value(p, s)
	if n == nil || isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		m.r.Errorf(p, "", "%s must be a mapping (flag: value), not %s", s.name, describe(n))
		return nil
	}
	var out []string
	for _, pair := range m.inv.pairs(s.file, n) {
		value, why := m.resolve(pair.value, s.host)
		if why != nil || value.Kind != yaml.ScalarNode {
			m.r.Errorf(p, "write the value out", "%s: the value of %s is not known, or no text", s.name, quote(pair.key.Value))
			continue
		}
		if pair.key.Value == "feature-gates" {
			m.gates(s, strings.Split(value.Value, ","))
			continue
		}
		m.r.Set(p.Index(len(out)), s.at)
		out = append(out, pair.key.Value+"="+value.Value)
	}
	return out
}

// network fills in the ranges and the plugin.
func (m *importer) network() {
	n := &m.doc.Spec.Network
	m.text(networkPath.Key("podCIDR"), &n.PodCIDR, "kube_pods_subnet")
	m.text(networkPath.Key("serviceCIDR"), &n.ServiceCIDR, "kube_service_addresses")
	m.ipv6()
	p := networkPath.Key("plugin")
	s := m.cluster("kube_network_plugin")
	if len(m.members) == 0 {
		return // who has no hosts has other sorrows
	}
	plugin := "calico" // of both installers
	if s != nil {
		var ok bool
		if plugin, ok = m.scalar(p, s); !ok {
			return
		}
	} else {
		m.r.Set(p, whole(m.inv.file))
	}
	switch plugin {
	case "flannel":
		n.Plugin = "flannel"
		m.flannel()
	case "cni", "none", "custom_cni", "cloud":
		n.Plugin = "none"
		if plugin != "none" {
			m.inv.warn(m.r.PlaceOf(p), "install it once the cluster is up; nodes are not ready before", "%s %s is taken for none: no network plugin is installed", m.pluginSetting(), plugin)
		}
	default:
		if s != nil {
			n.Plugin = plugin // which is judged as in a file of our own
			return
		}
		n.Plugin = "flannel"
		m.r.TellGraveLoss(m.r.PlaceOf(p), "to keep it, write kube_network_plugin: none, and install it once the cluster is up; nodes are not ready before",
			fmt.Sprintf("no %s is given: flannel is installed, where %s takes calico; NetworkPolicies have no effect with it", m.pluginSetting(), m.installer()), "NetworkPolicies (calico)")
	}
}

// ipv6 notes what asks for IPv6.
func (m *importer) ipv6() {
	for _, ask := range []struct {
		name string
		when bool
	}{{"enable_dual_stack_networks", true}, {"ipv6_stack", true}, {"enable_ipv6only_stack_networks", true}, {"ipv4_stack", false}} {
		if on, s := m.truth(ask.name, !ask.when); s != nil && on == ask.when {
			m.r.WantIPv6(s.at, fmt.Sprintf("%s: %v", s.name, on))
		}
	}
	if len(m.r.WantedIPv6()) > 0 {
		for _, name := range ipv6Names() {
			m.handled[name] = true
		}
	}
}

// pluginSetting is what the setting of the network plugin is called.
func (m *importer) pluginSetting() string {
	if m.isKubeasz {
		return "CLUSTER_NETWORK"
	}
	return "kube_network_plugin"
}

// flannel fills in flannel's own settings, where flannel was the plugin.
func (m *importer) flannel() {
	p := networkPath.Key("flannel")
	f := &m.doc.Spec.Network.Flannel
	m.text(p.Key("backend"), &f.Backend, "flannel_backend_type")
	if on, s := m.truth("flannel_vxlan_direct_routing", false); s != nil && on {
		m.r.Set(p.Key("directRouting"), s.at)
		f.DirectRouting = true
	}
}

// shown is a setting's value for a message, for those that are no secrets.
func (m *importer) shown(s *setting) string {
	if n, why := m.resolve(s.value, s.host); why == nil && n.Kind == yaml.ScalarNode {
		return quote(n.Value)
	}
	return ""
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// free is what a value means where any may stand, its templates resolved.
func (m *importer) free(p strict.Path, s *setting, n *yaml.Node, depth int) any {
	n, why := m.resolve(n, s.host)
	if why == nil && depth > maxDepth {
		why = &unresolved{"is too deep", ""}
	}
	if why != nil {
		m.r.Errorf(p, why.hint, "%s: a value %s", s.name, why.why)
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for _, pair := range m.inv.pairs(s.file, n) {
			m.r.Set(p.Key(pair.key.Value), s.at)
			out[pair.key.Value] = m.free(p.Key(pair.key.Value), s, pair.value, depth+1)
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for i, item := range n.Content {
			if !m.inv.count(1, s.at) {
				return nil
			}
			out = append(out, m.free(p.Index(i), s, item, depth+1))
		}
		return out
	}
	return scalarValue(n)
}
