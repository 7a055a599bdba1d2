package members

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
)

// club is an etcd cluster as etcdctl shows it, and what was done to it.
type club struct {
	t       *testing.T
	mu      sync.Mutex // all members are asked at the same time
	members []Member
	did     []string
	refuse  map[string]int // how often a subcommand is still refused
	deaf    string         // a subcommand that is done, and answered as if it were not
	down    map[string]bool
	away    map[string]int // how often a member still does not answer what it is asked of itself
	young   bool           // it never formed
	full    bool           // the alarm NOSPACE is raised
	corrupt uint64         // of whose data the alarm CORRUPT is raised; 0: it is not
}

const (
	urlA = "https://10.0.0.1:2380"
	urlB = "https://10.0.0.2:2380"
	urlN = "https://10.0.0.9:2380"
)

func newClub(t *testing.T) *club {
	return &club{
		t: t, refuse: map[string]int{}, down: map[string]bool{}, away: map[string]int{},
		members: []Member{
			{ID: 1, Name: "a", PeerURLs: []string{urlA}, ClientURLs: []string{"https://10.0.0.1:2379"}},
			{ID: 1<<63 + 5, Name: "b", PeerURLs: []string{urlB}, ClientURLs: []string{"https://10.0.0.2:2379"}},
		},
	}
}

func (c *club) newcomer() *Member {
	i := slices.IndexFunc(c.members, func(m Member) bool { return m.PeerURLs[0] == urlN })
	if i < 0 {
		return nil
	}
	return &c.members[i]
}

// etcdctl answers on the host named.
func (c *club) etcdctl(name string, argv []string) (protocol.RunReply, error) {
	fail := func(text string) (protocol.RunReply, error) {
		return protocol.RunReply{ExitCode: 1, Stderr: []byte(text)}, nil
	}
	if c.down[name] {
		return fail("context deadline exceeded")
	}
	if i := slices.Index(argv, "alarm"); i >= 0 {
		c.did = append(c.did, argv[i]+" "+argv[i+1])
		return protocol.RunReply{Stdout: fmt.Appendf(nil, `{"alarms":[{"memberID":%d,"alarm":2}]}`, c.corrupt)}, nil
	}
	at := slices.Index(argv, "member")
	for _, want := range []string{"/pki/ca.crt", "/pki/healthcheck-client.crt", "https://127.0.0.1:2379"} {
		if !slices.Contains(argv, want) {
			c.t.Errorf("etcdctl is called without %s: %q", want, argv)
		}
	}
	sub := argv[at+1]
	if c.refuse[sub] > 0 {
		c.refuse[sub]--
		return fail("etcdserver: unhealthy cluster")
	}
	switch sub {
	case "list":
		text, err := json.Marshal(map[string]any{"members": c.members})
		return protocol.RunReply{Stdout: text}, err
	case "add":
		if c.newcomer() != nil {
			return fail("etcdserver: Peer URLs already exists")
		}
		if !slices.Contains(argv, "--learner") || !slices.Contains(argv, urlN) {
			c.t.Errorf("added as a voter at once, or under another URL: %q", argv)
		}
		c.members = append(c.members, Member{ID: 255, PeerURLs: []string{urlN}, IsLearner: true})
	case "promote":
		m := c.newcomer()
		if argv[at+2] != "ff" {
			c.t.Errorf("promoted %s, want ff", argv[at+2])
		}
		if m.Name == "" || !m.IsLearner {
			return fail("etcdserver: can only promote a learner member which is in sync with leader")
		}
		m.IsLearner = false
	}
	c.did = append(c.did, sub)
	if c.deaf == sub {
		c.deaf = ""
		return fail("context deadline exceeded")
	}
	return protocol.RunReply{Stdout: []byte("{}")}, nil
}

// answers are what the member of a host says of itself; n has none yet.
func (c *club) answers(name string, queries []protocol.HTTPQuery) []protocol.HTTPReply {
	at := slices.IndexFunc(c.members, func(m Member) bool { return m.Name == name })
	var out []protocol.HTTPReply
	for _, q := range queries {
		switch {
		case at < 0, c.down[name], c.away[name] > 0, !strings.Contains(q.URL, "//127.0.0.1:"):
			out = append(out, protocol.HTTPReply{Error: "connection refused"})
		case strings.Contains(q.URL, "/health"):
			if c.full && !strings.Contains(q.URL, "exclude=NOSPACE") || c.corrupt != 0 && !strings.Contains(q.URL, "exclude=CORRUPT") {
				out = append(out, protocol.HTTPReply{Status: 503, Body: `{"health":"false","reason":"ALARM"}`})
				continue
			}
			out = append(out, protocol.HTTPReply{Status: 200})
		case strings.Contains(q.URL, "/status"):
			errors := ""
			if c.corrupt != 0 {
				errors = fmt.Sprintf(`"memberID:%d alarm:CORRUPT "`, c.corrupt)
			}
			out = append(out, protocol.HTTPReply{Status: 200, Body: fmt.Sprintf(`{"header":{"cluster_id":"7","member_id":"%d"},"leader":"1","errors":[%s]}`, c.members[at].ID, errors)})
		default:
			var list []map[string]any
			for _, m := range c.members {
				list = append(list, map[string]any{"ID": fmt.Sprint(m.ID), "name": m.Name, "peerURLs": m.PeerURLs, "clientURLs": m.ClientURLs, "isLearner": m.IsLearner})
			}
			text, err := json.Marshal(map[string]any{"members": list})
			if err != nil {
				c.t.Fatal(err)
			}
			out = append(out, protocol.HTTPReply{Status: 200, Body: string(text)})
		}
	}
	c.away[name]--
	return out
}

