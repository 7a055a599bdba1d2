// Package ssh connects to hosts over SSH, puts the agent there when it is not
// there yet, starts it (through sudo where the user is not root) and gives
// the operator's handle to it. Local does the same for the machine itself.
//
// A host's key is always verified. A key that is not known is refused unless
// the operator asked to accept new keys; a key that changed is always refused.
package ssh

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"time"
)

// Options say how to reach one host. Only Address is required; what is empty
// is taken from ~/.ssh/config when SSHConfig is set, else from the defaults
// that OpenSSH has too.
type Options struct {
	// Name is the host's name in messages; Address if empty.
	Name    string
	Address string // host name, alias of ~/.ssh/config, or IP address
	Port    int    // 0 means 22
	User    string // empty means DefaultUser
	// DefaultUser is who logs in where neither User nor ~/.ssh/config says; empty means
	// the user who runs quorate.
	DefaultUser string

	// Password is asked for at most once, and only if the server wants one.
	Password func(context.Context) (string, error)
	// PrivateKeyPath and PrivateKey are a key to authenticate with; with
	// neither, nor a password, the usual files of ~/.ssh and ssh-agent serve.
	PrivateKeyPath string
	PrivateKey     []byte
	// Passphrase is asked for an encrypted key, once the server accepts it.
	Passphrase func(context.Context) (string, error)
	// UseAgent also offers the keys of the ssh-agent at SSH_AUTH_SOCK.
	UseAgent bool

	// KnownHostsPaths are the known_hosts files; empty means
	// ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts.
	KnownHostsPaths []string
	// HostKeyFingerprint, as SHA256:…, is the only key to accept when set.
	HostKeyFingerprint string
	// AcceptNewHostKeys trusts the key of a host that is not known and adds
	// it to the first of KnownHostsPaths.
	AcceptNewHostKeys bool

	// Bastion is the host through which this one is reached. It may have a
	// bastion itself.
	Bastion *Options
	// SudoPassword is asked for at most once, and only if sudo wants one.
	SudoPassword func(context.Context) (string, error)

	// ConnectTimeout bounds reaching the host and the SSH handshake; 0 means 10 s.
	ConnectTimeout time.Duration
	// KeepAlive is the time between questions whether the host is still
	// there; after three unanswered ones the connection ends. 0 means 5 s.
	KeepAlive time.Duration

	// SSHConfig reads ~/.ssh/config for what is empty above.
	SSHConfig bool
	// SSHConfigPath is read instead of ~/.ssh/config when set.
	SSHConfigPath string

	// hostKeyAlias is the name of the host's keys in known_hosts, of ~/.ssh/config;
	// empty means its address and port.
	hostKeyAlias string

	// Warn is told of what is passed over in the user's files; nil discards it.
	Warn func(message string)
	// Log receives what the agent says outside any operation; nil discards it.
	Log *slog.Logger

	// agentFolder is where the agent lives on the host. Tests set it; it
	// holds nothing that a shell would interpret.
	agentFolder string
}

const (
	defaultConnectTimeout = 10 * time.Second
	defaultKeepAlive      = 5 * time.Second
	missedKeepAlives      = 3
)

// title is how messages call the host.
func (o *Options) title() string {
	if o.Name != "" {
		return o.Name
	}
	return o.Address
}

// keyName is what known_hosts calls the host, as host:port: the port 22 is left out there.
func (o *Options) keyName() string {
	if o.hostKeyAlias != "" {
		return net.JoinHostPort(o.hostKeyAlias, "22")
	}
	return o.endpoint()
}

// endpoint is where the host's SSH server listens, as host:port.
func (o *Options) endpoint() string {
	return net.JoinHostPort(o.Address, strconv.Itoa(o.Port))
}
