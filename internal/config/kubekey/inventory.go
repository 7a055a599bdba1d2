package kubekey

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// importInventory makes a document of an Inventory and, where there is one, a
// Config.
func importInventory(r *strict.Report, inventory, config document) *v1alpha1.Cluster {
	doc := &v1alpha1.Cluster{APIVersion: v1alpha1.APIVersion, Kind: v1alpha1.Kind}
	var c configFile
	settings := newImporter(r, config.report, doc)
	if config.root == nil {
		settings.theirs = r.On(inventory.report.Source())
		settings.theirs.WarnAt(strict.Position(inventory.root), "name both: -f inventory.yaml -f config.yaml",
			"the Inventory comes without a Config: the cluster has Quorate's defaults")
	} else {
		settings.decode(config.root, &c)
	}
	var f inventoryFile
	m := newImporter(r, inventory.report, doc)
	m.decode(inventory.root, &f)
	r.Set("", m.theirs.PlaceOf(""))
	r.Set("spec", m.place("spec"))
	r.Speak(configWords())

	m.inventoryHosts(&f.Spec, c.Spec.Etcd.DeploymentType)
	m.leaveOut(
		leftOut{from: "status", value: f.Status, follows: "KubeKey wrote down there what it had done", hint: "remove it"},
		leftOut{from: "spec.vars", value: f.Spec.Vars, follows: "variables for KubeKey's playbooks mean nothing here", hint: "write what is meant in a cluster file: quorate import"},
	)
	m.metadata(&f.Metadata)
	if config.root != nil {
		settings.metadata(&c.Metadata)
		settings.leaveOut(
			leftOut{from: "metadata.name", value: c.Metadata.Name, harmless: []any{"default"}, follows: "the cluster is called after kubernetes.cluster_name, or else the Inventory", hint: "remove it"},
			leftOut{from: "status", value: c.Status, follows: "KubeKey wrote down there what it had done", hint: "remove it"},
		)
		settings.config(&c.Spec)
	}
	if n := f.Metadata.Name; doc.Metadata.Name == "" && n != "default" && label.MatchString(n) {
		set(m, "metadata.name", &doc.Metadata.Name, "metadata.name", n)
	}
	return doc
}

// decode decodes a document of KubeKey 4, in which any value may be a template.
func (m *importer) decode(root *yaml.Node, out any) {
	m.dropTemplates(root, map[*yaml.Node]bool{})
	strict.Decode(m.theirs, root, out, strict.Options{Loose: true, Unknown: m.unknownVariable})
}

// dropTemplates makes nothing of values that are templates: only KubeKey can
// tell what they mean, and nobody should take them for text.
func (m *importer) dropTemplates(n *yaml.Node, seen map[*yaml.Node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "{{") {
		m.theirs.WarnAt(strict.Position(n), "write the value itself", "a template ({{ … }}) is not taken over: it is as if nothing were written here")
		n.Tag, n.Value, n.Style = "!!null", "", 0
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue // keys
		}
		m.dropTemplates(child, seen)
	}
}

// unknownVariable warns about a key that KubeKey's own playbooks do not read.
func (m *importer) unknownVariable(key *yaml.Node, p strict.Path, known []string) {
	if m.told[key] {
		return // again, by an alias
	}
	m.told[key] = true
	hint := "if a playbook of your own reads it, run that yourself"
	if !m.theirs.Full(diag.SeverityWarning) {
		hint = cmp.Or(strict.KeyHint(key.Value, known), hint)
	}
	m.theirs.WarnAt(strict.Position(key), hint, "unknown key %s in %s: it has no effect", quote(strict.KeyName(key.Value)), cmp.Or(name(p), "the document"))
}

// metadata speaks about metadata that has no effect.
func (m *importer) metadata(f *metadata) {
	const nothing = "it means nothing to KubeKey either"
	m.leaveOut(
		leftOut{from: "metadata.namespace", value: f.Namespace, harmless: []any{"default"}, follows: nothing, hint: "remove it"},
		leftOut{from: "metadata.labels", value: f.Labels, follows: nothing, hint: "remove it"},
		leftOut{from: "metadata.annotations", value: f.Annotations, follows: nothing, hint: "remove it"},
		leftOut{from: "metadata.creationTimestamp", value: f.CreationTimestamp, follows: nothing, hint: "remove it"},
		leftOut{from: "metadata.generateName", value: f.GenerateName, follows: nothing, hint: "remove it"},
		leftOut{from: "metadata.finalizers", value: f.Finalizers, follows: nothing, hint: "remove it"},
		leftOut{from: "metadata.resourceVersion", value: f.ResourceVersion, follows: nothing, hint: "remove it"},
		leftOut{from: "metadata.uid", value: f.UID, follows: nothing, hint: "remove it"},
		leftOut{from: "metadata.generation", value: f.Generation, follows: nothing, hint: "remove it"},
	)
}

