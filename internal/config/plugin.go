package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

const pluginPath = strict.Path("spec.network.plugin")

// NetworkPlugins are those that a cluster file can ask for.
func NetworkPlugins() []string { return []string{"flannel", "none"} }

// otherPlugins are network plugins that files ask for and that are not installed.
// All of them enforce NetworkPolicies, or come with one that does.
func otherPlugins() []string {
	return []string{"calico", "canal", "cilium", "hybridnet", "kube-ovn", "kube-router", "kubeovn", "macvlan", "weave"}
}

// plugin checks the network plugin. Another one than there is is an error, not a
// warning: a cluster in which NetworkPolicies have no effect is open where its
// users take it to be closed.
func (c *converter) plugin(p strict.Path, plugin string) string {
	if !slices.Contains(otherPlugins(), plugin) {
		return c.oneOf(p, "network.plugin", plugin, NetworkPlugins()...)
	}
	hint := fmt.Sprintf("write plugin: flannel, with which NetworkPolicies have no effect; or plugin: none, and install %s once the cluster is up: nodes are not ready before", plugin)
	if c.o.isForeign {
		hint = fmt.Sprintf("add --network-plugin flannel for flannel in its place, with which NetworkPolicies have no effect; or --network-plugin none, and install %s once the cluster is up: nodes are not ready before", plugin)
	}
	c.Errorf(p, hint, "the network plugin %s is not installed by this version", plugin)
	return ""
}

// replacePlugin puts the plugin that was asked for in the place of the
// document's own, and says so where that is another.
func replacePlugin(r *strict.Report, doc *v1alpha1.Cluster, o Options) {
	own := &doc.Spec.Network.Plugin
	before := *own
	if o.NetworkPlugin == "" || before == o.NetworkPlugin {
		return
	}
	*own = o.NetworkPlugin
	switch {
	case r.IsBad(pluginPath) || before == "":
	case o.NetworkPlugin == "none":
		r.TellGraveLoss(r.PlaceOf(pluginPath), "install it once the cluster is up; nodes are not ready before",
			fmt.Sprintf("no network plugin is installed, as --network-plugin says, instead of %s", quote(before)), "the network plugin "+before)
	case before == "none":
		r.Warnf(pluginPath, "", "flannel is installed, as --network-plugin says, instead of no network plugin")
	default:
		r.TellGraveLoss(r.PlaceOf(pluginPath), "to have them, say --network-plugin none and install "+strict.Clip(strict.Printable(before))+" once the cluster is up",
			fmt.Sprintf("flannel is installed, as --network-plugin says, instead of %s: NetworkPolicies have no effect", quote(before)), "NetworkPolicies ("+strict.Clip(strict.Printable(before))+")")
	}
}

// judgeIPv6 refuses a file that asks for IPv6 until somebody says that a cluster
// without will do. Then the ranges that are filled in, because the file gives those
// of IPv6 alone, are nobody's choice, and told.
func judgeIPv6(r *strict.Report, filled []Filled, o Options) {
	for _, w := range r.WantedIPv6() {
		if o.NetworkPlugin == "" {
			r.Tell(diag.SeverityError, w.At, "add --network-plugin flannel for a cluster of IPv4 alone", "",
				w.What+" asks for IPv6, and clusters of this version are IPv4 only")
			continue
		}
		r.TellGraveLoss(w.At, "", w.What+" asks for IPv6, and the cluster is IPv4 only", "IPv6")
	}
	if len(r.WantedIPv6()) == 0 || o.NetworkPlugin == "" {
		return
	}
	for _, of := range []struct {
		path strict.Path
		what string
	}{{"spec.network.podCIDR", "pods"}, {"spec.network.serviceCIDR", "services"}} {
		if i := slices.IndexFunc(filled, func(f Filled) bool { return f.Path == string(of.path) }); i >= 0 {
			r.Tell(diag.SeverityWarning, r.WantedIPv6()[0].At, "see that nothing else in your network has these addresses, or write another range as "+r.InFilesWords(of.path, strings.TrimPrefix(string(of.path), "spec.")), "",
				fmt.Sprintf("the file gives %s no IPv4 range: they get %s", of.what, filled[i].Value))
		}
	}
}
