package kubekey

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
)

// hosts imports the hosts that have a role; the others are left out, as KubeKey
// leaves them alone.
func (m *importer) hosts(s *spec) {
	const at = strict.Path("spec.hosts")
	m.ours.Set(at, m.place(at))
	if m.theirs.IsBad(at) {
		m.ours.MarkBad(at)
		return
	}
	if len(s.Hosts) == 0 {
		m.fail("spec.hosts", "add hosts: a list of {name: …, address: …, user: …, password: …}", "the file lists no hosts")
		m.ours.MarkBad(at)
		return
	}
	roles, others := m.roles(s)
	if roles == nil {
		m.ours.MarkBad(at)
		return
	}
	for i := range s.Hosts {
		h, from := &s.Hosts[i], at.Index(i)
		if h.Name == "" {
			m.fail(from.Key("name"), "add name: the host's name in the cluster", "a host has no name")
			continue
		}
		if len(roles[h.Name]) == 0 {
			if !others[h.Name] && !m.theirs.AnyBadIn("spec.roleGroups") {
				m.warn(from.Key("name"), "put it in a group below roleGroups, or remove it",
					"host %s is left out: it is in no group of control-plane hosts, workers or etcd members", word(h.Name))
			}
			continue
		}
		m.doc.Spec.Hosts = append(m.doc.Spec.Hosts, v1alpha1.Host{})
		to := at.Index(len(m.doc.Spec.Hosts) - 1)
		m.ours.Set(to, m.theirs.PlaceOf(from))
		m.host(to, &m.doc.Spec.Hosts[len(m.doc.Spec.Hosts)-1], from, h)
		m.setRoles(to, &m.doc.Spec.Hosts[len(m.doc.Spec.Hosts)-1], roles[h.Name])
	}
	if m.theirs.AnyBadIn(at) || m.theirs.AnyBadIn("spec.roleGroups") {
		m.ours.MarkBad(at.Key("roles")) // rules about all of them would mislead
		if len(m.doc.Spec.Hosts) == 0 {
			m.ours.MarkBad(at) // and that there are none would be untrue
		}
	}
}

// host imports one host, but for its roles.
func (m *importer) host(to strict.Path, out *v1alpha1.Host, from strict.Path, h *host) {
	set(m, to.Key("name"), &out.Name, from.Key("name"), h.Name)
	m.addresses(to, out, from, h)
	set(m, to.Key("arch"), &out.Arch, from.Key("arch"), h.Arch)
	ssh := to.Key("ssh")
	set(m, ssh.Key("user"), &out.SSH.User, from.Key("user"), h.User)
	set(m, ssh.Key("port"), &out.SSH.Port, from.Key("port"), h.Port)
	set(m, ssh.Key("password"), &out.SSH.Password, from.Key("password"), v1alpha1.SecretText(h.Password))
	set(m, ssh.Key("privateKeyPath"), &out.SSH.PrivateKeyPath, from.Key("privateKeyPath"), strings.TrimSpace(h.PrivateKeyPath))
	if p := out.SSH.PrivateKeyPath; p != "" && !filepath.IsAbs(p) && !strings.HasPrefix(p, "~") && !strict.IsPrivateKey(p) {
		m.warn(from.Key("privateKeyPath"), "write the whole path", "host %s: the private key's path starts from this file's folder; KubeKey's starts from where it is run", word(h.Name))
	}
	m.privateKey(from.Key("privateKey"), h.Name, h.PrivateKey, h.Password != "" || h.PrivateKeyPath != "")
	if h.Timeout != 0 {
		m.timeout(ssh.Key("timeout"), out, from.Key("timeout"), h)
	}
	for key, value := range h.Labels {
		if out.Labels == nil {
			out.Labels = map[string]string{}
		}
		out.Labels[key] = value
		m.ours.Set(to.Key("labels").Key(key), m.theirs.PlaceOf(from.Key("labels").Key(key)))
	}
	if len(h.Labels) > 0 {
		m.ours.Set(to.Key("labels"), m.theirs.PlaceOf(from.Key("labels")))
	}
	m.leaveOut(leftOut{from: from.Key("id"), value: h.ID, follows: "KubeKey kept it for itself", hint: "remove it"})
}

// privateKey speaks about a key that stands in the file: hosts are reached with
// keys that are files of their own.
func (m *importer) privateKey(from strict.Path, host, key string, otherWay bool) {
	const hint = "put the key into a file of mode 0600, and write privateKeyPath: PATH"
	switch {
	case key == "":
	case otherWay:
		m.warn(from, hint, "host %s: the private key in the file is not used, the host is reached by what else is given", word(host))
	default:
		m.fail(from, hint, "host %s: the private key stands in the file itself, which is not supported", word(host))
	}
}

// timeout imports the time for connecting, in seconds.
func (m *importer) timeout(to strict.Path, out *v1alpha1.Host, from strict.Path, h *host) {
	const longest = 3600
	if h.Timeout < 0 || h.Timeout > longest {
		m.fail(from, "30 is KubeKey's own", "host %s: timeout %d is not a number of seconds from 1 to %d", word(h.Name), h.Timeout, longest)
		return
	}
	set(m, to, &out.SSH.Timeout, from, time.Duration(h.Timeout)*time.Second)
}

// addresses imports where a host is reached. Each of the two addresses stands
// in for the other; the internal one may be an IPv4 and an IPv6 address.
func (m *importer) addresses(to strict.Path, out *v1alpha1.Host, from strict.Path, h *host) {
	address, internal := from.Key("address"), from.Key("internalAddress")
	v4, others := oneFamily(h.InternalAddress, isIPv4)
	if others != "" && !m.dual {
		m.dual = true
		m.theirs.WantIPv6(m.place(internal), fmt.Sprintf("host %s's internalAddress %s", word(h.Name), word(h.InternalAddress)))
	}
	set(m, to.Key("internalAddress"), &out.InternalAddress, internal, v4)
	set(m, to.Key("address"), &out.Address, address, strings.TrimSpace(h.Address))
	if out.Address == "" && !m.theirs.IsBad(address) {
		set(m, to.Key("address"), &out.Address, internal, v4)
	}
	if out.Address == "" && !m.theirs.IsBad(internal) && !m.theirs.IsBad(address) {
		m.fail(from, "add address: where SSH reaches it", "host %s has no address", word(h.Name))
		m.ours.MarkBad(to)
	}
}

// oneFamily takes apart what may be an IPv4 and an IPv6 value with a comma
// between them: the first IPv4 one, or else the first, and the rest.
func oneFamily(text string, isV4 func(string) bool) (first, others string) {
	if !strings.Contains(text, ",") {
		return strings.TrimSpace(text), ""
	}
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return "", ""
	}
	chosen := 0
	for i, part := range parts {
		if isV4(part) {
			chosen = i
			break
		}
	}
	first = parts[chosen]
	return first, strings.Join(append(parts[:chosen:chosen], parts[chosen+1:]...), ",")
}

func isIPv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func isIPv4Range(s string) bool {
	p, err := netip.ParsePrefix(s)
	return err == nil && p.Addr().Is4()
}
