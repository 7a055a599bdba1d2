package endpoint

import (
	"net"
	"strconv"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// stepProgram is the subject of the step that installs the bundle's HAProxy.
const stepProgram = "endpoint/haproxy-program"

// ownBinds are where a host's own proxy serves the endpoint: on 127.0.0.1, where a
// worker's name for it leads, or at a control-plane host's own address, likewise; there the
// API server itself has its port.
func ownBinds(c *cluster.Cluster, h *cluster.Host, ports []int) []string {
	var out []string
	for _, port := range ports {
		if h.Has(cluster.RoleControlPlane) && port == apiPort(c) {
			continue
		}
		out = append(out, net.JoinHostPort(ownAddress(h), strconv.Itoa(port)))
	}
	return out
}

// ownAddress is where a host's own proxy listens.
func ownAddress(h *cluster.Host) string {
	if h.Has(cluster.RoleControlPlane) {
		return h.InternalAddress.String()
	}
	return "127.0.0.1"
}

// localHAProxyConfig is what a host's own HAProxy is made of, wherever its program
// comes from. It serves the endpoint on these ports.
func localHAProxyConfig(c *cluster.Cluster, h *cluster.Host, ports []int) haproxyConfig {
	return haproxyConfig{
		Purpose:        "this node's way to the API servers",
		Binds:          ownBinds(c, h, ports),
		Before:         "kubelet.service",
		MaxConnections: 4000,
	}.of(c)
}

// planLocalhost plans a node's own HAProxy, which is up before its kubelet.
func planLocalhost(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	config := localHAProxyConfig(in.Cluster, h, portsOf(in))
	var needs []plan.ID
	replaced := false
	if component.OwnHAProxy(in.Cluster, h, in.Artefacts, facts) {
		config.Root = component.HAProxyRoot
		program := plan.On(stepProgram, h.Name)
		needs = append(needs, program)
		replaced = component.PlanOwnHAProxy(in, h, facts, program, haproxyUnit, out)
	}
	if lingers(in, h) {
		needs = append(needs, plan.On(component.StepRetire, h.Name))
	}
	service := haproxyService(h, config)
	service.Replaced = replaced
	alone := localHAProxyConfig(in.Cluster, h, []int{in.Cluster.Endpoint.Port})
	alone.Root = config.Root
	then := haproxyService(h, alone)
	planFormerPorts(in, h, facts, service, then, runHAProxy{then, config.Root, facts.SELinux != ""}, out)
	planHAProxy(in, h, facts, service, config.Root, "balance the API servers on "+ownAddress(h), out, needs...)
}
