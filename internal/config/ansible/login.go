package ansible

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// given is a value with its place, or the environment variable that holds it.
type given struct {
	value, env string
	at         strict.Place
}

// isNone reports whether nothing is given.
func (g given) isNone() bool { return g.value == "" && g.env == "" }

// same reports whether two hosts are given the same.
func (g given) same(other given) bool { return g.value == other.value && g.env == other.env }

// environment is a value that Ansible takes from an environment variable of
// yours, as Quorate can, too.
var environment = regexp.MustCompile(`^\s*\{\{-?\s*lookup\(\s*['"](?:ansible\.builtin\.)?env['"]\s*,\s*['"]([A-Za-z_][A-Za-z0-9_]*)['"]\s*\)\s*-?\}\}\s*$`)

// login is how to reach one host: by our names of the fields of an ssh block,
// what the inventory says.
type login struct {
	isLocal      bool
	connectionAt strict.Place
	values       map[string]given
}

// loginField is a field of an ssh block with Ansible's names for it.
type loginField struct {
	key   string
	names []string
}

// loginFields lists the fields, in the order in which they are reported.
func loginFields() []loginField {
	return []loginField{
		{"user", []string{"ansible_user", "ansible_ssh_user"}},
		{"port", []string{"ansible_port", "ansible_ssh_port"}},
		{"privateKeyPath", []string{"ansible_ssh_private_key_file", "ansible_private_key_file"}},
		{"password", []string{"ansible_password", "ansible_ssh_pass", "ansible_ssh_password"}},
		{"sudoPassword", []string{"ansible_become_password", "ansible_become_pass", "ansible_sudo_pass", "ansible_sudo_password"}},
	}
}

// login finds out how to reach a host.
func (m *importer) login(p strict.Path, h *host) login {
	l := login{values: map[string]given{}}
	for _, field := range loginFields() {
		if secret := m.fromEnvironment(h, field); !secret.isNone() {
			l.values[field.key] = secret
			continue
		}
		value, v := m.of(p.Key(field.key), h, field.names...)
		if v == nil || value == "" {
			continue
		}
		if field.key == "port" {
			if _, err := parseWhole(value); err != nil {
				m.failOnce(p.Key("port"), h, v, &unresolved{"must be a whole number", ""})
				continue
			}
		}
		l.values[field.key] = given{value: value, at: v.at}
	}
	password, sudo := l.values["password"], l.values["sudoPassword"]
	switch {
	case sudo.isNone():
	case m.isKubeSphere && password.isNone() && l.values["privateKeyPath"].isNone():
		l.values["password"] = sudo // install.sh of 2.x does the same
		delete(l.values, "sudoPassword")
	case password.same(sudo):
		delete(l.values, "sudoPassword") // as the login password, which is the default
	}
	if key := l.values["privateKeyPath"]; isRelative(key.value) && !m.keyTold {
		m.keyTold = true
		m.inv.warn(key.at, "write the whole path, or {{ inventory_dir }} before it", "the private key's path starts from the folder of the inventory; Ansible's starts from where it is run")
	}
	m.connection(h, &l)
	m.become(h)
	m.sshArguments(h)
	return l
}

// isRelative reports whether the path of a key depends on a folder that the file
// does not name.
func isRelative(path string) bool {
	return path != "" && !filepath.IsAbs(path) && !strings.HasPrefix(path, "~") && !strings.HasPrefix(path, "./") && !strict.IsPrivateKey(path)
}

// fromEnvironment returns a password that the inventory takes from the
// environment, or nothing.
func (m *importer) fromEnvironment(h *host, field loginField) given {
	if field.key != "password" && field.key != "sudoPassword" {
		return given{}
	}
	for _, name := range field.names {
		v := m.inv.lookup(h, name)
		if v == nil {
			continue
		}
		found := environment.FindStringSubmatch(v.value.Value)
		if found == nil {
			return given{}
		}
		for _, name := range field.names {
			m.handled[name] = true
		}
		return given{env: found[1], at: v.at}
	}
	return given{}
}

// connection reads what kind of connection a host has.
func (m *importer) connection(h *host, l *login) {
	p := hostsPath.Index(max(slices.Index(m.members, h), 0)).Key("connection")
	value, v := m.of(p, h, "ansible_connection")
	if v == nil {
		return
	}
	switch value {
	case "local":
		l.isLocal, l.connectionAt = true, v.at
		if sudo := l.values["sudoPassword"]; m.isKubeSphere && sudo.isNone() && !l.values["password"].isNone() {
			l.values["sudoPassword"] = l.values["password"] // where it came from, by the rule above
			delete(l.values, "password")
		}
		for _, field := range loginFields() {
			if field.key == "sudoPassword" {
				continue
			}
			delete(l.values, field.key)
			for _, name := range field.names {
				if own, ok := h.vars[name]; ok && name != "ansible_ssh_pass" {
					m.inv.warn(own.at, "", "host %s: %s has no effect with ansible_connection=local: Quorate runs as whoever starts it", quote(h.name), name)
				}
			}
		}
	case "ssh", "smart", "paramiko", "paramiko_ssh", "":
	default:
		m.r.Set(p, v.at)
		m.r.Errorf(p, "write ssh or local", "host %s: the connection %s is not supported", quote(h.name), quote(value))
	}
}

