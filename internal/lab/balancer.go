package lab

import (
	"bytes"
	_ "embed"
	"slices"
	"text/template"
)

// ExternalBalancer is the host of the lab's external balancer, and whether
// there is one.
func (l *Lab) ExternalBalancer() (HostSpec, bool) {
	for _, h := range l.record.Hosts {
		if h.hasRole(ExternalBalancer) {
			return h, true
		}
	}
	return HostSpec{}, false
}

// members are the hosts that are in the cluster file.
func (l *Lab) members() []HostSpec {
	return slices.DeleteFunc(slices.Clone(l.record.Hosts), func(h HostSpec) bool { return h.hasRole(ExternalBalancer) })
}

// BalancerConfigPath is where HAProxy on the external balancer reads
// BalancerConfig: the distribution's own place, since the balancer stands for
// one that somebody else looks after.
const BalancerConfigPath = "/etc/haproxy/haproxy.cfg"

//go:embed balancer.cfg.tmpl
var balancerTemplate string

// BalancerConfig is the external balancer's HAProxy as its owner would set it
// up in front of the lab's control planes.
func (l *Lab) BalancerConfig() []byte {
	var controlPlanes []HostSpec
	for _, h := range l.record.Hosts {
		if h.hasRole(ControlPlane) {
			controlPlanes = append(controlPlanes, h)
		}
	}
	var out bytes.Buffer
	err := template.Must(template.New("balancer").Parse(balancerTemplate)).Execute(&out, map[string]any{"Backends": controlPlanes})
	if err != nil {
		panic(err) // the template and its data are both ours: a test renders it
	}
	return out.Bytes()
}
