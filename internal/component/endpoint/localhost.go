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

// localHAProxyConfig is what a node's own HAProxy is made of, wherever its program
// comes from. It serves the endpoint on these ports.
func localHAProxyConfig(c *cluster.Cluster, ports []int) haproxyConfig {
	d := haproxyConfig{
		Purpose:        "this node's way to the API servers",
		Before:         "kubelet.service",
		MaxConnections: 4000,
	}
	for _, port := range ports {
		d.Binds = append(d.Binds, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	return d.of(c)
}

// planLocalhost plans a node's own HAProxy on 127.0.0.1, which is up before
// its kubelet.
func planLocalhost(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	config := localHAProxyConfig(in.Cluster, portsOf(in))
	var needs []plan.ID
	replaced := false
	if component.OwnHAProxy(in.Cluster, in.Artefacts, facts) {
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
	alone := localHAProxyConfig(in.Cluster, []int{in.Cluster.Endpoint.Port})
	alone.Root = config.Root
	then := haproxyService(h, alone)
	planFormerPort(in, h, facts, service, then, runHAProxy{then, config.Root, facts.SELinux != ""}, out)
	planHAProxy(in, h, facts, service, config.Root, "balance the API servers on 127.0.0.1", out, needs...)
}
