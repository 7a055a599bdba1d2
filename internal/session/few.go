package session

import (
	"errors"
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/state"
)

// FewError says that most control-plane hosts of a cluster do not answer.
type FewError struct {
	Answer, Of int
	Why        []string // of each that does not
	Part       bool     // some hosts were named, not the whole cluster
}

func (e *FewError) Error() string {
	return fmt.Sprintf("%d of %d control-plane hosts answer: on the others the cluster may live on, and another operator may be at work; nothing was changed\n  %s",
		e.Answer, e.Of, strings.Join(e.Why, "\n  "))
}

// Hint says what to do about it.
func (e *FewError) Hint() string {
	const again = "run the same command again when they answer"
	if e.Part {
		return again
	}
	return again + "; if the cluster is to be given up, --force resets what answers now"
}

// MostAnswer refuses, with a *FewError, to destroy what another operator, who reaches the
// other hosts only, may be working on: the locks of two majorities of the control planes
// have a host in common, and one that was left out is not wiped out of a cluster that lives.
// Named are the hosts that are meant, none for all.
func (s *Session) MostAnswer(named []string) error {
	return s.most(named, func(host string) error {
		if s.Hosts[host] == nil {
			return s.Failed[host]
		}
		return nil
	})
}

// mostSeen is MostAnswer of hosts that were looked at: one may let in, and not answer.
func (s *Session) mostSeen(named []string, snapshot *state.Snapshot) error {
	return s.most(named, func(host string) error {
		if snapshot.Facts(host) == nil {
			return errors.New(snapshot.Hosts[host].Error)
		}
		return nil
	})
}

func (s *Session) most(named []string, silent func(host string) error) error {
	e := &FewError{Part: len(named) > 0}
	for _, h := range s.Cluster.ControlPlanes() {
		e.Of++
		err := silent(h.Name)
		if err == nil {
			e.Answer++
			continue
		}
		why := err.Error()
		if !strings.HasPrefix(why, h.Name+":") {
			why = h.Name + ": " + why
		}
		e.Why = append(e.Why, why)
	}
	if 2*e.Answer > e.Of {
		return nil
	}
	return e
}
