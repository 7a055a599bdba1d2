package etcd

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/state"
)

// As etcd 3.7's gateway answers: numbers of 64 bits are strings, and what is
// false or zero is left out.
const (
	statusJSON = `{"header":{"cluster_id":"14841639068965178418","member_id":"10276657743932975437","revision":"1","raft_term":"2"},"version":"3.7.0","dbSize":"20480","leader":"10276657743932975437","raftIndex":"4","raftTerm":"2","raftAppliedIndex":"4","dbSizeInUse":"16384","storageVersion":"3.7.0"}`
	listJSON   = `{"header":{"cluster_id":"14841639068965178418","member_id":"10276657743932975437","raft_term":"2"},"members":[{"ID":"10276657743932975437","name":"a","peerURLs":["https://10.0.0.1:2380"],"clientURLs":["https://10.0.0.1:2379"]},{"ID":"77","peerURLs":["https://10.0.0.2:2380"],"isLearner":true}]}`
)

func TestStatusOf(t *testing.T) {
	ok := func(body string) protocol.HTTPReply { return protocol.HTTPReply{Status: 200, Body: body} }
	members := []state.EtcdPeer{
		{ID: "10276657743932975437", Name: "a", PeerURLs: []string{"https://10.0.0.1:2380"}, ClientURLs: []string{"https://10.0.0.1:2379"}},
		{ID: "77", PeerURLs: []string{"https://10.0.0.2:2380"}, Learner: true},
	}
	for _, tt := range []struct {
		name    string
		replies []protocol.HTTPReply
		want    state.EtcdMember
	}{
		{"a leader", []protocol.HTTPReply{ok(statusJSON), ok(listJSON)}, state.EtcdMember{
			ID: "10276657743932975437", ClusterID: "14841639068965178418", Revision: 1, Applied: 4,
			Leader: "10276657743932975437", Version: "3.7.0", DBBytes: 20480, RaftTerm: "2", Members: members,
		}},
		{"a learner that complains", []protocol.HTTPReply{ok(`{"header":{"member_id":"77"},"version":"3.7.0","dbSize":"0","isLearner":true,"errors":["etcdserver: no leader"]}`), ok(listJSON)}, state.EtcdMember{
			ID: "77", Learner: true, Version: "3.7.0", Errors: []string{"etcdserver: no leader"}, Members: members,
		}},
		{"no answer", []protocol.HTTPReply{{Error: "connection refused"}, {Error: "connection refused"}}, state.EtcdMember{Error: "connection refused"}},
		{"an answer to one question", []protocol.HTTPReply{ok(statusJSON), {Error: "timeout"}}, state.EtcdMember{Error: "timeout"}},
		{"refused", []protocol.HTTPReply{{Status: 403, Body: "no"}, ok(listJSON)}, state.EtcdMember{Error: "it answers 403: no"}},
		{"no JSON", []protocol.HTTPReply{ok("<html>"), ok(listJSON)}, state.EtcdMember{Error: "reading its answer: invalid character '<' looking for beginning of value"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, StatusOf(tt.replies)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestHealthOf(t *testing.T) {
	if err := HealthOf(protocol.HTTPReply{Status: 200, Body: `{"health":"true"}`}); err != nil {
		t.Error(err)
	}
	for _, r := range []protocol.HTTPReply{{}, {Status: 503, Body: `{"health":"false"}`}, {Error: "connection refused"}} {
		if HealthOf(r) == nil {
			t.Errorf("%+v counts as healthy", r)
		}
	}
}
