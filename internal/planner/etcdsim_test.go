package planner_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/etcd"
)

// member is an entry of the world's etcd member list.
type member struct {
	ID         uint64
	Name       string
	PeerURLs   []string
	ClientURLs []string
	IsLearner  bool
}

// etcdSettings are what a machine's member was told to start with.
func (m *machine) etcdSettings() (initial, initialState string, runs bool) {
	value := func(text, before, after string) string {
		_, rest, _ := strings.Cut(text, before)
		v, _, _ := strings.Cut(rest, after)
		return v
	}
	if m.world.cluster.Etcd.Mode == cluster.EtcdStacked {
		text := string(m.files[manifests+"etcd.yaml"].content)
		return value(text, "--initial-cluster=", "\n"), value(text, "--initial-cluster-state=", "\n"), text != "" && m.podReady("etcd")
	}
	text := string(m.files["/etc/etcd/etcd.yaml"].content)
	return value(text, "initial-cluster: ", "\n"), value(text, "initial-cluster-state: ", "\n"), m.units["etcd.service"].Running()
}

func (m *machine) peerURL() string { return etcd.PeerURL(m.world.cluster.Host(m.name)) }

func (m *machine) dataDir() string { return m.world.cluster.Etcd.DataDir + "/member" }

// settleEtcd lets members that run write their data, form a cluster, and
// join the one there is.
func (w *world) settleEtcd() {
	running := map[string]bool{} // by peer URL
	for _, m := range w.machines {
		initial, initialState, runs := m.etcdSettings()
		if !runs || m.off || w.cluster.Host(m.name) == nil {
			continue
		}
		i := slices.IndexFunc(w.members, func(e member) bool { return slices.Contains(e.PeerURLs, m.peerURL()) })
		if w.members != nil && initialState == "existing" && i < 0 {
			continue // etcd ends at once: it is no member
		}
		running[m.peerURL()] = true
		if w.members != nil && i >= 0 {
			w.members[i].Name = m.name
			w.members[i].ClientURLs = []string{strings.Replace(m.peerURL(), "2380", "2379", 1)}
		}
		if !m.has(m.dataDir() + "/wal") {
			m.write(m.dataDir()+"/wal", initial, 0o600)
		}
	}
	if w.members != nil {
		w.etcdUp = w.quorum(running)
		return
	}
	for _, m := range w.machines {
		initial, initialState, runs := m.etcdSettings()
		if !runs || m.off || initialState != "new" {
			continue
		}
		peers := strings.Split(initial, ",")
		up := 0
		for _, p := range peers {
			if _, url, _ := strings.Cut(p, "="); running[url] {
				up++
			}
		}
		if up >= cluster.Quorum(len(peers)) {
			for i, p := range peers {
				name, url, _ := strings.Cut(p, "=")
				e := member{ID: uint64(i + 1), Name: name, PeerURLs: []string{url}}
				if running[url] {
					e.ClientURLs = []string{strings.Replace(url, "2380", "2379", 1)}
				}
				w.members = append(w.members, e)
			}
			w.etcdUp = true
			return
		}
	}
}

func (w *world) quorum(running map[string]bool) bool {
	voters, up := 0, 0
	for _, e := range w.members {
		if !e.IsLearner {
			voters++
			if running[e.PeerURLs[0]] {
				up++
			}
		}
	}
	return up >= cluster.Quorum(voters)
}

// etcdHealth is what the machine's own member says; empty means healthy.
func (m *machine) etcdHealth() string {
	_, _, runs := m.etcdSettings()
	switch {
	case !runs || m.off:
		return "connection refused"
	case !m.world.etcdUp:
		return "no leader"
	case !slices.ContainsFunc(m.world.members, func(e member) bool { return slices.Contains(e.PeerURLs, m.peerURL()) }):
		return "connection refused"
	}
	return ""
}

func (m *machine) askEtcd(path string) protocol.HTTPReply {
	if why := m.etcdHealth(); why != "" {
		return protocol.HTTPReply{Error: why}
	}
	answer := func(v any) protocol.HTTPReply {
		text, err := json.Marshal(v)
		if err != nil {
			return protocol.HTTPReply{Error: err.Error()}
		}
		return protocol.HTTPReply{Status: 200, Body: string(text)}
	}
	if path == "/v3/maintenance/status" {
		return answer(map[string]any{"header": map[string]string{"member_id": "1", "raft_term": "2"}, "version": "3.7.0", "dbSize": "20480", "leader": "1"})
	}
	list := []map[string]any{}
	for _, e := range m.world.members {
		entry := map[string]any{"ID": strconv.FormatUint(e.ID, 10), "name": e.Name, "peerURLs": e.PeerURLs, "clientURLs": e.ClientURLs}
		if e.IsLearner {
			entry["isLearner"] = true
		}
		list = append(list, entry)
	}
	return answer(map[string]any{"members": list})
}

func (m *machine) etcdctl(args []string) protocol.RunReply {
	if why := m.etcdHealth(); why != "" {
		return protocol.RunReply{ExitCode: 1, Stderr: []byte(why)}
	}
	w := m.world
	switch args[0] + " " + args[1] {
	case "member list":
		text, err := json.Marshal(map[string]any{"members": w.members})
		if err != nil {
			return protocol.RunReply{ExitCode: 1, Stderr: []byte(err.Error())}
		}
		return protocol.RunReply{Stdout: text}
	case "member add": // NAME --learner --peer-urls URL
		if slices.ContainsFunc(w.members, func(e member) bool { return e.IsLearner }) {
			return protocol.RunReply{ExitCode: 1, Stderr: []byte("etcdserver: too many learner members in cluster")}
		}
		w.members = append(w.members, member{ID: uint64(100 + len(w.members)), PeerURLs: []string{args[5]}, IsLearner: true})
		return protocol.RunReply{Stdout: []byte("{}")}
	case "member promote":
		id, err := strconv.ParseUint(args[2], 16, 64)
		if err != nil {
			return protocol.RunReply{ExitCode: 1, Stderr: []byte(err.Error())}
		}
		for i := range w.members {
			if w.members[i].ID != id {
				continue
			}
			if w.members[i].Name == "" {
				return protocol.RunReply{ExitCode: 1, Stderr: []byte("can only promote a learner member which is in sync with leader")}
			}
			w.members[i].IsLearner = false
			return protocol.RunReply{Stdout: []byte("{}")}
		}
	}
	return protocol.RunReply{ExitCode: 1, Stderr: fmt.Appendf(nil, "the etcdctl of the test does not know %q", args)}
}
