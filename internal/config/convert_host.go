package config

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

// The kinds of connection to a host.
const (
	connectionSSH   = "ssh"
	connectionLocal = "local"
)

// host converts one host; ssh is the cluster's block, which the host's own
// overrides.
func (c *converter) host(p strict.Path, h *v1alpha1.Host, ssh cluster.SSH) cluster.Host {
	what := "a host"
	if h.Name != "" {
		what = "host " + strict.Clip(strict.Printable(h.Name))
	}
	out := cluster.Host{
		Name:    c.hostName(p.Key("name"), h.Name),
		Address: c.address(p.Key("address"), what+": address", h.Address),
		Roles:   c.roles(p.Key("roles"), what, h.Roles),
		Labels:  c.labels(p.Key("labels"), what, h.Labels),
	}
	internal, key := p.Key("internalAddress"), "internalAddress"
	if !c.Given(internal) && c.Given(p.Key("address")) {
		internal, key = p.Key("address"), "address" // that is where it came from
	}
	switch {
	case h.InternalAddress != "" || c.Given(p.Key("internalAddress")):
		out.InternalAddress = c.unicast(internal, what+": "+key, h.InternalAddress)
	case out.Address != "":
		c.Errorf(internal, "add internalAddress: the IP address that the other hosts reach it at",
			"%s has a name as address, so it needs an internalAddress too", what)
	}
	if out.InternalAddress.Is6() {
		c.Errorf(internal, "give an IPv4 address as internalAddress; address may be IPv6",
			"%s: clusters on IPv6 are not supported by this version", what)
	}
	if h.Arch != "" || c.Given(p.Key("arch")) {
		out.Arch = c.oneOf(p.Key("arch"), what+": arch", h.Arch, "amd64", "arm64")
	}
	out.SSH = c.ssh(p.Key("ssh"), what+": ssh", &h.SSH, ssh)
	if c.oneOf(p.Key("connection"), what+": connection", h.Connection, connectionSSH, connectionLocal) == connectionLocal {
		if c.Given(p.Key("ssh")) {
			c.Warnf(p.Key("ssh"), "remove one of the two", "%s: ssh has no effect with connection: local", what)
		}
		// Only sudo is left to ask for on the machine itself.
		out.SSH = cluster.SSH{Local: true, SudoPassword: out.SSH.SudoPassword}
	}
	return out
}

// hostName checks a host's name: it becomes the node's name, and a label of it.
func (c *converter) hostName(p strict.Path, name string) string {
	const longest = 63
	rule := "a name is lower-case letters, digits, - and ., and begins and ends with a letter or digit"
	if lower := strings.ReplaceAll(strings.ToLower(name), "_", "-"); lower != name && len(validation.IsDNS1123Subdomain(lower)) == 0 {
		rule = "write " + lower + ": " + rule
	}
	switch {
	case name == "":
		c.Errorf(p, "add name: the host's name in the cluster", "a host has no name")
	case len(name) > longest:
		c.Errorf(p, "", "the host name %s is longer than %d characters", quote(name), longest)
	case len(validation.IsDNS1123Subdomain(name)) > 0:
		c.Errorf(p, rule, "%s is not a host name%s", quote(name), holds(name, nameCharacter))
	default:
		return name
	}
	return ""
}

// roles checks a host's roles and drops repetitions.
func (c *converter) roles(p strict.Path, what string, roles []string) []cluster.Role {
	known := []string{string(cluster.RoleControlPlane), string(cluster.RoleWorker), string(cluster.RoleEtcd), string(cluster.RoleLoadBalancer)}
	if len(roles) == 0 {
		c.Errorf(p, "add roles: one or more of "+list(known), "%s has no roles", what)
		return nil
	}
	var out []cluster.Role
	for i, role := range roles {
		role = c.oneOf(p.Index(i), what+": role", role, known...)
		if role != "" && slices.Contains(out, cluster.Role(role)) {
			c.Warnf(p.Index(i), "", "%s has the role %s twice", what, role)
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
func (c *converter) labels(p strict.Path, what string, labels map[string]string) map[string]string {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		at := p.Key(key)
		if len(validation.IsQualifiedName(key)) > 0 {
			c.Errorf(at, "a label's name is at most 63 letters, digits, -, _ and ., after an optional domain and /", "%s: %s is not a label's name%s", what, quote(key), holds(key, labelCharacter))
			continue
		}
		if len(validation.IsValidLabelValue(labels[key])) > 0 {
			c.Errorf(at, "a label's value is at most 63 letters, digits, -, _ and ., beginning and ending with a letter or digit", "%s: %s is not a value for label %s%s", what, quote(labels[key]), key, holds(labels[key], labelCharacter))
		}
	}
	return maps.Clone(labels)
}
