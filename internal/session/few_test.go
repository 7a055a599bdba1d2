package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/state"
)

// Two operators who reach different hosts of a cluster cannot both take it down, and one
// whose own network is broken does not wipe hosts out of a cluster that lives.
func TestResetOfFewHosts(t *testing.T) {
	all := []string{"cp-1", "cp-2", "cp-3"}
	for answer := range len(all) + 1 {
		s := Session{Cluster: &cluster.Cluster{}, Hosts: map[string]*host.Host{}, Failed: map[string]error{}}
		for i, name := range all {
			s.Cluster.Hosts = append(s.Cluster.Hosts, cluster.Host{Name: name, Roles: []cluster.Role{cluster.RoleControlPlane}})
			if i < answer {
				s.Hosts[name] = host.New(name, nil, nil)
			} else {
				s.Failed[name] = errors.New(name + ": it is off")
			}
		}
		s.Cluster.Hosts = append(s.Cluster.Hosts, cluster.Host{Name: "node-1", Roles: []cluster.Role{cluster.RoleWorker}})
		s.Failed["node-1"] = errors.New("it is off, and no control plane")
		err := s.MostAnswer(nil)
		if want := answer < 2; (err != nil) != want {
			t.Errorf("%d of 3 answer: refused: %v, want %v", answer, err, want)
		}
		if err == nil {
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, fmt.Sprintf("%d of 3 control-plane hosts answer", answer)) || !strings.HasSuffix(text, "\n  cp-3: it is off") ||
			strings.Contains(text, "node-1") || !strings.Contains(text, "nothing was changed") {
			t.Errorf("%d of 3 answer: %s", answer, text)
		}
	}
}

// A host may let in, and then not answer.
func TestMostAreSeen(t *testing.T) {
	s := Session{Cluster: &cluster.Cluster{}}
	snapshot := &state.Snapshot{Hosts: map[string]*state.Host{}}
	for i, name := range []string{"cp-1", "cp-2", "cp-3"} {
		s.Cluster.Hosts = append(s.Cluster.Hosts, cluster.Host{Name: name, Roles: []cluster.Role{cluster.RoleControlPlane}})
		snapshot.Hosts[name] = &state.Host{Name: name, Error: "its disk hangs"}
		if i == 0 {
			snapshot.Hosts[name] = &state.Host{Name: name, Facts: &protocol.Facts{}}
		}
	}
	err := s.mostSeen([]string{"cp-1"}, snapshot)
	few, ok := errors.AsType[*FewError](err)
	if !ok || few.Answer != 1 || strings.Contains(few.Hint(), "--force") {
		t.Errorf("got %v, want that one of three answers, and no word of giving the cluster up", err)
	}
	snapshot.Hosts["cp-2"].Facts = &protocol.Facts{}
	if err := s.mostSeen(nil, snapshot); err != nil {
		t.Errorf("two of three answer: %v", err)
	}
}
