package ssh

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// resolveWith resolves options with an ssh_config of this content.
func resolveWith(t *testing.T, content string, options Options) (*Options, error) {
	t.Helper()
	options.SSHConfig = true
	options.SSHConfigPath = filepath.Join(t.TempDir(), "config")
	writeTestFile(t, options.SSHConfigPath, content, 0o600)
	return resolve(options)
}

const sshConfig = `
Host cp-*
  HostName %h.example.net
  User ubuntu
  Port 2222
  IdentityFile ~/.ssh/cluster
  UserKnownHostsFile /etc/known/a /etc/known/b
  ProxyJump ops@outer:2200,inner

Host inner
  HostName 10.0.0.1
  User jump

Host proxied
  ProxyCommand nc %h %p

Host loop
  ProxyJump loop
`

func TestSSHConfig(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	o, err := resolveWith(t, sshConfig, Options{Address: "cp-1"})
	if err != nil {
		t.Fatal(err)
	}
	if o.title() != "cp-1" || o.endpoint() != "cp-1.example.net:2222" || o.User != "ubuntu" || o.PrivateKeyPath != "~/.ssh/cluster" {
		t.Errorf("got %+v", o)
	}
	if len(o.KnownHostsPaths) != 2 || o.KnownHostsPaths[1] != "/etc/known/b" {
		t.Errorf("known hosts %q", o.KnownHostsPaths)
	}
	inner := o.Bastion
	if inner == nil || inner.endpoint() != "10.0.0.1:22" || inner.User != "jump" {
		t.Fatalf("the nearer bastion: %+v", inner)
	}
	if outer := inner.Bastion; outer == nil || outer.endpoint() != "outer:2200" || outer.User != "ops" || outer.Bastion != nil {
		t.Errorf("the farther bastion: %+v", outer)
	}
}

// What known_hosts is looked up by is what OpenSSH would take, or is refused by name:
// a key that is known must not look new.
func TestTokensOfSSHConfig(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	config := func(line string) string {
		return "Host cp-1\n  HostName 192.0.2.1\n  Port 2222\n  User op\n  " + line + "\n"
	}
	o, err := resolveWith(t, config("HostKeyAlias known-as\n  IdentityFile %d/keys/%n-%%\n  UserKnownHostsFile %d/hosts/%h ~/hosts/%k:%p-%r none"), Options{Address: "cp-1"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/home/me/hosts/192.0.2.1", "/home/me/hosts/known-as:2222-op", os.DevNull}
	if !slices.Equal(o.KnownHostsPaths, want) || o.PrivateKeyPath != "/home/me/keys/cp-1-%" || o.keyName() != "known-as:22" {
		t.Errorf("known hosts %q, want %q; key %s; looked up as %s", o.KnownHostsPaths, want, o.PrivateKeyPath, o.keyName())
	}
	for line, want := range map[string]string{
		"UserKnownHostsFile ~/hosts/%C":          "%C is not expanded",
		"UserKnownHostsFile ${HOME}/hosts":       "variables of the environment are not expanded",
		`UserKnownHostsFile "/my hosts" /others`: "quotes are not understood",
		"IdentityFile ~/keys/%j":                 "%j is not expanded",
		"HostKeyAlias *":                         `HostKeyAlias "*" is not a name`,
	} {
		if o, err := resolveWith(t, config(line), Options{Name: "first", Address: "cp-1"}); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "first: ") {
			t.Errorf("%s: %v (%+v), want %q of first", line, err, o, want)
		}
	}
}

// What neither the options nor ~/.ssh/config say is as the caller wants it.
func TestDefaultUser(t *testing.T) {
	for address, want := range map[string]string{"cp-1": "ubuntu", "inner": "jump", "192.0.2.9": "root"} {
		o, err := resolveWith(t, sshConfig, Options{Address: address, DefaultUser: "root"})
		if err != nil || o.User != want {
			t.Errorf("%s: %v, %v; want %s", address, o, err, want)
		}
	}
}

func TestOptionsComeBeforeSSHConfig(t *testing.T) {
	bastion := Options{Address: "mine"}
	o, err := resolveWith(t, sshConfig, Options{
		Name: "first", Address: "cp-1", User: "root", Port: 22, PrivateKeyPath: "/key", KnownHostsPaths: []string{"/known"}, Bastion: &bastion,
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.title() != "first" || o.endpoint() != "cp-1.example.net:22" || o.User != "root" || o.PrivateKeyPath != "/key" ||
		o.KnownHostsPaths[0] != "/known" || o.Bastion.Address != "mine" {
		t.Errorf("got %+v", o)
	}
}

func TestSSHConfigRefused(t *testing.T) {
	for address, want := range map[string]string{"proxied": "ProxyCommand", "loop": "circle"} {
		if _, err := resolveWith(t, sshConfig, Options{Address: address}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := resolveWith(t, "Host x\n  Port many\n", Options{Address: "x"}); err == nil || !strings.Contains(err.Error(), "many") {
		t.Errorf("a port that is none: %v", err)
	}
}

func TestHostileAddresses(t *testing.T) {
	for _, address := range []string{
		"", "a b", "a\nb", "a'b", `a"b`, "$(x)`y`", "*", "a,b", "user@host", "a\x00b",
	} {
		if _, err := resolve(Options{Name: "cp-1", Address: address}); err == nil {
			t.Errorf("%q was taken", address)
		}
	}
	if _, err := resolve(Options{Address: "10.0.0.1", User: "root\nHost *"}); err == nil {
		t.Error("a user with a newline was taken")
	}
	for _, address := range []string{"10.0.0.1", "fe80::1%eth0", "cp-1.example.net", "2001:db8::1"} {
		if _, err := resolve(Options{Address: address}); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
}
