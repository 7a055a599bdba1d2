package component

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/plan"
)

// Service is the work of keeping a systemd unit with its files: the files are
// written, the unit enabled, and then started, or restarted where a file
// changed. It is an Op.
type Service struct {
	Host  string
	Unit  string
	Files []File
	// Reload makes a changed file a reload instead of a restart.
	Reload bool
	// Replaced tells that an earlier step of the plan replaces the program that
	// the unit runs.
	Replaced bool
	// Prepare, when set, does more of what the unit must take in after its files
	// are written; the unit is then restarted (or reloaded) in any case.
	Prepare func(ctx context.Context, rt *Runtime, say func(string)) error
	// Stopped leaves the unit enabled but not started: something else starts it.
	Stopped bool
	// NoBlock does not wait for systemd's job: the unit is up only when others are.
	NoBlock bool
	// Ready is what Verify waits for besides the unit being active; nil for nothing.
	Ready func(ctx context.Context, rt *Runtime) error
	// Timeout bounds Verify; 0 means a minute.
	Timeout time.Duration
}

// owedFile is on a host while a unit that runs may not have taken in what was
// written for it: a run that is cut off between the two leaves it, and the next
// one restarts (or reloads) the unit though its files are as they must be.
func owedFile(unit string) string { return QuorateDir + "/owed/" + unit }

// AskService asks for what ServiceChanges compares.
func AskService(q *protocol.FactsRequest, unit string, files ...string) {
	AskFiles(q, files...)
	q.Files = append(q.Files, protocol.FileQuery{Path: owedFile(unit)})
	q.Units = append(q.Units, unit)
}

// ServiceChanges compares a unit and its files with what was observed. The
// impact is a restart (or reload) only where the unit runs now.
func ServiceChanges(facts *protocol.Facts, s Service) (changes []plan.Change, impact plan.Impact) {
	differ, changes := FileChanges(facts, s.Files)
	u := facts.Units[s.Unit]
	owed := s.Replaced || facts.Files[owedFile(s.Unit)].Exists
	switch {
	case (owed || len(differ) > 0) && u.Up(facts.Time) && !s.Stopped:
		impact = plan.ImpactRestart
		if s.Reload {
			impact = plan.ImpactReload
		}
		changes = append(changes, plan.Change{What: s.Unit, Action: string(impact)})
	case !u.Up(facts.Time) && !s.Stopped:
		changes = append(changes, plan.Change{What: s.Unit, Action: "start"})
	case u.Enabled != "enabled":
		changes = append(changes, plan.Change{What: s.Unit, Action: "enable"})
	}
	return changes, impact
}

// Apply implements Op.
func (s Service) Apply(ctx context.Context, rt *Runtime, say func(string)) error {
	h, err := rt.Host(s.Host)
	if err != nil {
		return err
	}
	owed := false
	if !s.Stopped {
		if owed, err = oweRestart(ctx, h, s.Unit); err != nil {
			return err
		}
	}
	changed, err := WriteFiles(ctx, rt, s.Host, s.Files)
	if err != nil {
		return err
	}
	changed = changed || owed
	if s.Prepare != nil {
		if err := s.Prepare(ctx, rt, say); err != nil {
			return err
		}
		changed = true
	}
	verb := "start"
	switch {
	case s.Stopped:
		verb = ""
	case changed && s.Reload:
		verb = "reload-or-restart"
	case changed:
		verb = "restart"
	}
	if _, err = h.Unit(ctx, protocol.UnitRequest{Name: s.Unit, DaemonReload: true, Enable: "enable", Verb: verb, NoBlock: s.NoBlock}); err != nil {
		return err
	}
	if s.Stopped {
		return nil
	}
	return h.Remove(ctx, owedFile(s.Unit))
}

// oweRestart notes on the host that its unit must take in what is about to be
// written, where it runs, and tells whether an earlier run left it owing that.
// What does not run reads its files when it starts.
func oweRestart(ctx context.Context, h *host.Host, unit string) (owed bool, err error) {
	facts, err := h.Facts(ctx, protocol.FactsRequest{
		Brief: true, Units: []string{unit}, Files: []protocol.FileQuery{{Path: owedFile(unit)}},
	})
	if err != nil {
		return false, err
	}
	owed = facts.Files[owedFile(unit)].Exists
	switch facts.Units[unit].Active {
	case "", "inactive", "failed":
		return owed, nil
	}
	_, err = h.WriteFile(ctx, owedFile(unit), []byte("The unit must take its new settings in.\n"), 0o644)
	return owed, err
}

// Verify implements Verifier.
func (s Service) Verify(ctx context.Context, rt *Runtime, say func(string)) error {
	if s.Stopped {
		return nil
	}
	h, err := rt.Host(s.Host)
	if err != nil {
		return err
	}
	timeout := s.Timeout
	if timeout == 0 {
		timeout = time.Minute
	}
	crash := CrashWatch{Unit: s.Unit}
	return Until(ctx, timeout, s.Unit+" on "+s.Host, say, func(ctx context.Context) error {
		if s.Ready != nil {
			return s.Ready(ctx, rt)
		}
		facts, err := h.Facts(ctx, protocol.FactsRequest{Brief: true, Units: []string{s.Unit}})
		if err != nil {
			return err
		}
		if u := facts.Units[s.Unit]; !u.Up(facts.Time) {
			if err := crash.Look(ctx, h, u); err != nil {
				return err
			}
			return NotUp(s.Unit, u)
		}
		return nil
	})
}

// NotUp says how a unit is that is not up.
func NotUp(name string, u protocol.Unit) error {
	if u.Running() {
		return fmt.Errorf("%s ended and was started again %d times, the last time a moment ago", name, u.Restarts)
	}
	return fmt.Errorf("%s is %s (%s)", name, u.Active, u.Sub)
}

// maxRestarts is how often systemd may restart a unit during a wait before the
// wait gives up: it ends again and again.
const maxRestarts = 5

// CrashWatch notices, over several looks at a unit, that systemd restarts it
// again and again. Restarts from before the first look do not count.
type CrashWatch struct {
	Unit   string
	before int
	looked bool
}

// Look returns a Final error with the unit's last words when it keeps ending;
// nil when it runs or may still come up.
func (c *CrashWatch) Look(ctx context.Context, h *host.Host, u protocol.Unit) error {
	if !c.looked {
		c.looked, c.before = true, u.Restarts
	}
	if u.Running() || (u.Restarts < c.before+maxRestarts && u.Active != "failed") {
		return nil
	}
	reply, err := h.Run(ctx, host.Command{Argv: []string{"journalctl", "--unit", c.Unit, "--lines", "8", "--output", "cat", "--no-pager"}})
	if err != nil {
		return nil // the wait goes on; what it waits for will say more
	}
	return Final{fmt.Errorf("%s of %s ends again and again (%d restarts); its last words:\n%s", c.Unit, h.Name(), u.Restarts-c.before, reply.Stdout)}
}
