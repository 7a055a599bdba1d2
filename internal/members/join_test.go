package members

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
)

// club is an etcd cluster as etcdctl shows it, and what was done to it.
type club struct {
	t       *testing.T
	members []Member
	did     []string
	refuse  map[string]int // how often a subcommand is still refused
	deaf    string         // a subcommand that is done, and answered as if it were not
	down    map[string]bool
}

const (
	urlA = "https://10.0.0.1:2380"
	urlB = "https://10.0.0.2:2380"
	urlN = "https://10.0.0.9:2380"
)

func newClub(t *testing.T) *club {
	return &club{
		t: t, refuse: map[string]int{}, down: map[string]bool{},
		members: []Member{{ID: 1, Name: "a", PeerURLs: []string{urlA}}, {ID: 1<<63 + 5, Name: "b", PeerURLs: []string{urlB}}},
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

// join makes the Op that joins host n, and the runtime to run it with.
func (c *club) join() (Join, *component.Runtime, *hosttest.Fake) {
	rt := &component.Runtime{Hosts: map[string]*host.Host{}}
	for _, name := range []string{"a", "b"} {
		h, fake := hosttest.New(c.t, name)
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
	if done, err := j.Check(ctx, rt); err != nil || done {
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
		{"one member is down", func(c *club) { c.down["a"] = true }, []string{"add", started, "promote"}},
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
				if done, err := j.Check(t.Context(), rt); err != nil || !done {
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
	if done, err := j.Check(t.Context(), rt); err != nil || !done || len(c.did) != 0 {
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
	if _, err := j.Check(t.Context(), rt); err == nil || !strings.Contains(err.Error(), "b") {
		t.Errorf("error %v, want one that names the last host asked", err)
	}
	if err := j.Apply(t.Context(), rt, func(string) {}); err == nil || len(c.did) != 0 {
		t.Errorf("error %v, did %q", err, c.did)
	}
}

func TestInitialCluster(t *testing.T) {
	members := []Member{{Name: "b", PeerURLs: []string{urlB}}, {Name: "", PeerURLs: []string{urlN}}, {Name: "", PeerURLs: []string{"https://10.0.0.7:2380"}}, {Name: "a", PeerURLs: []string{urlA}}}
	if got, want := initialCluster(members, "n", urlN), fmt.Sprintf("a=%s,b=%s,n=%s", urlA, urlB, urlN); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
