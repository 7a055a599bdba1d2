package controlplane

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/component"
)

// refuseFixed refuses to change, on a running cluster, what its nodes and
// objects were made with: an apply would change it in some places and not in
// others (a service keeps its address) and cut nodes off. What is recorded on a
// host says what it is, or else what its programs are started with.
func refuseFixed(in component.Input, out *component.Output) {
	c := in.Cluster
	fixed := []struct{ key, what, want, pod, flag string }{
		{"kubernetesVersion", "Kubernetes' version", c.Kubernetes.Version, "", ""},
		{"dnsDomain", "the DNS domain", c.Kubernetes.DNSDomain, "", ""},
		{"podSubnet", "the pod range", c.Network.PodCIDR.String(), podControllerManager, "cluster-cidr"},
		{"serviceSubnet", "the service range", c.Network.ServiceCIDR.String(), podAPIServer, "service-cluster-ip-range"},
	}
	for _, h := range c.ControlPlanes() {
		if runs(in, h) == 0 {
			continue
		}
		facts := in.Snapshot.Facts(h.Name)
		if is, want := component.APIPort(facts), c.Kubernetes.APIServerPort; is != 0 && is != want {
			out.Refuse(fmt.Sprintf("set kubernetes.apiServer.port: %d; clients can be given another port, endpoint.port, which API servers need not have", is),
				"the API server of %s listens on port %d, and cannot be moved to %d by an apply", h.Name, is, want)
		}
		files := facts.Files
		for _, f := range fixed {
			is := valueOf(files[configFile].Content, f.key)
			if is == "" && f.pod != "" {
				is = flagOf(files[manifest(f.pod)].Content, f.flag)
			}
			if is != "" && is != f.want {
				out.Refuse("change it back in the cluster file; a cluster with other settings is built on hosts that were reset",
					"%s of the running cluster is %s (as on %s), and cannot be changed to %s by an apply", f.what, is, h.Name, f.want)
			}
		}
		if out.Refusals.HasErrors() {
			return // the other hosts' settings are the same
		}
	}
}

// flagOf finds a flag of the program that a static pod's manifest runs.
func flagOf(manifest, flag string) string {
	for line := range strings.Lines(manifest) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "- --"+flag+"="); ok {
			return v
		}
	}
	return ""
}

// valueOf finds a setting in a kubeadm file as this package writes it.
func valueOf(text, key string) string {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+": "); ok {
			return strings.Trim(v, `"`)
		}
	}
	return ""
}

// listOf finds a list of words in a kubeadm file as this package writes it.
func listOf(text, key string) []string {
	_, after, found := strings.Cut(text, key+":\n")
	if !found {
		return nil
	}
	var out []string
	for line := range strings.Lines(after) {
		item, ok := strings.CutPrefix(strings.TrimSpace(line), "- ")
		if !ok {
			break
		}
		out = append(out, strings.Trim(item, `"`))
	}
	return out
}
