package session

import (
	"fmt"
	"strings"
)

// FewError says that most control-plane hosts of a cluster do not answer.
type FewError struct {
	Answer, Of int
	Why        []string // of each that does not
}

func (e *FewError) Error() string {
	return fmt.Sprintf("%d of %d control-plane hosts answer: on the others the cluster may live on, and another operator may be at work; nothing was changed\n  %s",
		e.Answer, e.Of, strings.Join(e.Why, "\n  "))
}

// Hint says what to do about it.
func (e *FewError) Hint() string {
	return "run the same command again when they answer; if the cluster is to be given up, --force resets what answers now"
}

// MostAnswer refuses, with a *FewError, to destroy what another operator, who reaches the
// other hosts only, may be working on: the locks of two majorities of the control planes
// have a host in common, and one that was left out is not wiped out of a cluster that lives.
func (s *Session) MostAnswer() error {
	e := &FewError{}
	for _, h := range s.Cluster.ControlPlanes() {
		e.Of++
		if s.Hosts[h.Name] != nil {
			e.Answer++
			continue
		}
		why := s.Failed[h.Name].Error()
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