// become reads how a host's user becomes root: by sudo, always.
func (m *importer) become(h *host) {
	for _, name := range []string{"ansible_become", "ansible_become_user", "ansible_become_method", "ansible_sudo"} {
		m.handled[name] = true
		v := m.inv.lookup(h, name)
		if v == nil {
			continue
		}
		value := canonical(v.value)
		switch {
		case name == "ansible_become_user" && value != "root" && value != "":
			m.inv.warn(v.at, "", "%s is not used: Quorate works as root on its hosts", name)
		case name == "ansible_become_method" && value != "sudo" && value != "":
			m.inv.warn(v.at, "allow the user sudo, or log in as root", "%s is not used: whoever is not root becomes root by sudo", name)
		}
	}
}

// sshArguments explains arguments for ssh, which Quorate does not run.
func (m *importer) sshArguments(h *host) {
	for _, name := range []string{"ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args", "ansible_scp_extra_args", "ansible_sftp_extra_args"} {
		m.handled[name] = true
		v := m.inv.lookup(h, name)
		if v == nil || canonical(v.value) == "" {
			continue
		}
		lower := strings.ToLower(v.value.Value)
		if strings.Contains(lower, "sshpass") { // whose argument is a password
			v.at.Source.Hide(diag.Position{Line: v.at.Position.Line, Column: v.at.Position.Column + len([]rune(name)) + 1}, -1)
		}
		switch {
		case strings.Contains(lower, "proxycommand") || strings.Contains(lower, "proxyjump") || strings.Contains(lower, "-j "):
			m.inv.warn(v.at, "name the host in between in the group [bastion], with its ansible_host and ansible_user, or in ~/.ssh/config",
				"%s is not used: Quorate connects by itself, and hosts behind another one are not reached this way", name)
		default:
			m.inv.warn(v.at, "settings in ~/.ssh/config are used; host keys are always checked, --accept-new-host-keys takes in new ones",
				"%s is not used: Quorate does not run ssh", name)
		}
	}
}

// writeLogins writes the ssh blocks: what all hosts share once for the cluster,
// the rest at each host.
func (m *importer) writeLogins(logins []login) {
	for _, field := range loginFields() {
		if shared, ok := sharedValue(logins, field.key); ok {
			m.setLogin("spec.ssh", &m.doc.Spec.SSH, field.key, shared)
			continue
		}
		for i, l := range logins {
			if value, ok := l.values[field.key]; ok {
				m.setLogin(hostsPath.Index(i).Key("ssh"), &m.doc.Spec.Hosts[i].SSH, field.key, value)
			}
		}
	}
}

// sharedValue is the value that all hosts have, if there are several. The
// machine that Quorate runs on has no part in it, but for sudo.
func sharedValue(logins []login, key string) (given, bool) {
	var first given
	count := 0
	for _, l := range logins {
		if l.isLocal && key != "sudoPassword" {
			continue
		}
		value, ok := l.values[key]
		if !ok || count > 0 && !value.same(first) {
			return given{}, false
		}
		if count == 0 {
			first = value
		}
		count++
	}
	return first, count > 1
}

// setLogin sets a field of an ssh block.
func (m *importer) setLogin(p strict.Path, ssh *v1alpha1.SSH, key string, value given) {
	if value.env != "" {
		m.r.Set(p.Key(key+"From"), value.at)
		from := &v1alpha1.SecretSource{Env: value.env}
		if key == "password" {
			ssh.PasswordFrom = from
		} else {
			ssh.SudoPasswordFrom = from
		}
		return
	}
	m.r.Set(p.Key(key), value.at)
	switch key {
	case "user":
		ssh.User = value.value
	case "port":
		port, _ := parseWhole(value.value) // checked before
		ssh.Port = int(port)
	case "privateKeyPath":
		ssh.PrivateKeyPath = value.value
	case "password":
		ssh.Password = v1alpha1.SecretText(value.value)
	case "sudoPassword":
		ssh.SudoPassword = v1alpha1.SecretText(value.value)
	}
}

// bastion fills in the host that all others are behind.
func (m *importer) bastion(h *host) {
	const p = strict.Path("spec.ssh.bastion")
	if m.doc.Spec.SSH.Bastion != nil {
		m.inv.warn(h.at, "a bastion of its own for a host stands in a cluster file's ssh block", "host %s is a second bastion, and not used: the first is everybody's", quote(h.name))
		return
	}
	b := &v1alpha1.Bastion{}
	m.doc.Spec.SSH.Bastion = b
	m.r.Set(p, h.at)
	m.r.Set(p.Key("address"), h.at)
	b.Address = h.name
	if address, v := m.of(p.Key("address"), h, "ansible_host", "ansible_ssh_host"); v != nil {
		m.r.Set(p.Key("address"), v.at)
		b.Address = address
	}
	for _, field := range loginFields() {
		if secret := m.fromEnvironment(h, field); !secret.isNone() && field.key != "sudoPassword" {
			m.setLogin(p, &b.SSH, field.key, secret)
			continue
		}
		value, v := m.of(p.Key(field.key), h, field.names...)
		if v == nil || value == "" || field.key == "sudoPassword" {
			continue
		}
		if _, err := parseWhole(value); field.key == "port" && err != nil {
			m.failOnce(p.Key("port"), h, v, &unresolved{"must be a whole number", ""})
			continue
		}
		m.setLogin(p, &b.SSH, field.key, given{value: value, at: v.at})
	}
	m.connection(h, &login{values: map[string]given{}})
	m.sshArguments(h)
}
