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
	own := fmt.Sprintf("https://127.0.0.1:%d", ClientPort)
	return []protocol.HTTPQuery{
		ask(c, own+statusPath, "{}", 5000),
		ask(c, own+"/v3/cluster/member/list", `{"linearizable":false}`, 5000),
	}
}

const statusPath = "/v3/maintenance/status"

// ask is a question to a member, with the host's own health check certificate.
func ask(c *cluster.Cluster, url, body string, millis int) protocol.HTTPQuery {
	pki := PKI(c)
	return protocol.HTTPQuery{
		URL: url, Body: body, TimeoutMillis: millis,
		CAFile: pki + "/ca.crt", CertFile: pki + "/healthcheck-client.crt", KeyFile: pki + "/healthcheck-client.key",
	}
}

// StatusOf reads the answers to StatusQueries.
func StatusOf(replies []protocol.HTTPReply) state.EtcdMember {
	m := answerOf(replies[0])
	if m.Error != "" {
		return m
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
	if err := read(replies[1], &list); err != nil {
		return state.EtcdMember{Error: err.Error()}
	}
	for _, p := range list.Members {
		m.Members = append(m.Members, state.EtcdPeer{ID: p.ID, Name: p.Name, PeerURLs: p.PeerURLs, ClientURLs: p.ClientURLs, Learner: p.IsLearner})
	}
	return m
}

// answerOf reads what a member says of itself.
func answerOf(reply protocol.HTTPReply) state.EtcdMember {
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
	if err := read(reply, &status); err != nil {
		return state.EtcdMember{Error: err.Error()}
	}
	return state.EtcdMember{
		ID: status.Header.MemberID, ClusterID: status.Header.ClusterID, Revision: status.Header.Revision, Applied: status.Applied,
		Leader: status.Leader, Learner: status.IsLearner, Version: status.Version,
		DBBytes: status.DBSize, RaftTerm: status.Header.RaftTerm, Errors: status.Errors,
	}
}

func read(r protocol.HTTPReply, into any) error {
	switch {
	case r.Error != "":
		return errors.New(r.Error)
	case r.Status != 200:
		return fmt.Errorf("it answers %d: %s", r.Status, r.Body)
	}
	if err := json.Unmarshal([]byte(r.Body), into); err != nil {
		return fmt.Errorf("reading its answer: %w", err)
	}
	return nil
}

// HealthQuery asks a host's own member whether it takes part in a quorum: through
// the metrics listener, which needs no certificate and is bound to loopback. That an
// alarm is raised is no answer to it, for it is the whole cluster's: members must be
// restarted with a higher quota while the database is full, and whose data is corrupt
// each member tells with its status (Membership.Corruption).
func HealthQuery() protocol.HTTPQuery {
	return protocol.HTTPQuery{URL: fmt.Sprintf("http://127.0.0.1:%d/health?exclude=NOSPACE&exclude=CORRUPT", MetricsPort), TimeoutMillis: 2000}
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
