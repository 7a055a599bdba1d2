package cli

import (
	"cmp"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/bundle"
)

// heartbeat is how often a build says what it is doing when nothing else
// happens.
const heartbeat = 10 * time.Second

// buildReport turns a build's progress into lines: when a part begins and
// ends, and every heartbeat what is still going on.
type buildReport struct {
	out     io.Writer
	quit    chan struct{}
	done    chan struct{}
	mu      sync.Mutex // guards out and running
	running map[string]runningPart
}

// runningPart is a part that is being made.
type runningPart struct {
	since  time.Time
	detail string
}

// newBuildReport starts reporting to out; stop ends it.
func newBuildReport(out io.Writer, every time.Duration) *buildReport {
	r := &buildReport{out: out, quit: make(chan struct{}), done: make(chan struct{}), running: map[string]runningPart{}}
	go r.beat(every)
	return r
}

// progress takes one piece of news.
func (r *buildReport) progress(p bundle.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch p.State {
	case bundle.StateStarted:
		r.running[p.Part] = runningPart{since: time.Now(), detail: p.Detail}
		fmt.Fprintf(r.out, "%s: %s\n", p.Part, cmp.Or(p.Detail, "building"))
	case bundle.StateWorking:
		part := r.running[p.Part]
		part.detail = p.Detail
		r.running[p.Part] = part
	case bundle.StateFinished:
		delete(r.running, p.Part)
		fmt.Fprintf(r.out, "%s: done in %s\n", p.Part, p.Elapsed.Round(100*time.Millisecond))
	case bundle.StateCached:
		delete(r.running, p.Part)
		fmt.Fprintf(r.out, "%s: already built\n", p.Part)
	}
}

// beat prints what is going on until stop is called.
func (r *buildReport) beat(every time.Duration) {
	defer close(r.done)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-r.quit:
			return
		case <-ticker.C:
			r.printRunning()
		}
	}
}

// printRunning prints one line per part that is being made.
func (r *buildReport) printRunning() {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for name := range r.running {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		part := r.running[name]
		line := fmt.Sprintf("%s: %s so far", name, time.Since(part.since).Round(time.Second))
		if part.detail != "" {
			line += ", " + part.detail
		}
		fmt.Fprintln(r.out, line)
	}
}

// stop ends the reporting; nothing is written after it returns.
func (r *buildReport) stop() {
	close(r.quit)
	<-r.done
}

// builderVersion is this binary's own version, for a bundle's manifest.
func builderVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
