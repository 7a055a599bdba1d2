package members

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
)

// Join adds a host's member to a running cluster: as a learner first, started
// with the membership of that moment, and promoted once it has caught up. Every
// part of it is skipped where an earlier run has done it. It is an Op whose
// Start is the way the member is run.
type Join struct {
	Host    string
	PeerURL string
	PKI     string
	// Via are hosts with running members, any of which can be asked.
	Via []string
	// Start writes the member's settings for the given initial-cluster and
	// starts it; it returns before the member is caught up.
	Start func(ctx context.Context, rt *component.Runtime, initialCluster string) error
}

// joinTimeout bounds catching up: a snapshot of a few GB takes minutes.
const joinTimeout = 8 * time.Minute

// Check implements component.Checker.
func (j Join) Check(ctx context.Context, rt *component.Runtime, _ func(string)) (bool, error) {
	m, _, err := j.find(ctx, rt)
	return err == nil && m != nil && !m.IsLearner && m.Name != "", err
}

// Apply implements component.Op.
func (j Join) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	m, members, err := j.find(ctx, rt)
	if err != nil {
		return err
	}
	if m == nil {
		if err := j.add(ctx, rt, say); err != nil {
			return err
		}
		if _, members, err = j.find(ctx, rt); err != nil {
			return err
		}
	}
	return j.Start(ctx, rt, initialCluster(members, j.Host, j.PeerURL))
}

// add has etcd list the member as a learner. etcd refuses a second learner, and a
// change while its leader is not connected to enough voters, and says neither who
// is at fault nor whether it will pass: that the members are asked first.
func (j Join) add(ctx context.Context, rt *component.Runtime, say func(string)) error {
	err := guard(ctx, rt, "etcd to be ready for a new member", say, func(m etcd.Membership) (why, hint string) {
		return m.MayAdd(rt.Cluster, j.Host)
	})
	if err != nil {
		return err
	}
	say("adding the member as a learner")
	// One that was just restarted is connected to the leader for too short a time yet.
	err = component.Until(ctx, time.Minute, "etcd to take a new learner", say, func(ctx context.Context) error {
		err := j.ask(rt, func(c Client) error { return c.AddLearner(ctx, j.Host, j.PeerURL) })
		if err != nil {
			// One that was not answered may have been heard all the same.
			if m, _, findErr := j.find(ctx, rt); findErr == nil && m != nil {
				return nil
			}
		}
		return err
	})
	if err != nil && strings.Contains(err.Error(), "unhealthy cluster") {
		return &refused{
			"etcd takes no new member: all members answer, and their leader has not been connected to enough of them",
			fmt.Sprintf("check that the members reach each other on port %d", etcd.PeerPort),
		}
	}
	return err
}

// Verify implements component.Verifier: it promotes the learner, which etcd
// refuses until it has caught up.
func (j Join) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	return component.Until(ctx, joinTimeout, "the etcd learner on "+j.Host+" to catch up", say, func(ctx context.Context) error {
		m, _, err := j.find(ctx, rt)
		switch {
		case err != nil:
			return err
		case m == nil:
			return fmt.Errorf("%s is no member", j.Host)
		case m.Name == "":
			return fmt.Errorf("the member of %s has not started", j.Host)
		case m.IsLearner:
			if err := j.ask(rt, func(c Client) error { return c.Promote(ctx, m.ID) }); err != nil {
				return err
			}
		}
		return MarkFormed(ctx, rt, j.Host)
	})
}

// find looks the host's member up; nil means that it is not listed.
func (j Join) find(ctx context.Context, rt *component.Runtime) (*Member, []Member, error) {
	var members []Member
	err := j.ask(rt, func(c Client) (err error) {
		members, err = c.Members(ctx)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for i := range members {
		if slices.Contains(members[i].PeerURLs, j.PeerURL) {
			return &members[i], members, nil
		}
	}
	return nil, members, nil
}

// ask tries the hosts in turn until one answers.
func (j Join) ask(rt *component.Runtime, question func(Client) error) error {
	return tryEach(rt, j.Via, j.PKI, question)
}

// initialCluster is what a joining member is told: all members by name, with
// its own entry named (a member that was never started has no name yet).
func initialCluster(members []Member, self, selfURL string) string {
	var parts []string
	for _, m := range members {
		for _, url := range m.PeerURLs {
			switch {
			case url == selfURL:
				parts = append(parts, self+"="+url)
			case m.Name != "":
				parts = append(parts, m.Name+"="+url)
			}
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// MarkFormed notes on the host that its member was healthy in a cluster.
func MarkFormed(ctx context.Context, rt *component.Runtime, hostName string) error {
	_, err := component.WriteFiles(ctx, rt, hostName, []component.File{{
		Path: etcd.FormedMarker, Mode: 0o644,
		Content: []byte("The etcd member of this host was part of a healthy cluster.\n"),
	}})
	return err
}

var _ component.Op = Join{}
