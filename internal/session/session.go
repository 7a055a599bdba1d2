// Package session is the work on one cluster, for as long as a command or a page has
// it open: it connects to the hosts, takes their lock, observes, plans, runs plans and
// waits until the cluster is healthy. It prints nothing: what people should know goes
// to Say and Warn, what a run does to event sinks.
package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/host"
)

// Session is a cluster with its connected hosts. It must be closed.
type Session struct {
	Cluster *cluster.Cluster
	Inputs  []config.Input // what the cluster was read from
	Release catalog.Release
	Bundle  *bundle.Bundle // nil when there is none
	// Identity is the file of keys for encrypted secrets; empty means the usual one.
	Identity string
	// AcceptNewHostKeys makes the SSH keys of hosts that are not known yet trusted.
	AcceptNewHostKeys bool
	// Hosts are connected; Failed says why the others are not.
	Hosts  map[string]*host.Host
	Failed map[string]error
	// RunID is that of the run that holds the hosts' lock.
	RunID string
	// Say takes progress, Warn what went wrong and was passed over; both a line at a time.
	Say, Warn func(line string)
}

// New makes a session that is connected to no host and has no bundle.
func New(file *config.File, release catalog.Release, say, warn func(line string)) *Session {
	return &Session{
		Cluster: file.Cluster, Inputs: file.Inputs, Release: release, Say: say, Warn: warn,
		Hosts: map[string]*host.Host{}, Failed: map[string]error{},
	}
}

// OpenBundle opens the bundle in a folder. Without a folder it is the one that `quorate
// bundle build` made for the cluster's version; that there is none is no error then.
func (s *Session) OpenBundle(dir string) (err error) {
	named := dir != ""
	if !named {
		if dir, err = s.usualBundleDir(); err != nil {
			return err
		}
	}
	s.Bundle, err = bundle.Open(dir)
	if errors.Is(err, bundle.ErrNotFound) && !named {
		return nil
	}
	return err
}

// TryUsualBundle opens the bundle that an apply finds by itself, where there is one
// that can be read.
func (s *Session) TryUsualBundle() {
	dir, err := s.usualBundleDir()
	if err != nil {
		return
	}
	if b, err := bundle.Open(dir); err == nil {
		s.Bundle = b
	}
}

func (s *Session) usualBundleDir() (string, error) {
	arch := "amd64" // where the file is silent; planning refuses a host of another one
	for _, h := range s.Cluster.Hosts {
		if h.Arch != "" {
			arch = h.Arch
			break
		}
	}
	return bundle.DefaultDir(s.Cluster.Kubernetes.Version, arch)
}

// Runtime is what the ops of a run work with.
func (s *Session) Runtime() *component.Runtime {
	return &component.Runtime{Cluster: s.Cluster, Release: s.Release, Bundle: s.Bundle, Hosts: s.Hosts}
}

// Close ends the agents and their connections.
func (s *Session) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, h := range s.Hosts {
		wg.Go(func() { _ = h.Close(ctx) })
	}
	wg.Wait()
	if s.Bundle != nil {
		_ = s.Bundle.Close()
	}
}
