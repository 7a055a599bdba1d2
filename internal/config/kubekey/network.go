package kubekey

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/config/strict"
)

func (m *importer) network(n *network) {
	const from, to = strict.Path("spec.network"), strict.Path("spec.network")
	out := &m.doc.Spec.Network
	plugin := m.plugin(from.Key("plugin"), n.Plugin)
	m.cidr(to.Key("podCIDR"), &out.PodCIDR, from.Key("podNetworkCidr"), n.PodNetworkCidr)
	m.cidr(to.Key("serviceCIDR"), &out.ServiceCIDR, from.Key("serviceNetworkCidr"), n.ServiceNetworkCidr)
	m.cidr(to.Key("podCIDR"), &out.PodCIDR, from.Key("kubePodsCIDR"), n.KubePodsCIDR)
	m.cidr(to.Key("serviceCIDR"), &out.ServiceCIDR, from.Key("kubeServiceCIDR"), n.KubeServiceCIDR)
	const newName = "its newer name says it too"
	if n.KubePodsCIDR != "" {
		m.leaveOut(leftOut{from: from.Key("podNetworkCidr"), value: n.PodNetworkCidr, follows: newName, hint: "remove it"})
	}
	if n.KubeServiceCIDR != "" {
		m.leaveOut(leftOut{from: from.Key("serviceNetworkCidr"), value: n.ServiceNetworkCidr, follows: newName, hint: "remove it"})
	}
	if plugin == "flannel" {
		set(m, to.Key("flannel.backend"), &out.Flannel.Backend, from.Key("flannel.backendMode"), n.Flannel.BackendMode)
		set(m, to.Key("flannel.directRouting"), &out.Flannel.DirectRouting, from.Key("flannel.directRouting"), n.Flannel.DirectRouting)
	} else {
		unused := map[string]any{"directRouting": n.Flannel.DirectRouting, "backendMode": n.Flannel.BackendMode}
		m.pluginSettings(from.Key("flannel"), "flannel", unused, map[string]any{"backendMode": "vxlan"})
	}
	m.pluginSettings(from.Key("calico"), "calico", n.Calico, map[string]any{
		"ipipMode": "Always", "vxlanMode": "Never", "vethMTU": 1440, "defaultIPPOOL": true, "ipv4NatOutgoing": true,
	})
	m.pluginSettings(from.Key("kubeovn"), "kube-ovn", n.Kubeovn, map[string]any{
		"joinCIDR": "100.64.0.0/16", "tunnelType": "geneve", "label": "node-role.kubernetes.io/control-plane",
	})
	m.pluginSettings(from.Key("hybridnet"), "hybridnet", n.Hybridnet, map[string]any{"defaultNetworkType": "Overlay", "init": true, "enableNetworkPolicy": true})
	m.pluginSettings(from.Key("cilium"), "cilium", n.Cilium, nil)
	m.leaveOut(leftOut{from: from.Key("multusCNI"), value: n.MultusCNI, follows: "Multus is not installed, pods have one network interface",
		hint: "install Multus once the cluster is up", lost: lostMulti})
}

// plugin imports the network plugin, and returns the one that was asked for.
func (m *importer) plugin(from strict.Path, plugin string) string {
	const to = strict.Path("spec.network.plugin")
	out := &m.doc.Spec.Network
	switch strings.ToLower(plugin) {
	case "flannel", "none":
		set(m, to, &out.Plugin, from, strings.ToLower(plugin))
	case "":
		if !m.theirs.IsBad(from) {
			m.theirs.TellGraveLoss(m.place(from), "write flannel, or none and install calico once the cluster is up",
				fmt.Sprintf("no %s is given: flannel is installed, where KubeKey takes calico; NetworkPolicies have no effect with it", name(from)), "NetworkPolicies (calico)")
		}
		return "calico"
	case "calico", "cilium", "hybridnet", "kubeovn", "kube-ovn":
		set(m, to, &out.Plugin, from, strings.ToLower(plugin)) // which is judged as in a file of our own
	default:
		hint := strict.DidYouMean(plugin, []string{"calico", "flannel", "cilium", "hybridnet", "kubeovn", "none"})
		if hint == "" {
			hint = "write flannel, or none to install your own"
		}
		m.fail(from, hint, "%s: KubeKey has no %s", name(from), quote(plugin))
		m.ours.MarkBad(to)
	}
	return strings.ToLower(plugin)
}

// pluginSettings speaks once about the settings of a plugin that is not
// installed, or has no such settings here: those that are not its defaults.
func (m *importer) pluginSettings(from strict.Path, plugin string, settings, defaults map[string]any) {
	var keys []string
	for _, key := range m.inFileOrder(from, slices.Collect(maps.Keys(settings))) {
		if !isEmpty(settings[key]) && !isOneOf(settings[key], []any{defaults[key]}) {
			keys = append(keys, word(key))
		}
	}
	if len(keys) > 0 {
		m.warn(from, "", "%s's settings are not taken over (%s): it is not the plugin that is installed", plugin, strings.Join(keys, ", "))
	}
}

// cidr imports a network range: of an IPv4 and an IPv6 one, the IPv4 one.
func (m *importer) cidr(to strict.Path, field *string, from strict.Path, text string) {
	v4, others := oneFamily(text, isIPv4Range)
	if others != "" {
		m.theirs.WantIPv6(m.place(from), name(from))
	}
	set(m, to, field, from, v4)
}
