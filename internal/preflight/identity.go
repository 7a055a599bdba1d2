package preflight

import (
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

func identityChecks() []Check {
	return []Check{
		{Name: "same-machine", About: "no two hosts of the file are one machine", Refuses: true, Cluster: judgeSameMachine},
		{Name: "hostname", Refuses: true, OfNew: true, About: "hostnames differ: API servers of one name share one lease", Cluster: judgeHostnames},
		{Name: "machine-id", About: "machine-ids differ, as they do not on copies of one disk", Cluster: judgeMachineIDs},
		{Name: "product-uuid", About: "product UUIDs differ, as they do not on copies of one virtual machine", Cluster: judgeProductUUIDs},
		{Name: "mac-address", Refuses: true, OfNew: true, About: "the interfaces' hardware addresses differ", Cluster: judgeMACs},
	}
}

// judgeSameMachine goes by machine-id and boot-id together: copies of one disk
// share the first, hosts inside one kernel the second.
func judgeSameMachine(o *Observation) []Finding {
	machines := map[string]string{}
	var out []Finding
	for i := range o.Cluster.Hosts {
		name := o.Cluster.Hosts[i].Name
		f := o.Snapshot.Facts(name)
		if f == nil || f.MachineID == "" {
			continue
		}
		id := f.MachineID + "/" + f.BootID
		if other, ok := machines[id]; ok {
			out = append(out, fail("give each host of the cluster file the address of a machine of its own",
				"%s and %s are the same machine (machine-id %s)", other, name, f.MachineID).about(other, name))
		}
		machines[id] = name
	}
	return out
}

// shared groups the observed hosts by what they have in common, in the file's
// order; hosts for which key is empty are left out.
func shared(o *Observation, key func(h *cluster.Host, s *state.Host) string) (keys []string, hosts map[string][]string) {
	hosts = map[string][]string{}
	for i := range o.Cluster.Hosts {
		h := &o.Cluster.Hosts[i]
		s := o.observed(h)
		if s == nil || s.Facts == nil {
			continue
		}
		k := key(h, s)
		if k == "" {
			continue
		}
		if hosts[k] = append(hosts[k], h.Name); len(hosts[k]) == 2 {
			keys = append(keys, k)
		}
	}
	return keys, hosts
}

func judgeHostnames(o *Observation) []Finding {
	var out []Finding
	keys, hosts := shared(o, func(_ *cluster.Host, s *state.Host) string { return strings.ToLower(s.Facts.Hostname) })
	for _, k := range keys {
		controlPlanes := 0
		for _, name := range hosts[k] {
			if o.Cluster.Host(name).Has(cluster.RoleControlPlane) {
				controlPlanes++
			}
		}
		const hint = "give each a name of its own: hostnamectl set-hostname NAME"
		f := warn(hint, "%s have the same hostname %s", strings.Join(hosts[k], " and "), k)
		if controlPlanes > 1 {
			f = fail(hint, "%s have the same hostname %s: their API servers would take each other's lease", strings.Join(hosts[k], " and "), k)
		}
		out = append(out, f.about(hosts[k]...))
	}
	return out
}

func judgeMachineIDs(o *Observation) []Finding {
	var out []Finding
	keys, hosts := shared(o, func(_ *cluster.Host, s *state.Host) string { return s.Facts.MachineID })
	for _, k := range keys {
		out = append(out, warn("on all but one: rm /etc/machine-id && systemd-machine-id-setup, then reboot",
			"%s have the same machine-id, as copies of one disk do: they may get the same address by DHCP", strings.Join(hosts[k], " and ")).about(hosts[k]...))
	}
	return out
}

// judgeProductUUIDs passes over hosts that share a kernel, such as containers:
// they share its machine, too.
func judgeProductUUIDs(o *Observation) []Finding {
	var out []Finding
	keys, hosts := shared(o, func(_ *cluster.Host, s *state.Host) string { return s.Facts.ProductUUID })
	oneKernel := 0
	for _, k := range keys {
		boots := map[string]bool{}
		for _, name := range hosts[k] {
			boots[o.Snapshot.Facts(name).BootID] = true
		}
		if len(boots) < len(hosts[k]) {
			oneKernel += len(hosts[k])
			continue
		}
		out = append(out, warn("let the hypervisor give each virtual machine a UUID of its own",
			"%s have the same product UUID %s, which Kubernetes wants to be unique", strings.Join(hosts[k], " and "), k).about(hosts[k]...))
	}
	if out == nil && oneKernel > 0 {
		return fine("%d hosts share one kernel, and with it its machine's UUID", oneKernel)
	}
	return out
}

func judgeMACs(o *Observation) []Finding {
	var out []Finding
	keys, hosts := shared(o, func(h *cluster.Host, s *state.Host) string {
		if in := carrier(s.Facts, h); in != nil {
			return in.MAC
		}
		return ""
	})
	for _, k := range keys {
		out = append(out, fail("let the hypervisor give each interface an address of its own",
			"%s have the same hardware address %s: packets to one reach the other", strings.Join(hosts[k], " and "), k).about(hosts[k]...))
	}
	return out
}
