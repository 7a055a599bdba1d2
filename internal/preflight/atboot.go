package preflight

import (
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component/machine"
	"github.com/quorate/quorate/internal/component/network"
)

const (
	networkManagerUnit = "NetworkManager.service"
	firewalldUnit      = "firewalld.service"
)

// networkManagerFiles are where NetworkManager is told what to leave alone.
var networkManagerFiles = []string{"/etc/NetworkManager/NetworkManager.conf", "/etc/NetworkManager/conf.d/*.conf", "/run/NetworkManager/conf.d/*.conf", "/usr/lib/NetworkManager/conf.d/*.conf"}

// laterChecks look at what a host does later, at its next boot or when its firewall
// is loaded anew: until then all seems well.
func laterChecks() []Check {
	return []Check{
		{
			Name: "sysctl-files", About: "no other file takes the kernel's settings back at boot",
			Refuses: true, OfNew: true, Applies: isNode, Host: func(o *Observation, h *cluster.Host) []Finding {
				var out []Finding
				for _, f := range machine.SysctlsAtBoot(o.Snapshot.Facts(h.Name)) {
					out = append(out, fail("take the line out of "+f.File, "at the next boot of %s, %s", h.Name, f))
				}
				return out
			},
		},
		{
			Name: "swap-units", About: "nothing brings swap back at boot, with which the kubelet does not start",
			Refuses: true, OfNew: true, Applies: isNode, Host: func(o *Observation, h *cluster.Host) []Finding {
				units := machine.SwapAtBoot(o.Snapshot.Facts(h.Name))
				if units == nil {
					return nil
				}
				return []Finding{fail("mask it: systemctl mask "+strings.Join(units, " ")+" (for zram, you may remove zram-generator instead)",
					"swap is on again after the next boot of %s, and its kubelet does not start: %s", h.Name, strings.Join(units, ", "))}
			},
		},
		{
			Name: "network-manager", About: "NetworkManager leaves the pod network's interfaces alone",
			Applies: func(c *cluster.Cluster, h *cluster.Host) bool { return h.IsNode() && network.Uses(c) }, Host: judgeNetworkManager,
		},
		{
			Name: "firewalld", About: "no firewalld, which drops the packets of pods when it is loaded anew", Host: func(o *Observation, h *cluster.Host) []Finding {
				if f := o.Snapshot.Facts(h.Name); !f.Units[firewalldUnit].Running() {
					return nil
				}
				return []Finding{warn("stop it for good (systemctl disable --now firewalld) and filter in front of the hosts; or open the cluster's ports in it, and put the pods' and the services' networks into its trusted zone",
					"firewalld runs on %s: it keeps ports closed that the hosts need between each other, and takes away rules of the pod network when it is loaded anew", h.Name)}
			},
		},
	}
}

func judgeNetworkManager(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	if !f.Units[networkManagerUnit].Running() {
		return nil
	}
	for file, found := range f.Files {
		if !strings.Contains(file, "/NetworkManager/") {
			continue
		}
		for line := range strings.Lines(found.Content) {
			if strings.HasPrefix(line, "unmanaged-devices") && strings.Contains(line, "flannel") && strings.Contains(line, "cni") {
				return nil
			}
		}
	}
	return []Finding{warn("tell it so: in /etc/NetworkManager/conf.d/pod-network.conf, [keyfile] and unmanaged-devices=interface-name:cni0;interface-name:flannel*;interface-name:veth*; then systemctl reload NetworkManager",
		"NetworkManager of %s is not told to leave the pod network's interfaces alone: it may take their addresses and routes away", h.Name)}
}

// askLater asks for what laterChecks look at.
func askLater(h *cluster.Host, q *protocol.FactsRequest) {
	q.Units = append(q.Units, networkManagerUnit, firewalldUnit)
	if !h.IsNode() {
		return
	}
	machine.AskAtBoot(q)
	for _, path := range networkManagerFiles {
		q.Files = append(q.Files, protocol.FileQuery{Path: path, Pattern: true, Content: true})
	}
}