func (c *club) facts(name string, request protocol.FactsRequest) protocol.Facts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return protocol.Facts{LocalHTTP: c.answers(name, request.LocalHTTP), Files: map[string]protocol.File{etcd.FormedMarker: {Exists: !c.young}}}
}

// join makes the Op that joins host n, and the runtime to run it with.
func (c *club) join() (Join, *component.Runtime, *hosttest.Fake) {
	rt := &component.Runtime{Cluster: &cluster.Cluster{Etcd: cluster.Etcd{DataDir: "/var/lib/etcd"}}, Hosts: map[string]*host.Host{}}
	for name, last := range map[string]byte{"a": 1, "b": 2, "n": 9} {
		rt.Cluster.Hosts = append(rt.Cluster.Hosts, cluster.Host{
			Name: name, Roles: []cluster.Role{cluster.RoleEtcd}, InternalAddress: netip.AddrFrom4([4]byte{10, 0, 0, last}),
		})
	}
	for _, name := range []string{"a", "b"} {
		h, fake := hosttest.New(c.t, name)
		fake.Expect("facts", func(call hosttest.Call) bool { return call.Op == protocol.OpFacts }).Any().Do(func(call hosttest.Call) (any, error) {
			var request protocol.FactsRequest
			if err := call.Decode(&request); err != nil {
				return nil, err
			}
			return c.facts(name, request), nil
		})
		fake.Expect("etcdctl", func(call hosttest.Call) bool { return call.Op == protocol.OpRun }).Any().Do(func(call hosttest.Call) (any, error) {
			var request protocol.RunRequest
			if err := call.Decode(&request); err != nil {
				return nil, err
			}
			return c.etcdctl(name, request.Argv)
		})
		rt.Hosts[name] = h
	}
	h, fake := hosttest.New(c.t, "n")
	fake.Expect("facts", func(call hosttest.Call) bool { return call.Op == protocol.OpFacts }).Any().Do(func(call hosttest.Call) (any, error) {
		var request protocol.FactsRequest
		if err := call.Decode(&request); err != nil {
			return nil, err
		}
		return c.facts("n", request), nil
	})
	rt.Hosts["n"] = h
	return Join{
		Host: "n", PeerURL: urlN, PKI: "/pki", Via: []string{"gone", "a", "b"},
		Start: func(_ context.Context, _ *component.Runtime, initialCluster string) error {
			c.did = append(c.did, "start "+initialCluster)
			if m := c.newcomer(); m == nil {
				return errors.New("started before it was added")
			}
			c.newcomer().Name = "n"
			return nil
		},
	}, rt, fake
}

func (c *club) run(j Join, rt *component.Runtime) error {
	ctx := c.t.Context()
	if done, err := j.Check(ctx, rt, func(string) {}); err != nil || done {
		return err
	}
	if err := j.Apply(ctx, rt, func(string) {}); err != nil {
		return err
	}
	return j.Verify(ctx, rt, func(string) {})
}

const (
	formedText = "The etcd member of this host was part of a healthy cluster.\n"
	started    = "start a=" + urlA + ",b=" + urlB + ",n=" + urlN
)

func TestJoin(t *testing.T) {
	learner := Member{ID: 255, PeerURLs: []string{urlN}, IsLearner: true}
	running := learner
	running.Name = "n"
	for _, tt := range []struct {
		name   string
		before func(*club)
		want   []string
	}{
		{"from nothing", func(*club) {}, []string{"add", started, "promote"}},
		{"added before", func(c *club) { c.members = append(c.members, learner) }, []string{started, "promote"}},
		{"added and started before", func(c *club) { c.members = append(c.members, running) }, []string{started, "promote"}},
		{"one member is down for a moment", func(c *club) { c.away["a"] = 2 }, []string{"add", started, "promote"}},
		{"refused for a while", func(c *club) { c.refuse["add"], c.refuse["promote"] = 5, 7 }, []string{"add", started, "promote"}},
		{"an addition that was heard and not answered", func(c *club) { c.deaf = "add" }, []string{"add", started, "promote"}},
		{"a promotion that was heard and not answered", func(c *club) { c.deaf = "promote" }, []string{"add", started, "promote"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClub(t)
				tt.before(c)
				j, rt, fake := c.join()
				fake.ExpectWrite(etcd.FormedMarker, formedText)
				if err := c.run(j, rt); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(tt.want, c.did); d != "" {
					t.Errorf("done (-want +got):\n%s", d)
				}
				if done, err := j.Check(t.Context(), rt, func(string) {}); err != nil || !done {
					t.Errorf("afterwards it is not done: %v, %v", done, err)
				}
			})
		})
	}
}

