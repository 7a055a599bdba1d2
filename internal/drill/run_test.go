package drill

import (
	"context"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/status"
)

// switches stands in for a lab's power switches; what happened is in order.
type switches struct {
	mu     sync.Mutex
	events []string
	off    func() // called when a plug was pulled
	stuck  error  // why none is put back
}

func (s *switches) note(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, event)
}

func (s *switches) Off(_ context.Context, host string, lasts time.Duration) (func(context.Context) error, error) {
	s.note("off " + host)
	if s.off != nil {
		s.off()
	}
	return func(ctx context.Context) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.stuck != nil {
			return s.stuck
		}
		s.note("on " + host)
		return nil
	}, nil
}

func (s *switches) Freeze(context.Context, string, time.Duration) (func(context.Context) error, error) {
	return nil, errors.New("no freezer")
}

// running is a runner on a fake API with a healthy cluster of six hosts, and
// its load started.
func running(t *testing.T, s *switches, observe func(status.Report) status.Report, more ...func(Eyes) Eyes) *Runner {
	t.Helper()
	c, report := healthy()
	server := httptest.NewUnstartedServer(newFakeAPI())
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that leave early
	server.StartTLS()
	t.Cleanup(server.Close)
	load := &Load{Namespace: NamespacePrefix + "test", Every: 20 * ms, Timeout: 5 * time.Second, Eyes: []Eyes{eyesOn(server, "operator")}}
	for _, change := range more {
		load.Eyes = append(load.Eyes, change(eyesOn(server, "more")))
	}
	t.Cleanup(load.Close)
	r := &Runner{
		Cluster: c, Allowed: Allowed{Lab: true}, Machines: s, Load: load, Random: rand.New(rand.NewPCG(1, 1)), Say: func(string) {},
		Observe: func(context.Context) status.Report { return observe(report) },
		Host:    func(context.Context, string) (*host.Host, error) { return nil, errors.New("no host") },
		Leaders: func(_ context.Context, without []string) Leaders {
			if slices.Contains(without, "cp-2") {
				return Leaders{Etcd: "cp-3"}
			}
			return Leaders{Etcd: "cp-2"}
		},
	}
	if err := load.SetUp(t.Context(), load.Eyes[0].Viewpoint); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// once gives one pick of a drill that lasts only a moment.
func once(t *testing.T, name string, target Rule) func() (Pick, bool) {
	d, ok := Find(name)
	if !ok {
		t.Fatalf("no drill %s", name)
	}
	d.Hold = 2500 * ms
	left := 1
	return func() (Pick, bool) { left--; return Pick{Drill: d, Target: target}, left >= 0 }
}

func easy(Drill, []string) Budget { return within(30*time.Second, time.Minute) }

func same(r status.Report) status.Report { return r }

func TestRun(t *testing.T) {
	s := &switches{}
	r := running(t, s, same)
	err := r.Run(t.Context(), easy, once(t, "host-off", "cp-2"))
	record, _ := r.Finish(t.Context(), err)
	if !record.OK || len(record.Faults) != 1 || record.Verdict.Acknowledged == 0 {
		t.Fatalf("%v, %d faults, %v", err, len(record.Faults), record.Error)
	}
	f := record.Faults[0]
	if !(f.Injected < f.Undone && f.Undone < f.Healthy) || f.Undone-f.Injected < 2500*ms || len(f.Figures) != 4 {
		t.Errorf("%s to %s, healthy %s, %d figures", f.Injected, f.Undone, f.Healthy, len(f.Figures))
	}
	if !slices.Equal(s.events, []string{"off cp-2", "on cp-2"}) {
		t.Error(s.events)
	}
	if _, told := f.Takeovers["etcd"]; !told {
		t.Errorf("nobody noticed that another leads: %+v", record.Marks)
	}
}

// What clients see of a look at the whole cluster is not the fault's: the time
// that is judged ends before it.
func TestLookIsNotJudged(t *testing.T) {
	var last time.Time
	r := running(t, &switches{}, func(report status.Report) status.Report { last = time.Now(); return report })
	err := r.Run(t.Context(), easy, once(t, "host-off", "cp-1"))
	record, _ := r.Finish(t.Context(), err)
	if err != nil || len(record.Faults) != 1 {
		t.Fatal(err)
	}
	if f := record.Faults[0]; f.Healthy < f.Undone || f.Healthy > last.Sub(r.Load.began) {
		t.Errorf("undone at %s, healthy at %s, and the last look began at %s", f.Undone, f.Healthy, last.Sub(r.Load.began))
	}
}

// A fault takes the connection to its host along, and with it who looks from there:
// nobody but the run makes it anew.
func TestConnectionsAreMadeAnew(t *testing.T) {
	var lost atomic.Bool
	s := &switches{off: func() { lost.Store(true) }}
	r := running(t, s, same, func(e Eyes) Eyes {
		dial := e.Dial
		e.Name, e.Host = "worker-1", "worker-1"
		e.Dial = func(ctx context.Context) (net.Conn, error) {
			if lost.Load() {
				return nil, errors.New("the way there is lost")
			}
			return dial(ctx)
		}
		return e
	})
	r.Host = func(_ context.Context, name string) (*host.Host, error) {
		if name == "worker-1" {
			lost.Store(false)
		}
		return nil, nil
	}
	err := r.Run(t.Context(), easy, once(t, "host-off", "worker-1"))
	if record, _ := r.Finish(t.Context(), err); err != nil || !record.OK || len(record.Faults[0].Figures) != 4 {
		t.Errorf("%v, %+v", err, record.Faults)
	}
}

// An interrupt ends the fault, not the undoing of it.
func TestInterruptedRunUndoes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := &switches{off: cancel}
	r := running(t, s, same)
	err := r.Run(ctx, easy, once(t, "host-off", "cp-1"))
	record, _ := r.Finish(t.Context(), err)
	if !errors.Is(err, context.Canceled) || record.OK || record.Error == "" {
		t.Errorf("%v, %v", err, record.Error)
	}
	if !slices.Equal(s.events, []string{"off cp-1", "on cp-1"}) {
		t.Errorf("the host was left as it was: %v", s.events)
	}
}

