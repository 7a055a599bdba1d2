package etcd

import (
	"net/netip"
	"net/url"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// mostOthers bounds how many members outside the cluster file are asked.
const mostOthers = 16

// Others are questions to the members that run on none of the cluster file's
// hosts: whether they answer decides whether they may be removed. Via is the
// host that is to ask, one whose own member is well; IDs are the members', in the
// order of the queries. There are none where there is nobody to ask.
func Others(c *cluster.Cluster, snap *state.Snapshot) (via string, ids []string, queries []protocol.HTTPQuery) {
	m := Assess(c, snap)
	for _, p := range m.Strangers() {
		at := clientAddress(p.ClientURLs)
		if at == "" || len(ids) == mostOthers {
			continue
		}
		ids = append(ids, p.ID)
		queries = append(queries, ask(c, at+statusPath, "{}", 2000))
	}
	if ids == nil {
		return "", nil, nil
	}
	return m.asker(), ids, queries
}

// clientAddress is the first of a member's client URLs that is one: an https
// address and a port. What a member list says is not trusted to be.
func clientAddress(urls []string) string {
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" {
			continue
		}
		if _, err := netip.ParseAddrPort(u.Host); err == nil {
			return "https://" + u.Host
		}
	}
	return ""
}

// NoteOthers notes what the others answered. One that could not be asked is left
// out: that it does not answer is not known.
func NoteOthers(snap *state.Snapshot, ids []string, replies []protocol.HTTPReply) {
	snap.EtcdOthers = map[string]state.EtcdMember{}
	for i, reply := range replies[:min(len(ids), len(replies))] {
		said := answerOf(reply)
		if said.Error == "" && said.ID != ids[i] {
			said = state.EtcdMember{Error: "another member answers at its address"}
		}
		snap.EtcdOthers[ids[i]] = said
	}
}