// inventoryHosts imports the hosts that have a role. A host need not be listed:
// one that only a group names is reached by that name.
func (m *importer) inventoryHosts(s *inventorySpec, etcd string) {
	const at = strict.Path("spec.hosts")
	m.ours.Set(at, m.place(at))
	if len(s.Groups) == 0 {
		m.fail("spec.groups", "add groups: {kube_control_plane: {hosts: […]}, kube_worker: {hosts: […]}, etcd: {hosts: […]}}", "no groups say what the hosts are for")
		m.ours.MarkBad(at)
		return
	}
	m.listed, m.groups = slices.Sorted(maps.Keys(s.Hosts)), slices.Sorted(maps.Keys(s.Groups))
	roles, others := m.inventoryRoles(s, etcd)
	named := inOwnGroups(s)
	for _, name := range append(m.inFileOrder(at, slices.Collect(maps.Keys(s.Hosts))), others...) {
		from := at.Key(name)
		h, listed := s.Hosts[name]
		if len(roles[name]) == 0 {
			if listed && !named[name] && !m.theirs.AnyBadIn("spec.groups") {
				m.warn(from, "put it in kube_control_plane, kube_worker or etcd, or remove it", "host %s is left out: no group gives it a role", word(name))
			}
			continue
		}
		m.doc.Spec.Hosts = append(m.doc.Spec.Hosts, v1alpha1.Host{Name: name})
		to, out := at.Index(len(m.doc.Spec.Hosts)-1), &m.doc.Spec.Hosts[len(m.doc.Spec.Hosts)-1]
		where := roles[name][0].at
		if listed {
			where = m.place(from)
		}
		m.ours.Set(to, where)
		m.ours.Set(to.Key("name"), where)
		m.inventoryHost(to, out, from, &h)
		m.setRoles(to, out, roles[name])
	}
	if m.theirs.AnyBadIn(at) || m.theirs.AnyBadIn("spec.groups") {
		m.ours.MarkBad(at.Key("roles")) // rules about all of them would mislead
	}
}

// inventoryHost imports one host, but for its roles.
func (m *importer) inventoryHost(to strict.Path, out *v1alpha1.Host, from strict.Path, h *inventoryHost) {
	c, at, ssh := &h.Connector, from.Key("connector"), to.Key("ssh")
	set(m, to.Key("address"), &out.Address, at.Key("host"), c.Host)
	set(m, to.Key("internalAddress"), &out.InternalAddress, from.Key("internal_ipv4"), h.InternalIPv4)
	switch {
	case h.InternalIPv4 != "" && h.InternalIPv6 != "":
		m.warn(from.Key("internal_ipv6"), "", "host %s: its internal_ipv6 is not taken over: clusters of this version are IPv4 only", word(out.Name))
	case h.InternalIPv6 != "":
		set(m, to.Key("internalAddress"), &out.InternalAddress, from.Key("internal_ipv6"), h.InternalIPv6)
	}
	if out.Address == "" && !m.theirs.IsBad(at.Key("host")) {
		// KubeKey reaches a host by its name then; its internal address is surer.
		_, err := netip.ParseAddr(out.Name)
		if out.Address = out.Name; err != nil && out.InternalAddress != "" {
			out.Address = out.InternalAddress
		}
		m.ours.Set(to.Key("address"), m.ours.PlaceOf(to))
	}
	if net.ParseIP(out.Address) == nil && out.Address != "" && out.InternalAddress == "" && !m.theirs.IsBad(from.Key("internal_ipv4")) {
		// KubeKey asks the host itself for one.
		m.ours.Set(to.Key("internalAddress"), m.ours.PlaceOf(to.Key("address")))
		m.ours.Errorf(to.Key("internalAddress"), fmt.Sprintf("add below hosts: %s: {internal_ipv4: ADDRESS}, the IP address that the other hosts reach it at", word(out.Name)),
			"host %s has a name as address, so it needs an internal_ipv4 too", word(out.Name))
	}
	set(m, to.Key("arch"), &out.Arch, from.Key("arch"), h.Arch)
	for _, key := range slices.Sorted(maps.Keys(h.Labels)) {
		if out.Labels == nil {
			out.Labels = map[string]string{}
			m.ours.Set(to.Key("labels"), m.theirs.PlaceOf(from.Key("labels")))
		}
		out.Labels[key] = h.Labels[key]
		m.ours.Set(to.Key("labels").Key(key), m.theirs.PlaceOf(from.Key("labels").Key(key)))
	}
	m.leaveOut(
		leftOut{from: from.Key("storage"), value: h.Storage, follows: "no disks are made ready on the hosts", hint: "format and mount them yourself"},
		leftOut{from: from.Key("kubernetes"), value: h.Kubernetes, follows: "no multipath and no disks are set up on the hosts", hint: "set them up yourself"},
	)
	isLocal := c.Type == "local" || c.Type == "" && (c.Host == "localhost" || c.Host == "" && out.Name == "localhost")
	switch c.Type {
	case "", "ssh", "local":
	default:
		m.fail(at.Key("type"), strict.DidYouMean(c.Type, []string{"ssh", "local"}), "host %s: connector.type must be ssh or local, not %s", word(out.Name), quote(c.Type))
	}
	if isLocal {
		out.Connection = "local"
		m.ours.Set(to.Key("connection"), m.place(at.Key("type")))
		set(m, ssh.Key("sudoPassword"), &out.SSH.SudoPassword, at.Key("password"), v1alpha1.SecretText(c.Password))
		return
	}
	set(m, ssh.Key("user"), &out.SSH.User, at.Key("user"), c.User)
	set(m, ssh.Key("port"), &out.SSH.Port, at.Key("port"), c.Port)
	set(m, ssh.Key("password"), &out.SSH.Password, at.Key("password"), v1alpha1.SecretText(c.Password))
	set(m, ssh.Key("privateKeyPath"), &out.SSH.PrivateKeyPath, at.Key("private_key"), c.PrivateKey)
	m.privateKey(at.Key("private_key_content"), out.Name, c.PrivateKeyContent, c.Password != "" || c.PrivateKey != "")
}
