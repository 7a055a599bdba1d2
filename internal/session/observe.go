package session

import (
	"context"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/observe"
	"github.com/quorate/quorate/internal/state"
)

// Observer observes the session's hosts.
func (s *Session) Observer() observe.Observer {
	return observe.Observer{Cluster: s.Cluster, Release: s.Release, Hosts: s.Hosts, Failed: s.Failed}
}

// Looks is how often the hosts are observed for a plan before what could not
// be told is told to the user: a busy host may answer one question too late.
const Looks = 3

// Input is what planning takes, freshly observed. A part that could not be
// observed is asked for again, since it must not be taken for absent.
func (s *Session) Input(ctx context.Context) component.Input {
	in := component.Input{Cluster: s.Cluster, Release: s.Release}
	for range Looks {
		in.Snapshot = s.Observer().Snapshot(ctx)
		if ctx.Err() != nil || (len(in.Snapshot.Unknown()) == 0 && (in.Snapshot.API != nil || !in.APIExpected())) {
			break
		}
	}
	return s.Planned(in.Snapshot)
}

// Planned is what planning takes, of a snapshot.
func (s *Session) Planned(snapshot *state.Snapshot) component.Input {
	in := component.Input{Cluster: s.Cluster, Release: s.Release, Snapshot: snapshot}
	if s.Bundle != nil {
		m := s.Bundle.Manifest()
		in.Artefacts = &m
	}
	return in
}
