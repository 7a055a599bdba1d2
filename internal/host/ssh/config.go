package ssh

import (
	"cmp"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// maxJumps bounds a chain of ProxyJump entries, which may lead in a circle.
const maxJumps = 8

// applySSHConfig fills in from the user's ssh_config(5) what the options leave
// empty: HostName, User, Port, HostKeyAlias, IdentityFile, UserKnownHostsFile, ProxyJump.
func applySSHConfig(o *Options) error {
	path := o.SSHConfigPath
	if path == "" {
		path = expandHome("~/.ssh/config")
	}
	f, err := os.Open(path)
	if os.IsNotExist(err) && o.SSHConfigPath == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: reading the SSH configuration: %w", o.title(), err)
	}
	defer f.Close()
	config, err := ssh_config.Decode(f)
	if err != nil {
		return fmt.Errorf("%s: reading %s: %w; mend that file, or move it away and set address, user and key in the cluster file", o.title(), path, err)
	}
	return o.fillFrom(config, path, 0)
}

func (o *Options) fillFrom(config *ssh_config.Config, path string, depth int) error {
	if depth > maxJumps {
		return fmt.Errorf("%s: %s: more than %d hosts behind one another by ProxyJump; does it lead in a circle?", o.title(), path, maxJumps)
	}
	alias := o.Address
	get := func(key string) (string, error) {
		value, err := config.Get(alias, key)
		if err != nil {
			return "", fmt.Errorf("%s: %s: %s: %w", o.title(), path, key, err)
		}
		return value, nil
	}
	hostName, err := get("HostName")
	if err != nil {
		return err
	}
	if o.Name == "" {
		o.Name = alias
	}
	if hostName != "" {
		if o.Address, err = expandTokens(hostName, map[byte]string{'h': alias}); err != nil {
			return fmt.Errorf("%s: %s: HostName: %w", o.title(), path, err)
		}
	}
	if o.User == "" {
		if o.User, err = get("User"); err != nil {
			return err
		}
	}
	if o.Port == 0 {
		port, err := get("Port")
		if err != nil {
			return err
		}
		if port != "" {
			if o.Port, err = strconv.Atoi(port); err != nil || o.Port < 1 || o.Port > 65535 {
				return fmt.Errorf("%s: %s: Port %q is not a port", o.title(), path, port)
			}
		}
	}
	if o.hostKeyAlias, err = get("HostKeyAlias"); err != nil {
		return err
	}
	if strings.ContainsAny(o.hostKeyAlias, " ,*?!|%[]") {
		return fmt.Errorf("%s: %s: HostKeyAlias %q is not a name", o.title(), path, o.hostKeyAlias)
	}
	if o.PrivateKeyPath == "" && len(o.PrivateKey) == 0 && o.Password == nil {
		identity, err := get("IdentityFile")
		if err != nil {
			return err
		}
		if identity != "" {
			if o.PrivateKeyPath, err = o.expandFile(identity, alias); err != nil {
				return fmt.Errorf("%s: %s: IdentityFile: %w", o.title(), path, err)
			}
			o.UseAgent = true
		}
	}
	if len(o.KnownHostsPaths) == 0 {
		files, err := get("UserKnownHostsFile")
		if err != nil {
			return err
		}
		for _, file := range strings.Fields(files) {
			if file == "none" {
				file = os.DevNull
			}
			if file, err = o.expandFile(file, alias); err != nil {
				return fmt.Errorf("%s: %s: UserKnownHostsFile: %w", o.title(), path, err)
			}
			o.KnownHostsPaths = append(o.KnownHostsPaths, expandHome(file))
		}
	}
	if o.Bastion != nil {
		return nil
	}
	jump, err := get("ProxyJump")
	if err != nil {
		return err
	}
	if jump == "" || jump == "none" {
		command, err := get("ProxyCommand")
		if err == nil && command != "" && command != "none" {
			err = fmt.Errorf("%s: %s: ProxyCommand is not supported: use ProxyJump, or bastion in the cluster file", o.title(), path)
		}
		return err
	}
	o.Bastion, err = o.jumps(jump, config, path, depth)
	return err
}

// expandFile expands what ssh_config(5) lets stand in the name of a file.
func (o *Options) expandFile(file, alias string) (string, error) {
	if strings.Contains(file, "${") {
		return "", fmt.Errorf("%s: variables of the environment are not expanded here: write the path, or give the file in the cluster file", file)
	}
	if inner, ok := strings.CutPrefix(file, `"`); ok {
		if inner, ok = strings.CutSuffix(inner, `"`); ok {
			file = inner
		}
	}
	if strings.ContainsAny(file, `"'`) {
		return "", fmt.Errorf("%s: quotes are not understood here: give a path without spaces, or the file in the cluster file", file)
	}
	me, err := user.Current()
	if err != nil {
		return "", err
	}
	return expandTokens(file, map[byte]string{
		'd': expandHome("~"), 'h': o.Address, 'n': alias, 'k': cmp.Or(o.hostKeyAlias, alias),
		'p': strconv.Itoa(cmp.Or(o.Port, 22)), 'r': cmp.Or(o.User, o.DefaultUser, me.Username), 'u': me.Username, 'i': me.Uid,
	})
}

// expandTokens replaces the tokens of ssh_config(5); one that is not among the known
// ones is refused, since a path with it in is not the one that was meant.
func expandTokens(text string, known map[byte]string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			out.WriteByte(text[i])
			continue
		}
		if i++; i == len(text) {
			return "", fmt.Errorf("%s: a %% stands alone at its end", text)
		}
		value, ok := known[text[i]]
		switch {
		case text[i] == '%':
			out.WriteByte('%')
		case ok:
			out.WriteString(value)
		default:
			return "", fmt.Errorf("%s: %%%c is not expanded here: write the path, or give the file in the cluster file", text, text[i])
		}
	}
	return out.String(), nil
}

// jumps reads "user@a:1,b": b is the nearest to the host, a is b's bastion.
func (o *Options) jumps(jump string, config *ssh_config.Config, path string, depth int) (*Options, error) {
	var chain *Options
	for hop := range strings.SplitSeq(jump, ",") {
		hop = strings.TrimPrefix(strings.TrimSpace(hop), "ssh://")
		next := &Options{
			KnownHostsPaths: o.KnownHostsPaths, AcceptNewHostKeys: o.AcceptNewHostKeys,
			UseAgent: o.UseAgent, Passphrase: o.Passphrase,
			ConnectTimeout: o.ConnectTimeout, KeepAlive: o.KeepAlive, Log: o.Log, Warn: o.Warn,
			Bastion: chain,
		}
		if at := strings.LastIndexByte(hop, '@'); at >= 0 {
			next.User, hop = hop[:at], hop[at+1:]
		}
		if colon := strings.LastIndexByte(hop, ':'); colon >= 0 && (strings.Count(hop, ":") == 1 || strings.HasPrefix(hop, "[")) {
			if port, err := strconv.Atoi(hop[colon+1:]); err == nil {
				next.Port, hop = port, hop[:colon]
			}
		}
		next.Address = strings.Trim(hop, "[]")
		if next.Address == "" {
			return nil, fmt.Errorf("%s: %s: ProxyJump %q names no host", o.title(), path, jump)
		}
		if err := next.fillFrom(config, path, depth+1); err != nil {
			return nil, err
		}
		chain = next
	}
	return chain, nil
}
