package preflight

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/component/network"
)

// cloudInitOff keeps cloud-init from running at all.
const cloudInitOff = "/etc/cloud/cloud-init.disabled"

// hostFileChecks look at files of which others may have the last word.
func hostFileChecks() []Check {
	return []Check{
		{
			Name: "hosts-file", About: "nothing writes /etc/hosts anew at boot: nodes have the endpoint's name from there",
			Refuses: true, OfNew: true, Applies: isNode, Host: judgeHostsFile,
		},
		{
			Name: "cni", About: "no pod network of others comes before the cluster's", Refuses: true,
			Applies: func(c *cluster.Cluster, h *cluster.Host) bool { return h.IsNode() && network.Uses(c) }, Host: judgeCNI,
		},
	}
}

// judgeHostsFile goes by what cloud-init's templates say at the head of the file
// that they make, whatever told it to: its settings may come from many places.
func judgeHostsFile(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	if !strings.Contains(f.Files[component.HostsFile].Content, "'manage_etc_hosts' as True") || f.Files[cloudInitOff].Exists {
		return nil
	}
	return []Finding{fail("set manage_etc_hosts: false where it is set (the machine's user data, /etc/cloud), or switch cloud-init off (touch "+cloudInitOff+"); then take its lines about manage_etc_hosts out of "+component.HostsFile,
		"cloud-init writes %s of %s anew at each boot: the node would not find the API servers after one", component.HostsFile, h.Name)}
}

// judgeCNI finds settings that containerd takes instead of the cluster's: the first
// by name.
func judgeCNI(o *Observation, h *cluster.Host) []Finding {
	var before []string
	for _, name := range o.Snapshot.Facts(h.Name).Dirs[filepath.Dir(network.CNIFile)] {
		if slices.Contains([]string{".conf", ".conflist", ".json"}, filepath.Ext(name)) && name < filepath.Base(network.CNIFile) {
			before = append(before, name)
		}
	}
	if before == nil {
		return nil
	}
	return []Finding{fail("take it out of the folder; pods that were made with it must be made anew",
		"%s has %s in %s, which containerd takes before the cluster's own %s", h.Name, strings.Join(before, ", "), filepath.Dir(network.CNIFile), filepath.Base(network.CNIFile))}
}
