package probe

import (
	"cmp"
	"slices"
	"time"
)

// Stats are the figures of one series of samples.
type Stats struct {
	Asked     int             `json:"asked"`
	Succeeded int             `json:"succeeded"`
	Failures  map[Outcome]int `json:"failures,omitempty"`
	// Gap is the longest time in which nothing succeeded.
	Gap Gap `json:"gap"`
	// Disturbed is the longest time in which questions failed again and again,
	// though others may have succeeded in between.
	Disturbed Gap `json:"disturbed"`
	// Latencies are of what succeeded.
	Median time.Duration `json:"median"`
	P99    time.Duration `json:"p99"`
	Max    time.Duration `json:"max"`
	// Late is the most by which a question was asked later than planned: no gap
	// that is shorter says anything of the endpoint.
	Late time.Duration `json:"late,omitempty"`
}

// Gap is a time in which nothing succeeded, from the end of one question that was
// answered to the end of the next, beyond the time that lies between two questions
// anyway. It needs no failure: an answer that comes half a second late makes a gap
// of half a second. An outage that is shorter than the time between two questions
// may hide between them.
type Gap struct {
	From   time.Duration `json:"from"` // since the recording began
	Length time.Duration `json:"length"`
}

// Failed is how many questions failed.
func (s Stats) Failed() int { return s.Asked - s.Succeeded }

// Availability is the share of questions that succeeded, 0 to 1; nothing
// asked counts as all.
func (s Stats) Availability() float64 {
	if s.Asked == 0 {
		return 1
	}
	return float64(s.Succeeded) / float64(s.Asked)
}

// Summarise counts the samples that were asked from a time on and were over
// before another (both since the recording began); every is the time between
// two questions. What was asked before and answered in this time ends no less a
// gap than what was asked in it.
func Summarise(samples []Sample, from, to, every time.Duration) Stats {
	var s Stats
	var latencies, done []time.Duration
	var failed []Sample
	for _, sample := range samples {
		if sample.Done() < from || sample.Done() > to {
			continue
		}
		if sample.At < from {
			if sample.Outcome == OK {
				done = append(done, sample.Done()) // somebody was still served
			}
			continue
		}
		s.Asked++
		s.Late = max(s.Late, sample.Late)
		if sample.Outcome != OK {
			if s.Failures == nil {
				s.Failures = map[Outcome]int{}
			}
			s.Failures[sample.Outcome]++
			failed = append(failed, sample)
			continue
		}
		s.Succeeded++
		latencies = append(latencies, sample.Took)
		done = append(done, sample.Done())
	}
	s.Gap = longest(done, from, to, every)
	s.Disturbed = disturbed(failed)
	if len(latencies) > 0 {
		slices.Sort(latencies)
		s.Median, s.P99, s.Max = quantile(latencies, 0.5), quantile(latencies, 0.99), latencies[len(latencies)-1]
	}
	return s
}

// calm is how long nothing may have failed for a disturbance to be over.
const calm = time.Second

// disturbed is the longest row of failures without a calm between them.
func disturbed(failed []Sample) Gap {
	slices.SortFunc(failed, func(a, b Sample) int { return cmp.Compare(a.At, b.At) })
	var out Gap
	var from, until time.Duration
	for i, s := range failed {
		if i == 0 || s.At-until > calm {
			from, until = s.At, s.Done()
		}
		until = max(until, s.Done())
		if until-from > out.Length {
			out = Gap{From: from, Length: until - from}
		}
	}
	return out
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// longest is the longest gap between successes, the edges included.
func longest(done []time.Duration, from, to, every time.Duration) Gap {
	slices.Sort(done)
	out, last := Gap{From: from}, from
	for _, at := range append(done, to) {
		if length := at - last - every; length > out.Length {
			out = Gap{From: last, Length: length}
		}
		last = at
	}
	return out
}

// Recovered is when the first of an unbroken row of successes was over that
// lasted at least for the time given, after a time; false when there was none
// before the end of the samples.
func Recovered(samples []Sample, after, row time.Duration) (time.Duration, bool) {
	sorted := slices.DeleteFunc(slices.Clone(samples), func(s Sample) bool { return s.Done() < after })
	slices.SortFunc(sorted, func(a, b Sample) int { return int(a.Done() - b.Done()) })
	start, going := time.Duration(0), false
	for _, s := range sorted {
		switch {
		case s.Outcome != OK:
			going = false
		case !going:
			start, going = s.Done(), true
		}
		if going && s.Done()-start >= row {
			return start, true
		}
	}
	return 0, false
}