func TestJoinedAlready(t *testing.T) {
	c := newClub(t)
	c.members = append(c.members, Member{ID: 255, Name: "n", PeerURLs: []string{urlN}})
	j, rt, _ := c.join()
	if done, err := j.Check(t.Context(), rt, func(string) {}); err != nil || !done || len(c.did) != 0 {
		t.Errorf("done %v, %v, did %q; want done and nothing done", done, err, c.did)
	}
}

// A member that is listed and never came up is no success.
func TestJoinWaitsForTheMemberToStart(t *testing.T) {
	for _, isLearner := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := newClub(t)
			c.members = append(c.members, Member{ID: 255, PeerURLs: []string{urlN}, IsLearner: isLearner})
			j, rt, _ := c.join()
			began := time.Now()
			err := j.Verify(t.Context(), rt, func(string) {})
			if err == nil || !strings.Contains(err.Error(), "has not started") || time.Since(began) != joinTimeout {
				t.Errorf("learner %v: after %s error %v", isLearner, time.Since(began), err)
			}
		})
	}
}

func TestJoinWithoutAnyMemberToAsk(t *testing.T) {
	c := newClub(t)
	c.down["a"], c.down["b"] = true, true
	j, rt, _ := c.join()
	if _, err := j.Check(t.Context(), rt, func(string) {}); err == nil || !strings.Contains(err.Error(), "b") {
		t.Errorf("error %v, want one that names the last host asked", err)
	}
	if err := j.Apply(t.Context(), rt, func(string) {}); err == nil || len(c.did) != 0 {
		t.Errorf("error %v, did %q", err, c.did)
	}
}

// etcd says "unhealthy cluster" or "too many learner members", for good, and not
// who is at fault: that is said, before etcd is asked, and nothing is added.
func TestJoinNamesWhoStandsInTheWay(t *testing.T) {
	dead := Member{ID: 0xab, Name: "x", PeerURLs: []string{"https://10.0.0.7:2380"}, ClientURLs: []string{"https://10.0.0.7:2379"}}
	for _, tt := range []struct {
		name       string
		before     func(*club)
		want, hint string
	}{
		{"a dead voter that the file does not have", func(c *club) { c.members = append(c.members, dead) },
			"etcd is given no member on n now: x (10.0.0.7) votes and does not answer (connection refused)", "member remove ab`"},
		{"a learner of nobody's", func(c *club) {
			c.members = append(c.members, Member{ID: 0xab, PeerURLs: []string{"https://10.0.0.7:2380"}, IsLearner: true})
		}, "etcd is given no member on n now: 10.0.0.7 is a learner and never started", "member remove ab`"},
		{"a member of the file is down", func(c *club) {
			c.members = append(c.members, dead)
			c.members[2].Name, c.members[2].PeerURLs = "c", []string{"https://10.0.0.3:2380"}
			c.down["b"] = true
		}, "b votes and does not answer (connection refused)", "bring the etcd member of b back: on b, look at journalctl -u etcd"},
		{"members that do not reach each other", func(c *club) { c.refuse["add"] = 10000 },
			"their leader has not been connected to enough of them", "port 2380"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClub(t)
				tt.before(c)
				j, rt, _ := c.join()
				err := j.Apply(t.Context(), rt, func(string) {})
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "unhealthy cluster") {
					t.Errorf("it says %v, want %q", err, tt.want)
				}
				if hinted, ok := errors.AsType[*refused](err); !ok || !strings.Contains(hinted.Hint(), tt.hint) {
					t.Errorf("no hint with %q: %v", tt.hint, err)
				}
				if len(c.did) != 0 {
					t.Errorf("done all the same: %q", c.did)
				}
			})
		})
	}
}

func TestInitialCluster(t *testing.T) {
	members := []Member{{Name: "b", PeerURLs: []string{urlB}}, {Name: "", PeerURLs: []string{urlN}}, {Name: "", PeerURLs: []string{"https://10.0.0.7:2380"}}, {Name: "a", PeerURLs: []string{urlA}}}
	if got, want := initialCluster(members, "n", urlN), fmt.Sprintf("a=%s,b=%s,n=%s", urlA, urlB, urlN); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
