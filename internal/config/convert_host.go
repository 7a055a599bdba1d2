package config

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/cluster"
)

// The kinds of connection to a host.
const (
	connectionSSH   = "ssh"
	connectionLocal = "local"
)

// host converts one host; ssh is the cluster's block, which the host's own
// overrides.
func (c *converter) host(p path, h *v1alpha1.Host, ssh cluster.SSH) cluster.Host {
	what := "a host"
	if h.Name != "" {
		what = "host " + clip(printableText(h.Name))
	}
	out := cluster.Host{
		Name:    c.hostName(p.key("name"), h.Name),
		Address: c.address(p.key("address"), what+": address", h.Address),
		Roles:   c.roles(p.key("roles"), what, h.Roles),
		Labels:  c.labels(p.key("labels"), what, h.Labels),
	}
	internal, key := p.key("internalAddress"), "internalAddress"
	if !c.given(internal) && c.given(p.key("address")) {
		internal, key = p.key("address"), "address" // that is where it came from
	}
	switch {
	case h.InternalAddress != "" || c.given(p.key("internalAddress")):
		out.InternalAddress = c.unicast(internal, what+": "+key, h.InternalAddress)
	case out.Address != "":
		c.errorf(internal, "add internalAddress: the IP address that the other hosts reach it at",
			"%s has a name as address, so it needs an internalAddress too", what)
	}
	if out.InternalAddress.Is6() {
		c.errorf(internal, "give an IPv4 address as internalAddress; address may be IPv6",
			"%s: clusters on IPv6 are not supported by this version", what)
	}
	if h.Arch != "" || c.given(p.key("arch")) {
		out.Arch = c.oneOf(p.key("arch"), what+": arch", h.Arch, "amd64", "arm64")
	}
	out.SSH = c.ssh(p.key("ssh"), what+": ssh", &h.SSH, ssh)
	if c.oneOf(p.key("connection"), what+": connection", h.Connection, connectionSSH, connectionLocal) == connectionLocal {
		if c.given(p.key("ssh")) {
			c.warnf(p.key("ssh"), "remove one of the two", "%s: ssh has no effect with connection: local", what)
		}
		// Only sudo is left to ask for on the machine itself.
		out.SSH = cluster.SSH{Local: true, SudoPassword: out.SSH.SudoPassword}
	}
	return out
}

// hostName checks a host's name: it becomes the node's name, and a label of it.
func (c *converter) hostName(p path, name string) string {
	const longest = 63
	const rule = "a name is lower-case letters, digits, - and ., and begins and ends with a letter or digit"
	switch {
	case name == "":
		c.errorf(p, "add name: the host's name in the cluster", "a host has no name")
	case len(name) > longest:
		c.errorf(p, "", "the host name %s is longer than %d characters", quote(name), longest)
	case len(validation.IsDNS1123Subdomain(name)) > 0:
		c.errorf(p, rule, "%s is not a host name%s", quote(name), holds(name, nameCharacter))
	default:
		return name
	}
	return ""
}

// roles checks a host's roles and drops repetitions.
func (c *converter) roles(p path, what string, roles []string) []cluster.Role {
	known := []string{string(cluster.RoleControlPlane), string(cluster.RoleWorker), string(cluster.RoleEtcd), string(cluster.RoleLoadBalancer)}
	if len(roles) == 0 {
		c.errorf(p, "add roles: one or more of "+list(known), "%s has no roles", what)
		return nil
	}
	var out []cluster.Role
	for i, role := range roles {
		role = c.oneOf(p.index(i), what+": role", role, known...)
		if role != "" && slices.Contains(out, cluster.Role(role)) {
			c.warnf(p.index(i), "", "%s has the role %s twice", what, role)
			continue
		}
		if role != "" {
			out = append(out, cluster.Role(role))
		}
	}
	return out
}

func hasRole(h *v1alpha1.Host, role string) bool { return slices.Contains(h.Roles, role) }

// labels checks a host's labels by Kubernetes' rules.
func (c *converter) labels(p path, what string, labels map[string]string) map[string]string {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		at := p.key(key)
		if len(validation.IsQualifiedName(key)) > 0 {
			c.errorf(at, "a label's name is at most 63 letters, digits, -, _ and ., after an optional domain and /", "%s: %s is not a label's name%s", what, quote(key), holds(key, labelCharacter))
			continue
		}
		if len(validation.IsValidLabelValue(labels[key])) > 0 {
			c.errorf(at, "a label's value is at most 63 letters, digits, -, _ and ., beginning and ending with a letter or digit", "%s: %s is not a value for label %s%s", what, quote(labels[key]), key, holds(labels[key], labelCharacter))
		}
	}
	return maps.Clone(labels)
}
