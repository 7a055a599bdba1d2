package config

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// ssh converts an ssh block: what it says, over the block that it refines.
// Secrets are overridden as a pair, the reference and the literal.
func (c *converter) ssh(p strict.Path, what string, s *v1alpha1.SSH, base cluster.SSH) cluster.SSH {
	out := base
	if s.User != "" || c.Given(p.Key("user")) {
		out.User = c.user(p.Key("user"), what+": user", s.User)
	}
	if s.Port != 0 || c.Given(p.Key("port")) {
		out.Port = c.port(p.Key("port"), what+": port", s.Port)
	}
	if s.PrivateKeyPath != "" || c.Given(p.Key("privateKeyPath")) {
		out.PrivateKeyPath = c.localPath(p.Key("privateKeyPath"), what+": privateKeyPath", s.PrivateKeyPath)
		out.PrivateKeyPassphrase = cluster.Secret{} // another key's
	}
	if s.KnownHostsPath != "" || c.Given(p.Key("knownHostsPath")) {
		out.KnownHostsPath = c.localPath(p.Key("knownHostsPath"), what+": knownHostsPath", s.KnownHostsPath)
	}
	if s.HostKeyFingerprint != "" || c.Given(p.Key("hostKeyFingerprint")) {
		out.HostKeyFingerprint = c.fingerprint(p.Key("hostKeyFingerprint"), what, s.HostKeyFingerprint)
	}
	if s.Timeout != 0 || c.Given(p.Key("timeout")) {
		if out.Timeout = s.Timeout; s.Timeout <= 0 {
			c.Errorf(p.Key("timeout"), "", "%s: timeout must be longer than nothing", what)
		}
	}
	c.secret(p, what, "privateKeyPassphrase", s.PrivateKeyPassphraseFrom, "", &out.PrivateKeyPassphrase)
	c.secret(p, what, "password", s.PasswordFrom, s.Password, &out.Password)
	c.secret(p, what, "sudoPassword", s.SudoPasswordFrom, s.SudoPassword, &out.SudoPassword)
	if s.Bastion != nil {
		out.Bastion = c.bastion(p.Key("bastion"), what+": bastion", s.Bastion, out)
	}
	return out
}

// bastion converts a bastion. It takes over from the block that it stands in
// what is the operator's (key, known hosts, user, timeout), and no password.
func (c *converter) bastion(p strict.Path, what string, b *v1alpha1.Bastion, around cluster.SSH) *cluster.Bastion {
	base := cluster.SSH{
		User:                 around.User,
		PrivateKeyPath:       around.PrivateKeyPath,
		PrivateKeyPassphrase: around.PrivateKeyPassphrase,
		KnownHostsPath:       around.KnownHostsPath,
		Timeout:              around.Timeout,
	}
	return &cluster.Bastion{
		Address: c.address(p.Key("address"), what+": address", b.Address),
		SSH:     c.ssh(p, what, &b.SSH, base),
	}
}

// secret converts a secret, a reference or a literal, into out. It leaves out
// alone when the file says neither.
func (c *converter) secret(p strict.Path, what, name string, from *v1alpha1.SecretSource, literal v1alpha1.SecretText, out *cluster.Secret) {
	at := p.Key(name + "From")
	literal = v1alpha1.SecretText(strings.TrimRight(string(literal), "\r\n")) // of a block; files end in one, too
	switch {
	case from != nil && literal != "":
		c.Errorf(p.Key(name), "remove "+name, "%s: both %s and %sFrom are given", what, name, name)
	case strings.ContainsAny(string(literal), "\r\n"):
		c.Errorf(p.Key(name), "write it in one line, in quotes", "%s: the %s has several lines, which no login takes", what, name)
	case literal != "":
		c.literals = append(c.literals, literalSecret{p.Key(name), what, name})
		*out = cluster.Secret{Literal: string(literal)}
	case from == nil:
	case c.AnyBadIn(at):
	case count(from.Env != "", from.File != "", from.Prompt, from.Age != "") != 1:
		c.Errorf(at, "", "%s: %sFrom must have exactly one of env, file, prompt: true and age", what, name)
	case from.Age != "" && !cluster.IsAge(from.Age):
		c.Errorf(at.Key("age"), "give what `quorate secret encrypt` prints, whole", "%s: %sFrom.age is not encrypted with age", what, name)
	case from.Age != "":
		*out = cluster.Secret{Age: from.Age}
	case from.Env != "":
		if odd := strict.OddCharacter(from.Env, strict.EnvCharacter); odd != "" {
			c.Errorf(at.Key("env"), "give the variable's name, not its value", "%s: %sFrom.env is not the name of an environment variable, it holds %s", what, name, odd)
			return
		}
		*out = cluster.Secret{Env: from.Env}
	case from.File != "":
		*out = cluster.Secret{File: c.localPath(at.Key("file"), what+": "+name+"From.file", from.File)}
	default:
		*out = cluster.Secret{Prompt: true}
	}
}

