package probe

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/preflight"
)

// How long a single program may take on a host.
const (
	modprobeTimeout = 5 * time.Second
	resolveTimeout  = 10 * time.Second
)

// fsyncWrites is how many writes are timed: of so many, the 99th of a hundred
// is not the longest. fsyncTimeout bounds a disk that is very slow.
const (
	fsyncWrites  = 300
	fsyncTimeout = 60 * time.Second
)

// modules asks modprobe whether it could load what the kernel does not have.
func (p *Prober) modules(ctx context.Context, h *cluster.Host, handle *host.Host) {
	facts := p.Observation.Snapshot.Facts(h.Name)
	for name, there := range facts.Modules {
		if there {
			continue
		}
		reply, err := handle.Run(ctx, host.Command{
			Argv: []string{"modprobe", "--dry-run", "--quiet", name}, Timeout: modprobeTimeout, OK: []int{1},
		})
		if err != nil {
			continue // no modprobe: not known
		}
		p.record(h, func(o *preflight.HostProbes) {
			if o.Loadable == nil {
				o.Loadable = map[string]bool{}
			}
			o.Loadable[name] = reply.ExitCode == 0
		})
	}
}

// names resolves what the host must be able to resolve, as its programs do.
func (p *Prober) names(ctx context.Context, h *cluster.Host, handle *host.Host) {
	for name := range preflight.Lookups(p.Observation.Cluster, h) {
		const notFound = 2
		reply, err := handle.Run(ctx, host.Command{Argv: []string{"getent", "ahosts", name}, Timeout: resolveTimeout, OK: []int{notFound}})
		var found preflight.Lookup
		switch {
		case err != nil:
			found.Error = err.Error()
		case reply.ExitCode == notFound:
			found.Error = "no such name"
		}
		for line := range strings.Lines(string(reply.Stdout)) {
			if f := strings.Fields(line); len(f) > 0 && !slices.Contains(found.Addresses, f[0]) {
				found.Addresses = append(found.Addresses, f[0])
			}
		}
		p.record(h, func(o *preflight.HostProbes) {
			if o.Names == nil {
				o.Names = map[string]preflight.Lookup{}
			}
			o.Names[name] = found
		})
	}
}

// fsync times synced writes where etcd's data is or will be.
func (p *Prober) fsync(ctx context.Context, h *cluster.Host, handle *host.Host) {
	if !slices.Contains(p.Observation.Cluster.EtcdHosts(), h) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, fsyncTimeout)
	defer cancel()
	reply, err := handle.Fsync(ctx, p.Observation.Cluster.Etcd.DataDir, fsyncWrites)
	found := fsyncOf(reply)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		found.Error = "300 small writes took longer than a minute"
	case err != nil:
		found.Error = strings.TrimPrefix(err.Error(), h.Name+": ")
	}
	p.record(h, func(o *preflight.HostProbes) { o.Fsync = &found })
}

func fsyncOf(r protocol.FsyncReply) preflight.Fsync {
	micros := func(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
	return preflight.Fsync{P50: micros(r.P50Micros), P99: micros(r.P99Micros), Max: micros(r.MaxMicros), Writes: fsyncWrites}
}
