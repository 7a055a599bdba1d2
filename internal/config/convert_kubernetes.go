package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

func (c *converter) kubernetes(p strict.Path, k *v1alpha1.Kubernetes) cluster.Kubernetes {
	version := c.version(p.Key("version"), k.Version)
	out := cluster.Kubernetes{
		Version:                version,
		DNSDomain:              c.dnsName(p.Key("dnsDomain"), "dnsDomain", k.DNSDomain),
		MaxPods:                c.number(p.Key("maxPods"), "maxPods", k.MaxPods, 1, 2500),
		NodeCIDRMaskSize:       c.number(p.Key("nodeCIDRMaskSize"), "nodeCIDRMaskSize", k.NodeCIDRMaskSize, 8, 30),
		ProxyMode:              c.oneOf(p.Key("proxyMode"), "proxyMode", k.ProxyMode, "nftables", "iptables"),
		FeatureGates:           c.featureGates(p.Key("featureGates"), k.FeatureGates),
		APIServerPort:          c.port(p.Key("apiServer").Key("port"), "apiServer.port", k.APIServer.Port),
		APIServerArgs:          c.args(p.Key("apiServer"), "apiServer", version, k.APIServer.ExtraArgs),
		ControllerManagerArgs:  c.args(p.Key("controllerManager"), "controllerManager", version, k.ControllerManager.ExtraArgs),
		SchedulerArgs:          c.args(p.Key("scheduler"), "scheduler", version, k.Scheduler.ExtraArgs),
		KubeletArgs:            c.args(p.Key("kubelet"), "kubelet", version, k.Kubelet.ExtraArgs),
		KubeletConfiguration:   c.configuration(p.Key("kubelet"), "kubelet", k.Kubelet.Configuration),
		KubeProxyConfiguration: c.configuration(p.Key("kubeProxy"), "kubeProxy", k.KubeProxy.Configuration),
	}
	for i, san := range k.ExtraSANs {
		name := strings.TrimPrefix(san, "*.") // certificates may hold wildcards
		if isIP(san) || isDNSName(name) {
			out.ExtraSANs = append(out.ExtraSANs, san)
			continue
		}
		c.Errorf(p.Key("extraSANs").Index(i), "", "extraSANs: %s is neither an IP address nor a DNS name%s", quote(san), holds(san, nameCharacter))
	}
	return out
}

// version checks the Kubernetes version and gives it its v.
func (c *converter) version(p strict.Path, version string) string {
	c.tell(p, Rule{Choices: bothForms(c.o.Supported)})
	v := "v" + strings.TrimPrefix(version, "v")
	parts := versionPattern.FindStringSubmatch(v)
	supported := ""
	if len(c.o.Supported) > 0 {
		supported = "supported: " + strings.Join(c.o.Supported, ", ")
	}
	switch {
	case version == "":
		c.Errorf(p, supported, "no Kubernetes version is given")
	case parts == nil:
		hint := supported
		if i := slices.IndexFunc(c.o.Supported, func(known string) bool { return strings.HasPrefix(known, v+".") }); i >= 0 {
			hint = "write " + c.o.Supported[i] + ", with its patch level; " + supported
		}
		c.Errorf(p, hint, "the Kubernetes version %s is not of the form v1.36.3", quote(version))
	case len(c.o.Supported) > 0 && !slices.Contains(c.o.Supported, v):
		c.Errorf(p, supported+"; write one of them, or leave the file as it is and add --with-kubernetes "+c.o.Supported[0], "Kubernetes %s is not one of the versions that this Quorate installs", v)
	default:
		return v
	}
	return ""
}

// bothForms are versions with their v, and then the same without.
func bothForms(versions []string) []string {
	both := slices.Clone(versions)
	for _, v := range versions {
		both = append(both, strings.TrimPrefix(v, "v"))
	}
	return both
}

// featureGates checks the names of feature gates; whether a version has them
// only its programs know.
func (c *converter) featureGates(p strict.Path, gates map[string]bool) map[string]bool {
	pattern := regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	for _, name := range slices.Sorted(maps.Keys(gates)) {
		since, gone := catalog.GoneGate(name)
		switch {
		case gone:
			c.Errorf(p.Key(name), "remove it", "featureGates: %s is part of Kubernetes since %s: the gate is gone, and no program would start with it", name, since)
		case !pattern.MatchString(name):
			c.Errorf(p.Key(name), "such as NodeSwap: true", "featureGates: %s is not the name of a feature gate", quote(name))
		}
	}
	return maps.Clone(gates)
}

// configuration checks a document that is laid over one of ours: what kind it
// is, and what else must be as Quorate writes it, is not the user's to say.
func (c *converter) configuration(p strict.Path, program string, settings map[string]any) map[string]any {
	instead := map[string]string{
		"apiVersion": "remove it", "kind": "remove it",
		"featureGates":  "use kubernetes.featureGates",
		"clusterDomain": "use kubernetes.dnsDomain", "clusterDNS": "it follows from network.serviceCIDR",
		"maxPods": "use kubernetes.maxPods", "cgroupDriver": "remove it, containerd and the kubelet must agree",
		"staticPodPath": "remove it", "authentication": "remove it", "authorization": "remove it", "rotateCertificates": "remove it",
	}
	if program == "kubeProxy" {
		instead = map[string]string{
			"apiVersion": "remove it", "kind": "remove it", "featureGates": "use kubernetes.featureGates",
			"mode": "use kubernetes.proxyMode", "clusterCIDR": "use network.podCIDR", "clientConnection": "remove it", "hostnameOverride": "remove it",
		}
	}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		at := p.Key("configuration").Key(key)
		if hint, ok := instead[key]; ok {
			c.Errorf(at, hint, "%s.configuration: %s cannot be set here", program, key)
			continue
		}
		c.printable(at, fmt.Sprintf("%s.configuration: %s", program, strict.Clip(strict.Printable(key))), settings[key])
	}
	return settings
}

// printable refuses texts with control characters anywhere in a free value:
// none of Kubernetes' settings has any.
func (c *converter) printable(p strict.Path, what string, value any) {
	switch v := value.(type) {
	case string:
		if odd := strict.ControlCharacter(v); odd != "" {
			c.Errorf(p, "", "%s holds %s", what, odd)
		}
	case []any:
		for i, item := range v {
			c.printable(p.Index(i), what, item)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if odd := strict.ControlCharacter(key); odd != "" {
				c.Errorf(p, "", "%s has a key that holds %s", what, odd)
				continue
			}
			c.printable(p.Key(key), what, v[key])
		}
	}
}
