// Package observe asks every host, etcd and the API what is there, all at
// once, and makes one snapshot of it. It changes nothing.
package observe

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/component/containerd"
	"github.com/quorate/quorate/internal/component/controlplane"
	"github.com/quorate/quorate/internal/component/endpoint"
	"github.com/quorate/quorate/internal/component/etcd"
	"github.com/quorate/quorate/internal/component/kubelet"
	"github.com/quorate/quorate/internal/component/machine"
	"github.com/quorate/quorate/internal/component/network"
	"github.com/quorate/quorate/internal/component/pki"
	"github.com/quorate/quorate/internal/component/worker"
	members "github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/ssh"
	"github.com/quorate/quorate/internal/kube"
	"github.com/quorate/quorate/internal/preflight"
	"github.com/quorate/quorate/internal/state"
)

// AnswerTimeout bounds the observation of one host; a host costs at most this
// once, whatever is wrong with it.
const AnswerTimeout = 30 * time.Second

// readyzTimeout, in milliseconds, outlasts the two seconds that an API server
// gives etcd to answer: what comes then names the check that failed.
const readyzTimeout = 2500

// Observer observes one cluster through connected hosts.
type Observer struct {
	Cluster *cluster.Cluster
	Release catalog.Release
	// Hosts are the connected hosts by name.
	Hosts map[string]*host.Host
	// Failed says why a host is not connected.
	Failed map[string]error
	// Wait, when set, gives hosts instead of the two: it waits for one that is
	// still being connected, so that a host that does not answer delays nothing
	// but itself.
	Wait func(host string) (*host.Host, error)
	// Extra, when set, adds what a command wants to know of a host beyond Query.
	Extra func(h *cluster.Host, q *protocol.FactsRequest)
	// Health leaves out what no judgement of the cluster's health is made from: a
	// look at it costs the hosts little then, and no plan can be made of the snapshot.
	Health bool
	// Within bounds what is asked of a host that is connected; 0 means AnswerTimeout.
	Within time.Duration
	// APITimeout bounds the questions to the API; 0 means as long as a host's.
	APITimeout time.Duration
}

func (o Observer) within() time.Duration { return cmp.Or(o.Within, AnswerTimeout) }

// handle is the handle of a host, or why there is none.
func (o Observer) handle(name string) (*host.Host, error) {
	if o.Wait != nil {
		return o.Wait(name)
	}
	if h, ok := o.Hosts[name]; ok {
		return h, nil
	}
	if err := o.Failed[name]; err != nil {
		return nil, err
	}
	return nil, errors.New("not connected")
}

