package config

import (
	"regexp"
	"slices"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

// withoutProxyProtocol is the word for a listener that tells nobody the
// client's address.
const withoutProxyProtocol = "none"

// listeners converts the ports that load balancers carry beside the
// endpoint's; the hosts that they lead to are those of a model.
func (c *converter) listeners(p strict.Path, listeners []v1alpha1.Listener, of *cluster.Cluster) []cluster.Listener {
	var out []cluster.Listener
	for i := range listeners {
		out = append(out, c.listener(p.Index(i), &listeners[i], of))
	}
	return out
}

func (c *converter) listener(p strict.Path, l *v1alpha1.Listener, of *cluster.Cluster) cluster.Listener {
	what := "a listener"
	if l.Name != "" {
		what = "listener " + strict.Clip(strict.Printable(l.Name))
	}
	out := cluster.Listener{
		Name: c.label(p.Key("name"), "a listener's name", l.Name),
		Port: c.port(p.Key("port"), what+": port", l.Port),
	}
	out.TargetPort = out.Port
	if l.TargetPort != 0 || c.Given(p.Key("targetPort")) {
		out.TargetPort = c.port(p.Key("targetPort"), what+": targetPort", l.TargetPort)
	}
	if l.ProxyProtocol != "" || c.Given(p.Key("proxyProtocol")) {
		version := c.oneOf(p.Key("proxyProtocol"), what+": proxyProtocol", l.ProxyProtocol, withoutProxyProtocol, "v1", "v2")
		if version != withoutProxyProtocol {
			out.ProxyProtocol = version
		}
	}
	out.Hosts = c.listenerHosts(p, what, l, of)
	return out
}

// listenerHosts are the names of the hosts that a listener leads to.
func (c *converter) listenerHosts(p strict.Path, what string, l *v1alpha1.Listener, of *cluster.Cluster) []string {
	role := string(cluster.RoleWorker)
	if l.Role != "" || c.Given(p.Key("role")) {
		role = c.oneOf(p.Key("role"), what+": role", l.Role, string(cluster.RoleWorker), string(cluster.RoleControlPlane))
		if len(l.Hosts) > 0 {
			c.Errorf(p.Key("hosts"), "give the one or the other", "%s has both a role and hosts", what)
			return nil
		}
	}
	var out []string
	if len(l.Hosts) == 0 {
		for _, h := range of.With(cluster.Role(role)) {
			out = append(out, h.Name)
		}
		if len(out) == 0 && role != "" {
			c.Errorf(p, "give a host the role, or name hosts", "%s leads to the hosts of role %s, and there are none", what, role)
		}
		return out
	}
	for i, name := range l.Hosts {
		switch {
		case of.Host(name) == nil:
			c.Errorf(p.Key("hosts").Index(i), "name hosts of this file", "%s leads to %s, which is no host of this file", what, quote(name))
		case slices.Contains(out, name):
			c.Warnf(p.Key("hosts").Index(i), "", "%s leads to %s twice", what, name)
		default:
			out = append(out, name)
		}
	}
	return out
}

// interfaceName is what Linux takes for one, without what keepalived's and
// systemd's files would read as something else.
var interfaceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$`)

// networkInterface checks a network interface's name.
func (c *converter) networkInterface(p strict.Path, what, value string) string {
	if !interfaceName.MatchString(value) {
		c.Errorf(p, "give a name as ip link shows it, such as eth0", "%s: %s is not the name of a network interface%s", what, quote(value), holds(value, labelCharacter))
		return ""
	}
	return value
}
