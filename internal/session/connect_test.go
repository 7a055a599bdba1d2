package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/cluster"
)

// A few hundred hosts are not dialled at the same moment, and those behind one bastion
// leave the others their turns.
func TestTurns(t *testing.T) {
	outer := &cluster.Bastion{Address: "192.0.2.1", SSH: cluster.SSH{Port: 22}}
	inner := &cluster.Bastion{Address: "192.0.2.2", SSH: cluster.SSH{Port: 22, Bastion: outer}}
	var hosts []cluster.Host
	for i := range 300 {
		h := cluster.Host{Name: fmt.Sprint("n-", i)}
		if i%2 == 0 {
			h.SSH.Bastion = []*cluster.Bastion{outer, inner}[i/2%2]
		}
		hosts = append(hosts, h)
	}
	g := newTurns(hosts)
	full, cancel := context.WithCancel(t.Context())
	cancel()
	count := func(parity int) (entered int, leaves []func()) {
		for i := range hosts {
			if i%2 != parity {
				continue
			}
			ctx := t.Context()
			if entered == map[int]int{0: mostDialsByBastion, 1: mostDials - mostDialsByBastion}[parity] {
				ctx = full
			}
			leave, err := g.enter(ctx, hosts[i].SSH)
			if err == nil {
				entered++
				leaves = append(leaves, leave)
			} else if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		return entered, leaves
	}
	for range 2 { // the second time, all turns were given back
		behind, leaves := count(0)
		direct, more := count(1)
		if behind != mostDialsByBastion || direct != mostDials-mostDialsByBastion {
			t.Errorf("%d behind the bastion and %d direct", behind, direct)
		}
		for _, leave := range append(leaves, more...) {
			leave()
		}
	}
}

func TestFew(t *testing.T) {
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprint("n-", i))
	}
	for n, want := range map[int]string{1: "n-0", 4: "n-0, n-1, n-2, n-3", 300: "300 of them: n-0, n-1, n-2 …"} {
		if got := few(names[:n]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestIdentityReachesTheResolver checks that a wrong --identity is told for the
// host whose password needs it.
func TestIdentityReachesTheResolver(t *testing.T) {
	s := &Session{Identity: "/nowhere/age.key", Cluster: &cluster.Cluster{}}
	r := s.Resolver(func(string) {})
	_, err := r.Resolve(t.Context(), cluster.Secret{Age: cluster.AgeOneLine}, "SSH password of ops@cp-1")
	if err == nil || !strings.Contains(err.Error(), "SSH password of ops@cp-1") || !strings.Contains(err.Error(), "/nowhere/age.key") {
		t.Errorf("%v", err)
	}
}

func TestWaitAtMostBoundsBastionsToo(t *testing.T) {
	s := cluster.SSH{Timeout: time.Minute, Bastion: &cluster.Bastion{SSH: cluster.SSH{Timeout: time.Minute}}}
	WaitAtMost(&s, time.Second)
	if s.Timeout != time.Second || s.Bastion.SSH.Timeout != time.Second {
		t.Errorf("timeouts %s and %s", s.Timeout, s.Bastion.SSH.Timeout)
	}
}
