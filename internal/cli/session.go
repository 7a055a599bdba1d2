package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/ssh"
	"github.com/quorate/quorate/internal/observe"
	"github.com/quorate/quorate/internal/secret"
	"github.com/quorate/quorate/internal/state"
)

// target are the flags that every command on a cluster has.
type target struct {
	files             clusterFiles
	bundleDir         string
	acceptNewHostKeys bool
	identityFile      string
}

func (t *target) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	t.files.flag(cmd)
	f.BoolVar(&t.acceptNewHostKeys, "accept-new-host-keys", false, "trust the SSH keys of hosts that are not known yet, and write them to known_hosts")
	identityFlag(cmd, &t.identityFile)
}

func (t *target) bundleFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.bundleDir, "bundle", "", "the bundle to install from (default: the one that quorate bundle build made for the cluster's version)")
}

// session is a cluster with its connected hosts for the length of a command.
type session struct {
	cluster  *cluster.Cluster
	inputs   []config.Input // what the cluster was read from
	release  catalog.Release
	bundle   *bundle.Bundle // nil when there is none
	identity string         // the file of keys for encrypted secrets; empty means the usual one
	hosts    map[string]*host.Host
	failed   map[string]error // why hosts are not connected
	runID    string           // of the run that holds the hosts' lock
}

// open reads the cluster file and the bundle, and connects to all hosts at
// once. Hosts that cannot be reached are not an error here.
func (t *target) open(ctx context.Context, stderr io.Writer) (*session, error) {
	s, err := t.load(ctx, stderr)
	if err != nil {
		return nil, err
	}
	s.connect(ctx, t.acceptNewHostKeys, stderr)
	if ctx.Err() != nil {
		s.close()
		return nil, ctx.Err()
	}
	return s, nil
}

// load reads the cluster file and finds the bundle; no host is touched.
func (t *target) load(ctx context.Context, stderr io.Writer) (*session, error) {
	s, err := t.read(ctx, stderr)
	if err != nil {
		return nil, err
	}
	dir := t.bundleDir
	if dir == "" {
		if dir, err = bundle.DefaultDir(s.cluster.Kubernetes.Version, archOf(s.cluster)); err != nil {
			return nil, err
		}
	}
	s.bundle, err = bundle.Open(dir)
	if errors.Is(err, bundle.ErrNotFound) && t.bundleDir == "" {
		return s, nil
	}
	return s, err
}

// archOf is the architecture that the cluster file gives its hosts, amd64
// where it is silent. Planning refuses a host of another one.
func archOf(c *cluster.Cluster) string {
	for _, h := range c.Hosts {
		if h.Arch != "" {
			return h.Arch
		}
	}
	return "amd64"
}

// read reads the cluster file alone, for commands that install nothing.
func (t *target) read(ctx context.Context, stderr io.Writer) (*session, error) {
	file, list, err := t.files.read(ctx)
	if err != nil {
		return nil, err
	}
	if file == nil {
		return nil, &fileError{list}
	}
	c := file.Cluster
	if examples := c.ExampleAddresses(); len(examples) > 0 { // nobody answers there
		return nil, usageError(fmt.Errorf("%s: %s is an example, which no server has: put your servers' addresses in the file (%d are to be replaced)",
			t.files, examples[0], len(examples)))
	}
	_ = printList(stderr, list)
	release, err := catalog.Lookup(c.Kubernetes.Version)
	if err != nil {
		return nil, usageError(fmt.Errorf("%s: %w", t.files, err))
	}
	return &session{cluster: c, inputs: file.Inputs, release: release, identity: t.identityFile, hosts: map[string]*host.Host{}, failed: map[string]error{}}, nil
}

// resolver resolves the cluster file's secrets.
func (s *session) resolver(warn func(message string)) *secret.Resolver {
	r := secret.NewResolver(warn)
	r.IdentityFile = s.identity
	return r
}

// connect reaches all hosts, and waits for all of them.
func (s *session) connect(ctx context.Context, acceptNew bool, stderr io.Writer) {
	wait := s.startConnecting(ctx, acceptNew, stderr)
	for _, h := range s.cluster.Hosts {
		_, _ = wait(h.Name) // why one failed is kept in s.failed
	}
}