// literalSecret is a secret that stands in the file: where, and what it is.
type literalSecret struct {
	at         strict.Path
	what, name string
}

// warnOfLiterals warns once of all secrets that stand in the file: in an
// inventory of many hosts, a warning for each would bury the others.
func (c *converter) warnOfLiterals() {
	if len(c.literals) == 0 {
		return
	}
	const mostListed = 10
	first, others := c.literals[0], ""
	for i, l := range c.literals[1:] {
		if i == mostListed {
			others += fmt.Sprintf("and %d more\n", len(c.literals)-1-i)
			break
		}
		place := c.PlaceOf(l.at)
		name := place.Source
		if name == nil {
			name = c.Source()
		}
		others += fmt.Sprintf("%s:%d: %s\n", name.Name(), place.Position.Line, c.InFilesWords(l.at, l.what+": "+l.name))
	}
	summary := c.InFilesWords(first.at, first.what+": "+first.name) + " stands in the file itself"
	if others != "" {
		summary += fmt.Sprintf(", one of %d", len(c.literals))
	}
	hint := "write " + first.name + "From: {env: VARIABLE}, {file: PATH} or {prompt: true} instead, or encrypt it: quorate secret encrypt"
	if c.o.secretHint != "" {
		hint = c.o.secretHint
	}
	c.Tell(diag.SeverityWarning, c.PlaceOf(first.at), hint, others, summary)
}

func count(conditions ...bool) int {
	n := 0
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}

// user checks a login name. Directory services have names with @ and \ in them.
func (c *converter) user(p strict.Path, what, user string) string {
	switch odd := strict.OddCharacter(user, userCharacter); {
	case user == "":
		c.Errorf(p, "", "%s is empty", what)
	case strings.Contains(user, ":"):
		c.Errorf(p, "write the name alone", "%s is not a user's name: it holds a colon, and perhaps a password behind it", what)
	case odd != "":
		c.Errorf(p, "", "%s: %s is not a user's name: it holds %s", what, quote(user), odd)
	case strings.HasPrefix(user, "-"):
		c.Errorf(p, "", "%s: %s is not a user's name: it begins with -", what, quote(user))
	default:
		return user
	}
	return ""
}

// localPath makes the path of a file on the operator's machine absolute.
func (c *converter) localPath(p strict.Path, what, value string) string {
	switch odd := strict.ControlCharacter(value); {
	case value == "":
		c.Errorf(p, "", "%s is empty", what)
		return ""
	case strict.IsPrivateKey(value):
		c.Errorf(p, "put the key into a file of mode 0600, and write that file's path", "%s must be a path: here stands a private key itself", what)
		return ""
	case odd != "":
		c.Errorf(p, "", "%s is not a path: it holds %s", what, odd)
		return ""
	}
	rest, isHome := strings.CutPrefix(value, "~")
	switch {
	case !isHome && filepath.IsAbs(value):
		return filepath.Clean(value)
	case !isHome:
		return filepath.Join(c.folder, value)
	case rest != "" && !strings.HasPrefix(rest, "/"):
		c.Errorf(p, "write the path out", "%s: %s: another user's home folder is not looked up", what, quote(value))
	case c.home == "":
		c.Errorf(p, "write the path out, or set HOME", "%s: %s: your home folder is not known", what, quote(value))
	default:
		return filepath.Join(c.home, rest)
	}
	return ""
}

// fingerprint checks a host key's fingerprint: SHA-256, base64 without padding.
func (c *converter) fingerprint(p strict.Path, what, value string) string {
	digest, isSHA256 := strings.CutPrefix(value, "SHA256:")
	sum, err := base64.RawStdEncoding.DecodeString(digest)
	if !isSHA256 || err != nil || len(sum) != 32 {
		c.Errorf(p, "print it with: ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub",
			"%s: hostKeyFingerprint %s is not of the form SHA256:…, with 43 characters behind the colon", what, quote(value))
		return ""
	}
	return value
}
