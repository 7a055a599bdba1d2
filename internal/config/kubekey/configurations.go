package kubekey

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/config/strict"
)

const (
	ourKubelet   = strict.Path("spec.kubernetes.kubelet.configuration")
	ourKubeProxy = strict.Path("spec.kubernetes.kubeProxy.configuration")
)

// kubeletConfiguration imports what is laid over the kubelet's configuration.
// Settings that have a field of their own here become that field; those that
// must be Quorate's stay out.
func (m *importer) kubeletConfiguration(from strict.Path, settings map[string]any) {
	out := &m.doc.Spec.Kubernetes
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		at, value := from.Key(key), settings[key]
		switch key {
		case "apiVersion", "kind":
		case "maxPods":
			m.maxPods(at, value)
		case "featureGates":
			m.freeGates(at, value)
		case "clusterDomain", "clusterDNS", "cgroupDriver", "staticPodPath", "authentication", "authorization", "rotateCertificates":
			m.warn(at, "remove it", "%s is not taken over: Quorate sets it, as the cluster's parts must agree on it", name(at))
		default:
			m.overlay(ourKubelet, &out.Kubelet.Configuration, key, at, value)
		}
	}
}

// maxPods imports how many pods a node takes where it is a setting of the
// kubelet's, which wins over KubeKey's own field.
func (m *importer) maxPods(from strict.Path, value any) {
	const to, most = strict.Path("spec.kubernetes.maxPods"), 1 << 20
	field := &m.doc.Spec.Kubernetes.MaxPods
	n, ok := value.(int64)
	switch {
	case !ok || n < 1 || n > most:
		m.fail(from, "", "%s must be a number of pods", name(from))
		return
	case *field != 0 && *field != int(n):
		m.warn(from, "say it once", "%s wins over the %d pods that are said elsewhere", name(from), *field)
	}
	set(m, to, field, from, int(n))
}

// overlay adds a setting to one of the configurations.
func (m *importer) overlay(to strict.Path, field *map[string]any, key string, from strict.Path, value any) {
	if *field == nil {
		*field = map[string]any{}
		m.ours.Set(to, m.place(from).Called(""))
	}
	(*field)[key] = value
	m.ours.Set(to.Key(key), m.theirs.PlaceOf(from))
}

// freeGates imports feature gates out of a free value.
func (m *importer) freeGates(from strict.Path, value any) {
	gates, ok := value.(map[string]any)
	if !ok {
		m.fail(from, "", "%s must be a mapping (NAME: true)", name(from))
		return
	}
	for _, gate := range slices.Sorted(maps.Keys(gates)) {
		if on, ok := gates[gate].(bool); ok {
			m.gate(from.Key(gate), gate, on)
			continue
		}
		m.fail(from.Key(gate), "", "%s: the feature gate %s is neither true nor false", name(from), quote(gate))
	}
}

// podPids imports how many processes a pod may have. KubeKey has a limit where
// Kubernetes has none, and a cluster that had one should keep it.
func (m *importer) podPids(from strict.Path, limit int64) {
	const key = "podPidsLimit"
	field := &m.doc.Spec.Kubernetes.Kubelet.Configuration
	_, given := (*field)[key]
	switch {
	case m.theirs.IsBad(from):
	case given && limit != 0:
		m.warn(from, "say it once", "%s is not taken over: the kubelet's configuration says it too, and wins", name(from))
	case given:
	case limit != 0:
		m.overlay(ourKubelet, field, key, from, limit)
	default:
		m.overlay(ourKubelet, field, key, from, podPidsLimit)
	}
}

// proxyModes imports kube-proxy's mode, which KubeKey takes in two places: what
// is laid over the configuration wins.
func (m *importer) proxyModes(from strict.Path, mode string, configuration strict.Path, settings map[string]any) {
	laid, ok := settings["mode"].(string)
	if !ok || laid == "" {
		m.proxyMode(from, mode)
		return
	}
	if mode != "" && mode != laid {
		m.warn(from, "say it once", "%s is not taken over: %s says %s, and wins", name(from), name(configuration.Key("mode")), word(laid))
	}
	m.proxyMode(configuration.Key("mode"), laid)
}

// proxyMode imports kube-proxy's mode. Kubernetes is giving up IPVS, KubeKey's
// default, and nftables is its heir.
func (m *importer) proxyMode(from strict.Path, mode string) {
	switch mode {
	case "":
	case "ipvs":
		m.warn(from, "write proxyMode: iptables if something on the nodes reads kube-proxy's iptables rules", "%s ipvs is not taken over: kube-proxy works with nftables, which is as fast and which Kubernetes keeps", name(from))
	default:
		set(m, "spec.kubernetes.proxyMode", &m.doc.Spec.Kubernetes.ProxyMode, from, mode)
	}
}

// proxyBlock is the block of kube-proxy's configuration that the mode reads.
func (m *importer) proxyBlock() string {
	if m.doc.Spec.Kubernetes.ProxyMode == "iptables" {
		return "iptables"
	}
	return "nftables"
}

// proxyConfiguration imports what is laid over kube-proxy's configuration.
func (m *importer) proxyConfiguration(from strict.Path, settings map[string]any) {
	out := &m.doc.Spec.Kubernetes
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		at, value := from.Key(key), settings[key]
		switch key {
		case "apiVersion", "kind", "mode":
		case "featureGates":
			m.freeGates(at, value)
		case "clusterCIDR", "clientConnection", "hostnameOverride":
			m.warn(at, "remove it", "%s is not taken over: Quorate sets it, as the cluster's parts must agree on it", name(at))
		case "ipvs", "iptables", "nftables":
			if key == m.proxyBlock() {
				m.overlay(ourKubeProxy, &out.KubeProxy.Configuration, key, at, value)
			} else if !isEmpty(value) {
				m.warn(at, "", "%s is not taken over: kube-proxy works with %s, where it has no effect", name(at), m.proxyBlock())
			}
		default:
			m.overlay(ourKubeProxy, &out.KubeProxy.Configuration, key, at, value)
		}
	}
}

// masquerade imports whether kube-proxy hides the source of all connections to
// services.
func (m *importer) masquerade(from strict.Path, all bool) {
	if !all {
		return
	}
	field := &m.doc.Spec.Kubernetes.KubeProxy.Configuration
	block := map[string]any{}
	if before, ok := (*field)[m.proxyBlock()].(map[string]any); ok {
		block = maps.Clone(before)
	}
	block["masqueradeAll"] = true
	m.overlay(ourKubeProxy, field, m.proxyBlock(), from, block)
}

// proxyArgs imports kube-proxy's flags: those that its configuration, which
// wins over flags, has a setting for.
func (m *importer) proxyArgs(from strict.Path, texts []string) {
	for i, text := range texts {
		at := from.Index(i)
		switch flag, value := splitFlag(text); {
		case flag == "":
		case flag == "feature-gates":
			m.gatesFlag(at, value)
		case flag == "proxy-mode":
			m.warn(at, "write kubernetes.proxyMode", "the flag proxy-mode=%s is not taken over: kube-proxy's flags have no effect beside its configuration file", word(value))
		case flag == "masquerade-all":
			m.masquerade(at, strings.EqualFold(value, "true"))
		default:
			m.warn(at, "write it below kubeProxyConfiguration, as its documentation names it",
				"%s is not taken over: kube-proxy's flags have no effect beside its configuration file", fmt.Sprintf("kubernetes.kubeProxyArgs: %s", word(flag)))
		}
	}
}