// startConnecting begins to reach all hosts, many at a time. What it returns
// waits for one of them; all must have been waited for before the session is
// closed.
func (s *session) startConnecting(ctx context.Context, acceptNew bool, stderr io.Writer) func(host string) (*host.Host, error) {
	var mu sync.Mutex
	warned := map[string]bool{} // of all hosts together: most find the same
	resolver := s.resolver(func(message string) {
		mu.Lock()
		defer mu.Unlock()
		if !warned[message] {
			warned[message] = true
			fmt.Fprintln(stderr, "warning:", message)
		}
	})
	slow := time.AfterFunc(2*time.Second, func() {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(stderr, "connecting to %d hosts; still waiting for %s\n", len(s.cluster.Hosts), few(s.missing()))
	})
	turns := newGate(s.cluster.Hosts)
	ended := map[string]chan struct{}{}
	for i := range s.cluster.Hosts {
		h := &s.cluster.Hosts[i]
		done := make(chan struct{})
		ended[h.Name] = done
		go func() {
			defer close(done)
			handle, err := turns.connect(ctx, h, resolver, acceptNew)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.failed[h.Name] = err
			} else {
				s.hosts[h.Name] = handle
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
		return s.hosts[name], s.failed[name]
	}
}

// missing are the hosts that have neither answered nor failed.
func (s *session) missing() []string {
	var out []string
	for _, h := range s.cluster.Hosts {
		if s.hosts[h.Name] == nil && s.failed[h.Name] == nil {
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

// connect is connectHost when its turn has come.
func (g *gate) connect(ctx context.Context, h *cluster.Host, secrets *secret.Resolver, acceptNew bool) (*host.Host, error) {
	leave, err := g.enter(ctx, h.SSH)
	if err != nil {
		return nil, fmt.Errorf("%s: connecting: %w", h.Name, err)
	}
	defer leave()
	return connectHost(ctx, h, secrets, acceptNew)
}

func connectHost(ctx context.Context, h *cluster.Host, secrets *secret.Resolver, acceptNew bool) (*host.Host, error) {
	o := sshOptions(h.Name, h.Address, h.SSH, secrets, acceptNew)
	if h.SSH.Local {
		return ssh.LocalWithSudo(ctx, h.Name, o.SudoPassword)
	}
	return ssh.Connect(ctx, o)
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

// observer observes the session's hosts.
func (s *session) observer() observe.Observer {
	return observe.Observer{Cluster: s.cluster, Release: s.release, Hosts: s.hosts, Failed: s.failed}
}

// looks is how often the hosts are observed for a plan before what could not
// be told is told to the user: a busy host may answer one question too late.
const looks = 3

// input is what planning takes, freshly observed. A part that could not be
// observed is asked for again, since it must not be taken for absent.
func (s *session) input(ctx context.Context) component.Input {
	in := component.Input{Cluster: s.cluster, Release: s.release}
	for range looks {
		in.Snapshot = s.observer().Snapshot(ctx)
		if ctx.Err() != nil || (len(in.Snapshot.Unknown()) == 0 && (in.Snapshot.API != nil || !in.APIExpected())) {
			break
		}
	}
	return s.planned(in.Snapshot)
}

// planned is what planning takes, of a snapshot.
func (s *session) planned(snapshot *state.Snapshot) component.Input {
	in := component.Input{Cluster: s.cluster, Release: s.release, Snapshot: snapshot}
	if s.bundle != nil {
		m := s.bundle.Manifest()
		in.Artefacts = &m
	}
	return in
}

// usualBundle is the bundle that an apply finds by itself; nil for none.
func (s *session) usualBundle() *bundle.Bundle {
	dir, err := bundle.DefaultDir(s.cluster.Kubernetes.Version, archOf(s.cluster))
	if err != nil {
		return nil
	}
	b, err := bundle.Open(dir)
	if err != nil {
		return nil
	}
	return b
}

// close ends the agents and their connections.
func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, h := range s.hosts {
		wg.Go(func() { _ = h.Close(ctx) })
	}
	wg.Wait()
	if s.bundle != nil {
		_ = s.bundle.Close()
	}
}
