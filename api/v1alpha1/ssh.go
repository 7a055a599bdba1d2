package v1alpha1

import "time"

// SSH says how to reach hosts. Secrets are references: where the value is, not
// the value.
type SSH struct {
	// User is who to log in as. Whoever is not root needs sudo. Default: as
	// ~/.ssh/config says, else root.
	//
	// Example: ubuntu
	User string `yaml:"user,omitempty"`
	// Port is the SSH server's TCP port. Default: as ~/.ssh/config says, else 22.
	//
	// Example: 2222
	Port int `yaml:"port,omitempty"`
	// PrivateKeyPath is a private key's file; relative to the cluster file's
	// folder, and ~ is your home folder. Default: your SSH agent and the usual
	// keys in ~/.ssh.
	//
	// Example: ~/.ssh/id_ed25519
	PrivateKeyPath string `yaml:"privateKeyPath,omitempty"`
	// PrivateKeyPassphraseFrom is where the private key's passphrase is.
	//
	// Example: {prompt: true}
	PrivateKeyPassphraseFrom *SecretSource `yaml:"privateKeyPassphraseFrom,omitempty"`
	// PasswordFrom is where the login password is.
	//
	// Example: {env: SSH_PASSWORD}
	PasswordFrom *SecretSource `yaml:"passwordFrom,omitempty"`
	// Password is the login password itself. It works, with a warning: a file
	// with passwords in it gets copied, committed and mailed. Better is
	// passwordFrom.
	//
	// Example: correct horse battery staple
	Password SecretText `yaml:"password,omitempty"`
	// SudoPasswordFrom is where sudo's password is. Default: the login password.
	//
	// Example: {file: ~/.secrets/sudo}
	SudoPasswordFrom *SecretSource `yaml:"sudoPasswordFrom,omitempty"`
	// SudoPassword is sudo's password itself; see password.
	//
	// Example: correct horse battery staple
	SudoPassword SecretText `yaml:"sudoPassword,omitempty"`
	// KnownHostsPath is the file of known host keys. Default: ~/.ssh/known_hosts
	// and the system's.
	//
	// Example: ./known_hosts
	KnownHostsPath string `yaml:"knownHostsPath,omitempty"`
	// HostKeyFingerprint pins the host's key: SHA256:… as ssh-keygen -l prints
	// it. Default: known_hosts decides.
	//
	// Example: SHA256:dKi4Yq3RsHhGIZ3oHfDsMVhRx5OLDBFRYQ6BzuZ0LDY
	HostKeyFingerprint string `yaml:"hostKeyFingerprint,omitempty"`
	// Bastion is a host to go through.
	//
	// Example: {address: bastion.example.com, user: jump}
	Bastion *Bastion `yaml:"bastion,omitempty"`
	// Timeout is how long connecting may take, such as 10s.
	//
	// Example: 30s
	Timeout time.Duration `yaml:"timeout,omitempty"`
}

// Bastion is a host to go through on the way to others. What it leaves out
// (user, private key, known_hosts file, timeout) is as in the ssh block it
// stands in; passwords are not: they are never shown to another machine than
// they were given for. It may have a bastion of its own.
type Bastion struct {
	// Address is the bastion's IP address or name.
	//
	// Example: bastion.example.com
	Address string `yaml:"address"`
	SSH     `yaml:",inline"`
}

// String is the bastion's address alone. Without it, fmt would print a bastion
// inside another value field by field, literal passwords and all.
func (b *Bastion) String() string { return b.Address }

// SecretSource says where a secret value is. Exactly one field is given.
type SecretSource struct {
	// Env is the environment variable that holds it.
	//
	// Example: SSH_PASSWORD
	Env string `yaml:"env,omitempty"`
	// File is the file that holds it; relative to the cluster file's folder,
	// and ~ is your home folder. A newline at its end is left out.
	//
	// Example: ~/.secrets/sudo
	File string `yaml:"file,omitempty"`
	// Prompt asks for it on the terminal, once.
	//
	// Example: true
	Prompt bool `yaml:"prompt,omitempty"`
	// Age is the value itself, encrypted with age for the key in your identity
	// file: what `quorate secret encrypt` prints, or age's own armored text.
	//
	// Example: YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSB3…
	Age string `yaml:"age,omitempty"`
}

// SecretText is a secret that stood in the file itself. It does not show when
// it is printed, logged or marshalled; string(t) is the value.
type SecretText string

const hiddenText = "(hidden)"

// String hides the value.
func (t SecretText) String() string {
	if t == "" {
		return ""
	}
	return hiddenText
}

// GoString keeps %#v from showing the value.
func (t SecretText) GoString() string { return `v1alpha1.SecretText("` + t.String() + `")` }

// MarshalText keeps JSON from showing the value.
func (t SecretText) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
