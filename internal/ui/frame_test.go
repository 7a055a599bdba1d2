package ui

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/plan"
)

// boardAt is the board once the script's events up to some second are in.
func boardAt(t testing.TB, second float64) *board {
	b := &board{}
	for _, e := range script(t) {
		if !e.Time.After(at(second, nil).Time) {
			b.take(e)
		}
	}
	return b
}

func TestFrames(t *testing.T) {
	unicode := Look{Unicode: true}
	for _, tt := range []struct {
		name   string
		second float64
		c      canvas
	}{
		{"connecting", 0.5, canvas{look: unicode, width: 80, height: 24}},
		{"early", 2, canvas{look: unicode, width: 80, height: 24}},
		{"failing", 16, canvas{look: unicode, width: 80, height: 24, spin: 3}},
		{"failing-ascii", 16, canvas{width: 80, height: 24, spin: 3}},
		{"failing-colour", 16, canvas{look: Look{Unicode: true, Color: true}, width: 80, height: 24, spin: 3}},
		{"failing-narrow", 16, canvas{look: unicode, width: 40, height: 24}},
		{"failing-low", 16, canvas{look: unicode, width: 80, height: 8}},
		{"stopping", 70, canvas{look: unicode, width: 80, height: 24, forces: true}},
		{"forced", 70, canvas{look: unicode, width: 80, height: 24, forced: true}},
		{"over", 71, canvas{look: unicode, width: 80, height: 24}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.c.now = at(tt.second, nil).Time
			check(t, "frame-"+tt.name, boardAt(t, tt.second).frame(tt.c)+"\n")
		})
	}
}

// All done: one line tells the hosts.
func TestFrameAllDone(t *testing.T) {
	b := &board{}
	b.take(at(0, event.RunStarted{Verb: "apply", Cluster: "prod", Steps: []event.StepInfo{
		{ID: "n", Title: "apply flannel"}, {ID: "x@a", Host: "a", Title: "x"}, {ID: "x@b", Host: "b", Title: "x"}}}))
	for _, id := range []plan.ID{"n", "x@a", "x@b"} {
		b.take(at(1, event.StepDone{ID: id}))
	}
	b.take(at(62, event.RunDone{OK: true}))
	check(t, "frame-all-done", b.frame(canvas{look: Look{Unicode: true}, now: at(62, nil).Time, width: 80, height: 24})+"\n")
}

// Whatever happens on however many hosts, a frame fits its terminal.
func TestFrameFits(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		b := &board{}
		var infos []event.StepInfo
		for i := range 1 + r.IntN(60) {
			host := []string{"", "cp", "很长的节点名字", strings.Repeat("long", 10)}[r.IntN(4)]
			if host != "" {
				host = fmt.Sprint(host, r.IntN(20))
			}
			info := event.StepInfo{ID: plan.On(fmt.Sprint("s", i), host), Host: host, Title: strings.Repeat("启动 API ", 1+r.IntN(12))}
			if i > 0 && r.IntN(2) == 0 {
				info.Needs = []plan.ID{infos[r.IntN(i)].ID}
			}
			infos = append(infos, info)
		}
		b.take(at(0, event.Note{Text: strings.Repeat("note ", r.IntN(40))}))
		b.take(at(0, event.RunStarted{Verb: "apply", Cluster: "prod", Steps: infos}))
		for range r.IntN(120) {
			s := infos[r.IntN(len(infos))]
			b.take(at(r.Float64()*100, []event.Body{
				event.StepStarted{ID: s.ID, Phase: event.PhaseApply},
				event.StepProgress{ID: s.ID, Message: strings.Repeat("等待\n\t", r.IntN(30))},
				event.StepDone{ID: s.ID, Host: s.Host},
				event.StepFailed{ID: s.ID, Host: s.Host, Title: s.Title, Error: strings.Repeat("bad\tthing \x1b[31m", r.IntN(60)), Hint: strings.Repeat("do ", r.IntN(50))},
				event.StepSkipped{ID: s.ID},
				event.StepProgress{ID: "unknown"},
				event.Note{Host: s.Host, Text: "a note"},
			}[r.IntN(7)]))
		}
		c := canvas{
			look: Look{Unicode: r.IntN(2) == 0, Color: r.IntN(2) == 0}, now: at(100, nil).Time,
			width: 1 + r.IntN(120), height: 3 + r.IntN(40), spin: r.IntN(100),
		}
		lines := strings.Split(b.frame(c), "\n")
		if len(lines) > c.height {
			t.Errorf("seed %d: %d lines on a terminal of %d", seed, len(lines), c.height)
		}
		for _, l := range lines {
			if width(l) > c.width {
				t.Errorf("seed %d: a line of %d cells on a terminal of %d: %q", seed, width(l), c.width, l)
			}
			if !c.look.Color && strings.Contains(l, "\x1b") {
				t.Errorf("seed %d: an escape sequence in a frame without colour: %q", seed, l)
			}
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	board := &board{}
	var infos []event.StepInfo
	for h := range 100 {
		for i := range 30 {
			host := fmt.Sprintf("node-%03d", h)
			infos = append(infos, event.StepInfo{ID: plan.On(fmt.Sprint("s", i), host), Host: host, Title: "do something"})
		}
	}
	board.take(at(0, event.RunStarted{Verb: "apply", Cluster: "prod", Steps: infos}))
	c := canvas{look: Look{Unicode: true, Color: true}, now: at(1, nil).Time, width: 120, height: 50}
	for b.Loop() {
		c.now = c.now.Add(time.Second)
		board.frame(c)
	}
}
