package session

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/ssh"
	"github.com/quorate/quorate/internal/secret"
)

// Resolver resolves the cluster file's secrets.
func (s *Session) Resolver(warn func(message string)) *secret.Resolver {
	r := secret.NewResolver(warn)
	r.IdentityFile = s.Identity
	return r
}

// Connect reaches all hosts, and waits for all of them.
func (s *Session) Connect(ctx context.Context) {
	wait := s.StartConnecting(ctx)
	for _, h := range s.Cluster.Hosts {
		_, _ = wait(h.Name) // why one failed is kept in s.Failed
	}
}

// StartConnecting begins to reach all hosts, many at a time. What it returns
// waits for one of them; all must have been waited for before the session is
// closed.
func (s *Session) StartConnecting(ctx context.Context) func(host string) (*host.Host, error) {
	var mu sync.Mutex
	warned := map[string]bool{} // of all hosts together: most find the same
	resolver := s.Resolver(func(message string) {
		mu.Lock()
		defer mu.Unlock()
		if !warned[message] {
			warned[message] = true
			s.Warn(message)
		}
	})
	slow := time.AfterFunc(2*time.Second, func() {
		mu.Lock()
		defer mu.Unlock()
		s.Say(fmt.Sprintf("connecting to %d hosts; still waiting for %s", len(s.Cluster.Hosts), few(s.missing())))
	})
	turns := newTurns(s.Cluster.Hosts)
	ended := map[string]chan struct{}{}
	for i := range s.Cluster.Hosts {
		h := &s.Cluster.Hosts[i]
		done := make(chan struct{})
		ended[h.Name] = done
		go func() {
			defer close(done)
			handle, err := turns.connect(ctx, h, resolver, s.AcceptNewHostKeys)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.Failed[h.Name] = err
			} else {
				s.Hosts[h.Name] = handle
			}
			if len(s.missing()) == 0 {
				slow.Stop()
			}
		}()
	}
	return func(name string) (*host.Host, error) {
		<-ended[name]
		mu.Lock()
		defer mu.Unlock()
		return s.Hosts[name], s.Failed[name]
	}
}

// missing are the hosts that have neither answered nor failed.
func (s *Session) missing() []string {
	var out []string
	for _, h := range s.Cluster.Hosts {
		if s.Hosts[h.Name] == nil && s.Failed[h.Name] == nil {
			out = append(out, h.Name)
		}
	}
	return out
}

// few names as many of some hosts as a line bears.
func few(names []string) string {
	const most = 4
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%d of them: %s …", len(names), strings.Join(names[:most-1], ", "))
}

// Connect is connectHost when its turn has come.
func (g *turns) connect(ctx context.Context, h *cluster.Host, secrets *secret.Resolver, acceptNew bool) (*host.Host, error) {
	leave, err := g.enter(ctx, h.SSH)
	if err != nil {
		return nil, fmt.Errorf("%s: connecting: %w", h.Name, err)
	}
	defer leave()
	return connectHost(ctx, h, secrets, acceptNew)
}

// Reconnect connects to one host anew, within a time. It does not touch Hosts.
func (s *Session) Reconnect(ctx context.Context, name string, within time.Duration) (*host.Host, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	described := *s.Cluster.Host(name)
	WaitAtMost(&described.SSH, within)
	return connectHost(ctx, &described, s.Resolver(func(string) {}), s.AcceptNewHostKeys)
}

func connectHost(ctx context.Context, h *cluster.Host, secrets *secret.Resolver, acceptNew bool) (*host.Host, error) {
	o := sshOptions(h.Name, h.Address, h.SSH, secrets, acceptNew)
	if h.SSH.Local {
		return ssh.LocalWithSudo(ctx, h.Name, o.SudoPassword)
	}
	return ssh.Connect(ctx, o)
}

// LoginOf is the user as whom, and the port to which, SSH logs in on a host.
func LoginOf(h *cluster.Host) (user string, port int, err error) {
	return ssh.Login(sshOptions(h.Name, h.Address, h.SSH, secret.NewResolver(nil), false))
}

func sshOptions(name, address string, s cluster.SSH, secrets *secret.Resolver, acceptNew bool) ssh.Options {
	who := address
	if s.User != "" {
		who = s.User + "@" + address
	}
	o := ssh.Options{
		Name: name, Address: address, Port: s.Port, User: s.User, DefaultUser: "root",
		Password:           asker(secrets, s.Password, "SSH password of "+who),
		PrivateKeyPath:     s.PrivateKeyPath,
		Passphrase:         asker(secrets, s.PrivateKeyPassphrase, "passphrase of "+s.PrivateKeyPath),
		UseAgent:           s.PrivateKeyPath == "",
		HostKeyFingerprint: s.HostKeyFingerprint,
		AcceptNewHostKeys:  acceptNew,
		SudoPassword:       asker(secrets, s.SudoPassword, "sudo password of "+who),
		ConnectTimeout:     s.Timeout,
		Warn:               secrets.Warn,
		SSHConfig:          true,
	}
	if o.SudoPassword == nil {
		o.SudoPassword = o.Password // most often they are one
	}
	if s.KnownHostsPath != "" {
		o.KnownHostsPaths = []string{s.KnownHostsPath}
	}
	if s.Bastion != nil {
		b := sshOptions("bastion of "+name, s.Bastion.Address, s.Bastion.SSH, secrets, acceptNew)
		o.Bastion = &b
	}
	return o
}

// asker resolves a secret when it is needed; nil where there is none.
func asker(secrets *secret.Resolver, ref cluster.Secret, what string) func(context.Context) (string, error) {
	if ref.IsZero() {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		v, err := secrets.Resolve(ctx, ref, what)
		return v.Reveal(), err
	}
}

// WaitAtMost bounds the time to reach a host, its bastions included.
func WaitAtMost(s *cluster.SSH, timeout time.Duration) {
	s.Timeout = timeout
	if s.Bastion != nil {
		WaitAtMost(&s.Bastion.SSH, timeout)
	}
}
