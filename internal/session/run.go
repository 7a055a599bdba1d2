package session

import (
	"context"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/engine"
	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/journal"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/version"
)

// Run walks a plan under the hosts' lock, tells the sinks what happens and records it
// in the journal. The kubeconfig is written to a path as soon as there is an API;
// empty for none.
func (s *Session) Run(ctx context.Context, p *plan.Plan, kubeconfig string, sinks ...event.Sink) engine.Result {
	early := s.earlyKubeconfig(ctx, kubeconfig)
	defer early.wait()
	sinks = append(sinks, early.send)
	if j := s.openJournal(p); j != nil {
		defer j.Close()
		sinks = append(sinks, j.Send)
	}
	told := event.Fan(sinks...)
	rt := s.Runtime()
	rt.Notes = func(host, text string) { told.Emit(event.Note{Host: host, Text: text}) }
	return engine.Run(ctx, p, component.Executor{Runtime: rt}, told, engine.Options{RunID: s.RunID})
}

// openJournal begins the record of a run; nil where there is no place for one.
func (s *Session) openJournal(p *plan.Plan) *journal.Journal {
	dir, err := journal.Dir(s.Cluster.Name)
	if err != nil {
		return nil
	}
	warn := func(err error) { s.Warn(err.Error()) }
	j, err := journal.Open(dir, journal.Header{RunID: s.RunID, Cluster: p.Cluster, Verb: p.Verb, Tool: version.String(), Plan: p}, warn)
	if err != nil {
		warn(err)
		return nil
	}
	return j
}
