package members

import (
	"context"
	"fmt"
	"sync"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/state"
)

// look asks all members how they are, all at the same time: what a plan was made
// from may no longer hold.
func look(ctx context.Context, rt *component.Runtime) etcd.Membership {
	snap := &state.Snapshot{Hosts: map[string]*state.Host{}, Etcd: map[string]state.EtcdMember{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, e := range rt.Cluster.EtcdHosts() {
		wg.Go(func() {
			h, err := rt.Host(e.Name)
			var said state.EtcdMember
			var facts *protocol.Facts
			if err == nil {
				facts, said, err = askMember(ctx, rt, h)
			}
			mu.Lock()
			defer mu.Unlock()
			snap.Hosts[e.Name] = &state.Host{Name: e.Name, Facts: facts}
			if err != nil {
				snap.Hosts[e.Name].Error = err.Error()
				return
			}
			snap.Etcd[e.Name] = said
		})
	}
	wg.Wait()
	if via, ids, queries := etcd.Others(rt.Cluster, snap); len(queries) > 0 {
		if h, err := rt.Host(via); err == nil {
			if facts, err := h.Facts(ctx, protocol.FactsRequest{Brief: true, LocalHTTP: queries}); err == nil {
				etcd.NoteOthers(snap, ids, facts.LocalHTTP)
			}
		}
	}
	return etcd.Assess(rt.Cluster, snap)
}

// askMember asks a host's own member for its status, whom it lists, and whether
// it takes part in a quorum.
func askMember(ctx context.Context, rt *component.Runtime, h *host.Host) (*protocol.Facts, state.EtcdMember, error) {
	queries := append(etcd.StatusQueries(rt.Cluster), etcd.HealthQuery())
	facts, err := h.Facts(ctx, protocol.FactsRequest{
		Brief: true, LocalHTTP: queries, Files: []protocol.FileQuery{{Path: etcd.MemberDir(rt.Cluster)}, {Path: etcd.FormedMarker}},
	})
	if err != nil {
		return nil, state.EtcdMember{}, err
	}
	if len(facts.LocalHTTP) != len(queries) {
		return facts, state.EtcdMember{}, fmt.Errorf("%s answered %d of %d questions", h.Name(), len(facts.LocalHTTP), len(queries))
	}
	said := etcd.StatusOf(facts.LocalHTTP[:2])
	if err := etcd.HealthOf(facts.LocalHTTP[2]); said.Error == "" && err != nil {
		said.Error = err.Error()
	}
	return facts, said, nil
}
