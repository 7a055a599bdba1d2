package planner_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
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

// peerURL is where the machine's member is for the others: what it was started
// with, whatever address the cluster file gives the host since.
func (m *machine) peerURL() string {
	if m.peer != "" && m.has(m.dataDir()+"/wal") {
		return m.peer
	}
	return etcd.URL(netip.MustParseAddr(m.address), etcd.PeerPort)
}

// entry is the machine's member in the list; nil where it is none.
func (m *machine) entry() *member {
	i := slices.IndexFunc(m.world.members, func(e member) bool { return slices.Contains(e.PeerURLs, m.peerURL()) })
	if i < 0 {
		return nil
	}
	return &m.world.members[i]
}

func (m *machine) dataDir() string { return m.world.cluster.Etcd.DataDir + "/member" }

// settleEtcd lets members that run write their data, form a cluster, and
// join the one there is.
func (w *world) settleEtcd() {
	running := map[string]bool{} // by peer URL
	for _, m := range w.machines {
		initial, initialState, runs := m.etcdSettings()
		if !runs || m.off || m.apart {
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
			m.peer = m.peerURL()
			m.write(m.dataDir()+"/wal", initial, 0o600)
		}
	}
	if w.members != nil {
		w.etcdUp, w.etcdRuns = w.quorum(running), running
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
			w.etcdUp, w.etcdRuns = true, running
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

// noLeader is what a member says that runs without a quorum.
const noLeader = "etcdserver: no leader"

// etcdHealth is what the machine's own member says; empty means healthy.
func (m *machine) etcdHealth() string {
	_, _, runs := m.etcdSettings()
	switch {
	case !runs || m.off:
		return "connection refused"
	case m.apart:
		return ""
	case !m.world.etcdUp:
		return noLeader
	case m.entry() == nil:
		return "connection refused"
	}
	return ""
}

// askMember asks the member at an address: the machine's own, or that of another
// one that it reaches.
func (m *machine) askMember(address, path string) protocol.HTTPReply {
	if address == "127.0.0.1" {
		return m.askEtcd(path)
	}
	for _, o := range m.world.machines {
		if o.address == address && !o.off {
			return o.askEtcd(path)
		}
	}
	return protocol.HTTPReply{Error: "i/o timeout"}
}

func (m *machine) askEtcd(path string) protocol.HTTPReply {
	why := m.etcdHealth()
	if why != "" && (why != noLeader || m.entry() == nil) {
		return protocol.HTTPReply{Error: why}
	}
	answer := func(v any) protocol.HTTPReply {
		text, err := json.Marshal(v)
		if err != nil {
			return protocol.HTTPReply{Error: err.Error()}
		}
		return protocol.HTTPReply{Status: 200, Body: string(text)}
	}
	w := m.world
	listed, id, leader, of, revision := w.members, "", "", "1", "587"
	if m.apart {
		listed, of, revision = []member{{ID: 900, Name: m.name, PeerURLs: []string{m.peerURL()}, ClientURLs: []string{"https://192.0.2.1:2379"}}}, "2", "557"
		id, leader = "900", "900"
	} else {
		id = strconv.FormatUint(m.entry().ID, 10)
		for _, e := range listed {
			if why != "" {
				leader = "0"
			} else if w.etcdRuns[e.PeerURLs[0]] && leader == "" {
				leader = strconv.FormatUint(e.ID, 10)
			}
		}
	}
	if path == "/v3/maintenance/status" {
		status := map[string]any{
			"header":  map[string]string{"cluster_id": of, "member_id": id, "raft_term": "2", "revision": revision},
			"version": "3.7.0", "dbSize": strconv.FormatInt(w.db, 10), "leader": leader, "raftAppliedIndex": "9",
		}
		if w.full {
			status["errors"] = []string{"memberID:" + id + " alarm:NOSPACE "}
		}
		if w.corrupt != "" {
			text := "memberID:" + w.corrupt + " alarm:CORRUPT "
			status["errors"] = []string{strings.TrimPrefix(text, "memberID:0 ")}
		}
		return answer(status)
	}
	list := []map[string]any{}
	for _, e := range listed {
		entry := map[string]any{"ID": strconv.FormatUint(e.ID, 10), "name": e.Name, "peerURLs": e.PeerURLs, "clientURLs": e.ClientURLs}
		if e.IsLearner {
			entry["isLearner"] = true
		}
		list = append(list, entry)
	}
	return answer(map[string]any{"members": list})
}

// mayAdd is etcd's own rule: the leader must be connected to as many voters as a
// write would take beside one more.
func (w *world) mayAdd() bool {
	voters, up := 0, 0
	for _, e := range w.members {
		if !e.IsLearner {
			voters++
			if w.etcdRuns[e.PeerURLs[0]] {
				up++
			}
		}
	}
	return voters == 1 || up >= cluster.Quorum(voters+1)
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
		if !w.mayAdd() {
			return protocol.RunReply{ExitCode: 1, Stderr: []byte("etcdserver: unhealthy cluster")}
		}
		w.members = append(w.members, member{ID: uint64(100 + len(w.members)), PeerURLs: []string{args[5]}, IsLearner: true})
		return protocol.RunReply{Stdout: []byte("{}")}
	case "alarm list":
		var alarms []string
		if w.full {
			alarms = append(alarms, `{"memberID":1,"alarm":1}`)
		}
		if w.corrupt != "" {
			alarms = append(alarms, `{"memberID":`+w.corrupt+`,"alarm":2}`)
		}
		return protocol.RunReply{Stdout: []byte(`{"alarms":[` + strings.Join(alarms, ",") + `]}`)}
	case "alarm disarm":
		w.full, w.corrupt = false, ""
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
