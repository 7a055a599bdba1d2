package etcd

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// StatusQueries ask a host's own member for its status and for the membership
// as it knows it, through etcd's HTTP gateway, with the host's own health
// check certificate. The member list is asked without a quorum read, so that
// it answers when there is no quorum too.
func StatusQueries(c *cluster.Cluster) []protocol.HTTPQuery {
	pki := PKI(c)
	ask := func(path, body string) protocol.HTTPQuery {
		return protocol.HTTPQuery{
			URL: fmt.Sprintf("https://127.0.0.1:%d%s", ClientPort, path), Body: body, TimeoutMillis: 5000,
			CAFile: pki + "/ca.crt", CertFile: pki + "/healthcheck-client.crt", KeyFile: pki + "/healthcheck-client.key",
		}
	}
	return []protocol.HTTPQuery{
		ask("/v3/maintenance/status", "{}"),
		ask("/v3/cluster/member/list", `{"linearizable":false}`),
	}
}

// StatusOf reads the answers to StatusQueries.
func StatusOf(replies []protocol.HTTPReply) state.EtcdMember {
	var status struct {
		Header struct {
			ClusterID string `json:"cluster_id"`
			MemberID  string `json:"member_id"`
			RaftTerm  string `json:"raft_term"`
			Revision  int64  `json:",string"`
		}
		Version   string
		DBSize    int64 `json:",string"`
		Applied   int64 `json:"raftAppliedIndex,string"`
		Leader    string
		IsLearner bool
		Errors    []string
	}
	var list struct {
		Members []struct {
			ID         string
			Name       string
			PeerURLs   []string
			ClientURLs []string
			IsLearner  bool
		}
	}
	for i, into := range []any{&status, &list} {
		switch r := replies[i]; {
		case r.Error != "":
			return state.EtcdMember{Error: r.Error}
		case r.Status != 200:
			return state.EtcdMember{Error: fmt.Sprintf("it answers %d: %s", r.Status, r.Body)}
		default:
			if err := json.Unmarshal([]byte(r.Body), into); err != nil {
				return state.EtcdMember{Error: "reading its answer: " + err.Error()}
			}
		}
	}
	m := state.EtcdMember{
		ID: status.Header.MemberID, ClusterID: status.Header.ClusterID, Revision: status.Header.Revision, Applied: status.Applied, Leader: status.Leader, Learner: status.IsLearner, Version: status.Version,
		DBBytes: status.DBSize, RaftTerm: status.Header.RaftTerm, Errors: status.Errors,
	}
	for _, p := range list.Members {
		m.Members = append(m.Members, state.EtcdPeer{ID: p.ID, Name: p.Name, PeerURLs: p.PeerURLs, ClientURLs: p.ClientURLs, Learner: p.IsLearner})
	}
	return m
}

// HealthQuery asks a host's own member whether it can commit: through the
// metrics listener, which needs no certificate and is bound to loopback.
func HealthQuery() protocol.HTTPQuery {
	return protocol.HTTPQuery{URL: fmt.Sprintf("http://127.0.0.1:%d/health", MetricsPort), TimeoutMillis: 2000}
}

// HealthOf turns the answer into an error; nil means healthy.
func HealthOf(reply protocol.HTTPReply) error {
	switch {
	case reply.Status == 200:
		return nil
	case reply.Error != "":
		return errors.New(reply.Error)
	}
	return fmt.Errorf("it answers %d: %s", reply.Status, reply.Body)
}