func TestRunRefuses(t *testing.T) {
	s := &switches{}
	r := running(t, s, same)
	r.Allowed.Lab = false
	err := r.Run(t.Context(), easy, once(t, "host-frozen", "cp-1"))
	if refused, ok := errors.AsType[*RefusedError](err); !ok || !strings.Contains(refused.Error(), "lab hosts only") {
		t.Error(err)
	}
	if record, _ := r.Finish(t.Context(), err); record.OK || len(s.events) > 0 {
		t.Errorf("%v", s.events)
	}
}

// Where all or any drills are to be done, one that the cluster does not stand is
// passed over.
func TestRunPassesOverWhatIsRefused(t *testing.T) {
	s := &switches{}
	r := running(t, s, same)
	r.Allowed.Lab, r.Allowed.PowerOff, r.Skips = false, true, true
	refused, done := once(t, "host-frozen", "cp-1"), once(t, "host-off", "cp-1")
	next := func() (Pick, bool) {
		if p, more := refused(); more {
			return p, true
		}
		return done()
	}
	err := r.Run(t.Context(), easy, next)
	if record, _ := r.Finish(t.Context(), err); err != nil || !record.OK || len(record.Faults) != 1 || len(s.events) != 2 {
		t.Errorf("%v, %d faults, %v", err, len(record.Faults), s.events)
	}
}

// What could not be done is told, and what may have been done is undone.
func TestFaultThatFails(t *testing.T) {
	s := &switches{}
	r := running(t, s, same)
	err := r.Run(t.Context(), easy, once(t, "host-frozen", "cp-1"))
	record, _ := r.Finish(t.Context(), err)
	if record.OK || !record.Faults[0].NotDone || !strings.Contains(strings.Join(record.Faults[0].Why, " "), "no freezer") {
		t.Errorf("%v, %v", err, record.Faults[0].Why)
	}
}

// A fault that could not be undone ends the run, also where the cluster looks healthy:
// the next one would come on top.
func TestFaultThatIsLeftEndsTheRun(t *testing.T) {
	s := &switches{stuck: errors.New("the plug does not fit")}
	r := running(t, s, same)
	first, second := once(t, "host-off", "cp-1"), once(t, "host-off", "cp-2")
	err := r.Run(t.Context(), easy, func() (Pick, bool) {
		if p, more := first(); more {
			return p, true
		}
		return second()
	})
	record, _ := r.Finish(t.Context(), err)
	if !errors.Is(err, s.stuck) || record.OK || !strings.Contains(record.Error, "the plug does not fit") || !slices.Equal(s.events, []string{"off cp-1"}) {
		t.Errorf("%v, %v, %v", err, record.Error, s.events)
	}
}

// A host is waited for as long as it takes itself, and it is said only of a host that
// is not heard of that it ends the fault by itself.
func TestFaultIsWaitedFor(t *testing.T) {
	if armTimeout <= protocol.FaultArmTime || endTimeout <= protocol.FaultEndTime {
		t.Errorf("%s and %s", armTimeout, endTimeout)
	}
	byItself := "by itself"
	away := &LeftError{Host: "cp-1", Err: &host.UnreachableError{Cause: errors.New("no answer")}}
	told := &LeftError{Host: "cp-1", Err: protocol.Failure(protocol.KindOther, "the fault x-1 is not undone")}
	if !strings.Contains(away.Error(), byItself) || strings.Contains(told.Error(), byItself) {
		t.Errorf("%v; %v", away, told)
	}
}

func TestGapsBeyondTheBudget(t *testing.T) {
	r := running(t, &switches{}, same)
	err := r.Run(t.Context(), func(Drill, []string) Budget { return within(1, time.Minute) }, once(t, "host-off", "cp-1"))
	record, _ := r.Finish(t.Context(), err)
	// The time before the fault breaks it as well: that is the machine's doing, and is no
	// word against the cluster.
	f := record.Faults[0]
	if err != nil || record.OK || f.OK || !strings.Contains(strings.Join(f.Unjudged, " "), "the budget is 1ns") || len(f.Why) > 0 || !record.Unjudged() {
		t.Errorf("%v, %v, %v", err, f.Why, f.Unjudged)
	}
	record.Faults[0].Why = []string{"the cluster was not healthy again"}
	if record.Unjudged() {
		t.Error("a cluster that was not healthy again is excused by a busy machine")
	}
}
