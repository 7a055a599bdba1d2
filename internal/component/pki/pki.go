// Package pki sees to it that every host that signs for the cluster holds the
// same authorities: Kubernetes' own, the front proxy's and etcd's, and the
// key that signs service accounts' tokens. They are made once, in the memory
// of the operator's process, and are written to every host that needs them;
// a host that comes later gets them from one that has them. No host is
// special: any of them can give them.
package pki

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/pki"
	"github.com/quorate/quorate/internal/plan"
)

// shared is a certificate (or public key) and its private key that several
// hosts hold alike.
type shared struct {
	name      string
	cert, key string // paths
	hosts     []string
	make      func(now time.Time) (pki.Pair, error)
}

// sharedBy lists what the cluster's hosts share.
func sharedBy(c *cluster.Cluster) []shared {
	controlPlanes := names(c.ControlPlanes())
	authority := func(name, cn, dir, base string, hosts []string) shared {
		return shared{
			name: name, cert: dir + "/" + base + ".crt", key: dir + "/" + base + ".key", hosts: hosts,
			make: func(now time.Time) (pki.Pair, error) { return pki.NewAuthority(cn, now) },
		}
	}
	// The common names are kubeadm's.
	return []shared{
		authority("the Kubernetes authority", "kubernetes", component.KubernetesPKI, "ca", controlPlanes),
		authority("the front proxy's authority", "front-proxy-ca", component.KubernetesPKI, "front-proxy-ca", controlPlanes),
		authority("etcd's authority", "etcd-ca", etcd.PKI(c), "ca", names(c.EtcdHosts())),
		{
			name: "the service accounts' key", cert: component.KubernetesPKI + "/sa.pub", key: component.KubernetesPKI + "/sa.key",
			hosts: controlPlanes, make: func(time.Time) (pki.Pair, error) { return pki.NewSigningKey() },
		},
	}
}

func names(hosts []*cluster.Host) []string {
	out := make([]string, len(hosts))
	for i, h := range hosts {
		out[i] = h.Name
	}
	return out
}

// Query asks for what Plan compares. Of the keys only their presence is asked.
func Query(c *cluster.Cluster, h *cluster.Host, q *protocol.FactsRequest) {
	for _, s := range sharedBy(c) {
		if slices.Contains(s.hosts, h.Name) {
			q.Files = append(q.Files,
				protocol.FileQuery{Path: s.cert, Digest: true, Certificate: true},
				protocol.FileQuery{Path: s.key})
		}
	}
}

// Plan adds one step when a host lacks any of it, and refuses when two hosts
// hold different ones.
func Plan(in component.Input, out *component.Output) {
	op := authorities{}
	step := plan.Step{ID: component.StepAuthorities, Title: "put the certificate authorities on the hosts that sign"}
	var why []string
	for _, s := range sharedBy(in.Cluster) {
		owners := map[string]string{} // digest → the first host that has it
		lacking := s.lacking(in)
		for _, name := range s.hosts {
			facts := in.Snapshot.Facts(name)
			if facts == nil || slices.Contains(lacking, name) {
				continue
			}
			digest := facts.Files[s.cert].SHA256
			for other, first := range owners {
				if other != digest {
					out.Refuse("they were part of different clusters: run `quorate reset` for the host that does not belong here",
						"%s and %s hold different files for %s (%s)", first, name, s.name, s.cert)
					return
				}
			}
			owners[digest] = name
		}
		if len(lacking) == 0 {
			continue
		}
		if len(lacking) == len(s.hosts) && inUse(in) {
			out.Refuse("put both files back from a backup, on one of these hosts; or run `quorate reset` and build the cluster anew",
				"%s is lost: none of %s holds both %s and %s, and the cluster was built with them", s.name, strings.Join(s.hosts, ", "), s.cert, s.key)
			continue
		}
		op.shared = append(op.shared, s)
		why = append(why, fmt.Sprintf("%s missing on %s", s.name, strings.Join(lacking, ", ")))
		for _, name := range lacking {
			step.Changes = append(step.Changes, plan.Change{What: name + ":" + s.cert, Action: "create"})
		}
	}
	if len(op.shared) == 0 {
		return
	}
	step.Why = strings.Join(why, "; ")
	out.Add(step, op)
}

// lacking are the hosts that do not hold both halves.
func (s shared) lacking(in component.Input) []string {
	var out []string
	for _, name := range s.hosts {
		facts := in.Snapshot.Facts(name)
		if facts != nil && !(facts.Files[s.cert].Holds() && facts.Files[s.key].Holds()) {
			out = append(out, name)
		}
	}
	return out
}

// inUse tells whether a control plane was built with what the hosts share: a
// new authority would be a stranger to all that the old one signed.
func inUse(in component.Input) bool {
	return slices.ContainsFunc(in.Cluster.ControlPlanes(), func(h *cluster.Host) bool {
		facts := in.Snapshot.Facts(h.Name)
		return facts != nil && facts.Files[component.KubeletConf].Exists
	})
}

// authorities is the work of pki/authorities.
type authorities struct {
	shared []shared
}

// Apply implements component.Op.
func (o authorities) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range o.shared {
		g.Go(func() error { return s.distribute(ctx, rt) })
	}
	return g.Wait()
}

// distribute takes the pair from a host that has it, else makes it, and
// writes it where it is missing. The key goes first: a certificate on a host
// means that the host is complete, so a run cut short is mended by the next.
func (s shared) distribute(ctx context.Context, rt *component.Runtime) error {
	cert, lackCert, err := component.ReadSame(ctx, rt, s.cert, s.hosts)
	if err != nil {
		return err
	}
	holders := slices.DeleteFunc(slices.Clone(s.hosts), func(h string) bool { return slices.Contains(lackCert, h) })
	key, lackKey, err := component.ReadSame(ctx, rt, s.key, holders)
	if err != nil {
		return err
	}
	pair := pki.Pair{Cert: cert, Key: key}
	switch {
	case cert == nil:
		if pair, err = s.makeFor(ctx, rt); err != nil {
			return err
		}
	case key == nil:
		return fmt.Errorf("%s has %s but no host has its key %s: put the key back, or reset the hosts", holders[0], s.cert, s.key)
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, name := range append(slices.Clone(lackCert), lackKey...) {
		g.Go(func() error {
			_, err := component.WriteFiles(ctx, rt, name, []component.File{
				{Path: s.key, Content: pair.Key, Mode: 0o600},
				{Path: s.cert, Content: pair.Cert, Mode: 0o644},
			})
			return err
		})
	}
	return g.Wait()
}

// makeFor makes the pair, dated by the clock of one of its hosts.
func (s shared) makeFor(ctx context.Context, rt *component.Runtime) (pki.Pair, error) {
	h, err := rt.Host(s.hosts[0])
	if err != nil {
		return pki.Pair{}, err
	}
	now, err := component.Now(ctx, h)
	if err != nil {
		return pki.Pair{}, err
	}
	return s.make(now)
}