// Snapshot observes everything at once.
func (o Observer) Snapshot(ctx context.Context) *state.Snapshot {
	snap := &state.Snapshot{Taken: time.Now(), Hosts: map[string]*state.Host{}, Etcd: map[string]state.EtcdMember{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var refusedConf map[string]string
	for i := range o.Cluster.Hosts {
		h := &o.Cluster.Hosts[i]
		wg.Go(func() {
			observed, member := o.host(ctx, h)
			mu.Lock()
			defer mu.Unlock()
			snap.Hosts[h.Name] = observed
			if member != nil {
				snap.Etcd[h.Name] = *member
			}
		})
	}
	wg.Go(func() {
		api, refused, err := o.api(ctx)
		mu.Lock()
		defer mu.Unlock()
		refusedConf = refused
		if snap.API = api; err != nil {
			snap.APIError = err.Error()
			_, snap.APIUnauthorized = errors.AsType[*kube.UnauthorizedError](err)
		}
	})
	wg.Wait()
	for name, why := range refusedConf {
		snap.Hosts[name].AdminConf = why
	}
	o.otherMembers(ctx, snap)
	endpoint.NameBackends(o.Cluster, snap)
	return snap
}

func (o Observer) host(ctx context.Context, h *cluster.Host) (*state.Host, *state.EtcdMember) {
	out := &state.Host{Name: h.Name}
	handle, err := o.handle(h.Name)
	if err != nil {
		out.Error, out.Unreachable, out.Barrier = err.Error(), unreachable(err), barrier(err)
		return out, nil
	}
	ctx, cancel := host.AnswerWithin(ctx, o.within())
	defer cancel()
	q := Query(o.Cluster, o.Release, h)
	if o.Health {
		q = health(q)
	} else {
		preflight.Query(o.Cluster, h, &q)
		q.Files = mergeFiles(q.Files)
	}
	if o.Extra != nil {
		o.Extra(h, &q)
		q.Files = mergeFiles(q.Files)
	}
	probes := o.probes(h)
	for _, p := range probes {
		q.LocalHTTP = append(q.LocalHTTP, p.queries...)
	}
	asked := time.Now()
	facts, err := handle.Facts(ctx, q)
	if err != nil {
		out.Error, out.Unreachable, out.Barrier = err.Error(), unreachable(err), state.BarrierAgent
		return out, nil
	}
	// The host read its clock somewhere within the round trip.
	out.ClockWithin = time.Since(asked) / 2
	out.Facts, out.Clock = facts, facts.Time.Sub(asked.Add(out.ClockWithin))
	var member *state.EtcdMember
	replies := facts.LocalHTTP
	for _, p := range probes {
		n := len(p.queries)
		if len(replies) < n {
			break
		}
		p.read(replies[:n], out, &member)
		replies = replies[n:]
	}
	facts.LocalHTTP = nil
	if h.Has(cluster.RoleControlPlane) {
		out.Programs = controlplane.Programs(o.Cluster, facts)
	}
	o.otherPort(ctx, handle, h, out)
	return out, member
}

// otherPort asks a host's API server again where it does not answer on the cluster
// file's port, and was told another one: so is a cluster told apart from one that is down.
func (o Observer) otherPort(ctx context.Context, handle *host.Host, h *cluster.Host, out *state.Host) {
	port := component.APIPort(out.Facts)
	if out.APIServer == nil || out.APIServer.OK || port == 0 || port == o.Cluster.Kubernetes.APIServerPort {
		return
	}
	p := apiProbe(h, port)
	facts, err := handle.Facts(ctx, protocol.FactsRequest{Brief: true, LocalHTTP: p.queries})
	if err == nil && len(facts.LocalHTTP) == len(p.queries) {
		p.read(facts.LocalHTTP, out, nil)
	}
}

// otherMembers asks the etcd members that run on none of the file's hosts, through
// a host whose own member is well.
func (o Observer) otherMembers(ctx context.Context, snap *state.Snapshot) {
	via, ids, queries := members.Others(o.Cluster, snap)
	if len(queries) == 0 {
		return
	}
	handle, err := o.handle(via)
	if err != nil {
		return
	}
	ctx, cancel := host.AnswerWithin(ctx, o.within())
	defer cancel()
	if facts, err := handle.Facts(ctx, protocol.FactsRequest{Brief: true, LocalHTTP: queries}); err == nil {
		members.NoteOthers(snap, ids, facts.LocalHTTP)
	}
}

// apiProbe asks a host's own API server whether it is ready.
func apiProbe(h *cluster.Host, port int) probe {
	address := net.JoinHostPort(h.InternalAddress.String(), strconv.Itoa(port))
	return probe{
		queries: []protocol.HTTPQuery{{
			URL: "https://" + address + "/readyz?verbose", CAFile: component.KubernetesPKI + "/ca.crt", TimeoutMillis: readyzTimeout,
		}},
		read: func(r []protocol.HTTPReply, h *state.Host, _ **state.EtcdMember) {
			h.APIServer = &state.Probe{OK: r[0].Status == 200, Took: time.Duration(r[0].Millis) * time.Millisecond}
			switch {
			case r[0].Error != "":
				h.APIServer.Detail = r[0].Error
			case r[0].Status != 200:
				h.APIServer.Detail = kube.FailedChecks(r[0].Body)
			}
		},
	}
}

// unreachable tells whether an error is a host's silence.
func unreachable(err error) bool {
	return errors.Is(err, host.ErrUnreachable) || errors.Is(err, context.DeadlineExceeded)
}

// silent tells whether a host let Quorate in and then fell silent.
func silent(err error) bool {
	_, ok := errors.AsType[*host.SilentError](err)
	return ok
}

// barrier tells how far a connection that failed had come.
func barrier(err error) state.Barrier {
	switch {
	case errors.Is(err, ssh.ErrUnknownHostKey), errors.Is(err, ssh.ErrHostKeyChanged):
		return state.BarrierHostKey
	case errors.Is(err, ssh.ErrSudo):
		return state.BarrierSudo
	case errors.Is(err, ssh.ErrAgentStart), silent(err):
		return state.BarrierAgent
	case unreachable(err):
		return state.BarrierSilence
	}
	return state.BarrierLogin
}

// Query is everything that planning wants to know of a host.
func Query(c *cluster.Cluster, r catalog.Release, h *cluster.Host) protocol.FactsRequest {
	q := protocol.FactsRequest{Disks: component.Disks(c)}
	machine.Query(c, h, &q)
	containerd.Query(c, r, h, &q)
	kubelet.Query(r, h, &q)
	pki.Query(c, h, &q)
	etcd.Query(c, r, h, &q)
	controlplane.Query(c, r, h, &q)
	endpoint.Query(c, h, &q)
	worker.Query(h, &q)
	network.Query(c, h, &q)
	q.Files = mergeFiles(q.Files)
	return q
}

// health is a query without the parts that are for planning alone, of which the
// digests of binaries cost a host the most: a second of a processor for each look.
func health(q protocol.FactsRequest) protocol.FactsRequest {
	q.Files = slices.Clone(q.Files)
	for i := range q.Files {
		q.Files[i].Digest = false
	}
	q.Dirs, q.Packages, q.Candidates, q.Sysctls, q.Modules = nil, nil, nil, nil, nil
	q.Images, q.CtrPath = false, ""
	return q
}

// mergeFiles makes one query of several for the same path.
func mergeFiles(queries []protocol.FileQuery) []protocol.FileQuery {
	at := map[string]int{}
	var out []protocol.FileQuery
	for _, q := range queries {
		i, ok := at[q.Path]
		if !ok {
			at[q.Path] = len(out)
			out = append(out, q)
			continue
		}
		out[i].Content = out[i].Content || q.Content
		out[i].Digest = out[i].Digest || q.Digest
		out[i].Certificate = out[i].Certificate || q.Certificate
		out[i].Key = cmp.Or(out[i].Key, q.Key)
	}
	return out
}

// probe is a health question that the host asks itself.
type probe struct {
	queries []protocol.HTTPQuery
	read    func(replies []protocol.HTTPReply, h *state.Host, m **state.EtcdMember)
}

func (o Observer) probes(h *cluster.Host) []probe {
	var out []probe
	if h.Has(cluster.RoleControlPlane) {
		out = append(out, apiProbe(h, o.Cluster.Kubernetes.APIServerPort))
	}
	for _, e := range o.Cluster.EtcdHosts() {
		if e.Name == h.Name {
			out = append(out, probe{
				queries: members.StatusQueries(o.Cluster),
				read: func(r []protocol.HTTPReply, _ *state.Host, m **state.EtcdMember) {
					member := members.StatusOf(r)
					*m = &member
				},
			})
		}
	}
	if queries := endpoint.StateQueries(o.Cluster, h); len(queries) > 0 {
		out = append(out, probe{
			queries: queries,
			read: func(r []protocol.HTTPReply, out *state.Host, _ **state.EtcdMember) {
				out.Proxy = endpoint.StateOf(o.Cluster, h, r)
			},
		})
	}
	if queries := endpoint.BalancerQueries(o.Cluster, h); len(queries) > 0 {
		out = append(out, probe{
			queries: queries,
			read: func(r []protocol.HTTPReply, out *state.Host, _ **state.EtcdMember) {
				out.Proxy = endpoint.BalancerState(r)
			},
		})
	}
	return out
}

// api asks the first API server that is ready, whichever hosts are still
// being connected, and another one when that fails. The error names every
// connected host's reason. Refused are the hosts whose credentials are not used,
// which is told of each, whoever else answers.
func (o Observer) api(ctx context.Context) (found *state.API, refused map[string]string, err error) {
	asking, cancel := context.WithCancel(ctx)
	refused = map[string]string{}
	var mu sync.Mutex
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel() // what is still asked of the API is not waited for
	hosts, endpoint := o.Cluster.ControlPlanes(), kube.Endpoint(o.Cluster)
	type answer struct {
		client *kube.Client
		err    error // nil and no client: not connected, which is told with the host
		of     int   // the host
	}
	answers := make(chan answer, len(hosts))
	for i, h := range hosts {
		reading.Add(1)
		go func() {
			handle, err := o.handle(h.Name)
			if err != nil {
				reading.Done()
				answers <- answer{of: i}
				return
			}
			ctx, cancel := host.AnswerWithin(ctx, o.within())
			defer cancel()
			client, err := kube.New(ctx, handle, endpoint)
			if e, ok := errors.AsType[*kube.CredentialsError](err); ok {
				mu.Lock()
				refused[h.Name] = e.Error()
				mu.Unlock()
			}
			reading.Done()
			if err == nil {
				defer context.AfterFunc(asking, cancel)()
				err = client.Ready(ctx)
			}
			answers <- answer{client, err, i}
		}()
	}
	reasons := make([]error, len(hosts)) // by host, whoever is first to say no
	for range hosts {
		a := <-answers
		if a.err == nil && a.client != nil {
			var api *state.API
			if api, a.err = o.askAPI(ctx, a.client); a.err == nil {
				return api, refused, nil
			}
		}
		reasons[a.of] = a.err
	}
	if reasons = slices.DeleteFunc(reasons, func(err error) bool { return err == nil }); len(reasons) == 0 {
		return nil, refused, errors.New("no control-plane host is connected")
	}
	return nil, refused, kube.NoneAnswers(reasons)
}

func (o Observer) askAPI(ctx context.Context, client *kube.Client) (*state.API, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(o.APITimeout, o.within()))
	defer cancel()
	return client.Observe(ctx)
}
