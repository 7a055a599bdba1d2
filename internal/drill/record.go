package drill

import (
	"slices"
	"time"

	"github.com/quorate/quorate/internal/probe"
)

// recordFormat is the version of a record's layout.
const recordFormat = 1

// Record is a run as it is kept and shown. Times without a date are since the
// recording began.
type Record struct {
	Format     int       `json:"format"`
	RunID      string    `json:"run"`
	Cluster    string    `json:"cluster"`
	Tool       string    `json:"tool"`
	Kubernetes string    `json:"kubernetes"`
	Endpoint   string    `json:"endpoint"` // the mode
	Hosts      []string  `json:"hosts"`    // with their roles
	Lab        bool      `json:"lab"`
	Started    time.Time `json:"started"`
	// Length is how long was recorded.
	Length time.Duration `json:"length"`
	// Seed is a soak's; Soak tells that it was one.
	Soak  bool          `json:"soak,omitempty"`
	Seed  uint64        `json:"seed,omitempty"`
	Every time.Duration `json:"every"`

	Faults []FaultRecord  `json:"faults"`
	Series []SeriesRecord `json:"series"`
	Marks  []Mark         `json:"marks"`
	// Verdict is of the whole history.
	Verdict Verdict `json:"verdict"`
	// Notes say what could not be looked at.
	Notes []string `json:"notes,omitempty"`
	// Error is why the run ended before its end.
	Error string `json:"error,omitempty"`
	OK    bool   `json:"ok"`
}

// FaultRecord is one drill of a run.
type FaultRecord struct {
	Drill   string   `json:"drill"`
	About   string   `json:"about"`
	Targets []string `json:"targets"`
	Budget  Budget   `json:"budget"`
	// Injected, Undone and Healthy are when; Healthy is 0 when the cluster was
	// not healthy again in time.
	Injected time.Duration `json:"injected"`
	Undone   time.Duration `json:"undone"`
	Healthy  time.Duration `json:"healthy"`
	// NotDone tells that the fault could not be done on every target.
	NotDone bool `json:"notDone,omitempty"`
	// Takeovers are how long after the fault somebody else led, by what is led.
	Takeovers map[string]time.Duration `json:"takeovers,omitempty"`
	// Moved is how long after the fault a pod of the target was ready elsewhere,
	// where that was looked for and happened.
	Moved   time.Duration `json:"moved,omitempty"`
	Figures []Figure      `json:"figures"`
	// Why is what was not as it should be. Unjudged is what was over the budget where
	// the time before the fault was, too: it says nothing of the cluster.
	Why      []string `json:"why,omitempty"`
	Unjudged []string `json:"unjudged,omitempty"`
	OK       bool     `json:"ok"`
}

// Figure is what one series had during a drill.
type Figure struct {
	Viewpoint string      `json:"viewpoint"`
	Kind      probe.Kind  `json:"kind"`
	Stats     probe.Stats `json:"stats"`
	// Limit is the budget for the gap; 0 means that there is none.
	Limit time.Duration `json:"limit,omitempty"`
	// Disturbance is the budget for the time in which some questions fail.
	Disturbance time.Duration `json:"disturbance,omitempty"`
}

// Over reports whether the gap is longer than the budget.
func (f Figure) Over() bool { return f.Limit > 0 && f.Stats.Gap.Length > f.Limit }

// Disturbed reports whether questions failed for longer than the budget.
func (f Figure) Disturbed() bool {
	return f.Disturbance > 0 && f.Stats.Disturbed.Length > f.Disturbance
}

// Disturbed is the longest time in which questions failed again and again,
// over all viewpoints and kinds.
func (f FaultRecord) Disturbed() time.Duration {
	var worst time.Duration
	for _, figure := range f.Figures {
		worst = max(worst, figure.Stats.Disturbed.Length)
	}
	return worst
}

// Late is the most by which this program asked later than planned during a drill: no
// gap that is shorter says anything of the cluster.
func (f FaultRecord) Late() time.Duration {
	var worst time.Duration
	for _, figure := range f.Figures {
		worst = max(worst, figure.Stats.Late)
	}
	return worst
}

// Late is the most over all drills of the run.
func (r Record) Late() time.Duration {
	var worst time.Duration
	for _, f := range r.Faults {
		worst = max(worst, f.Late())
	}
	return worst
}

// Worst is the longest gap of a kind, over all viewpoints.
func (f FaultRecord) Worst(kind probe.Kind) time.Duration {
	var worst time.Duration
	for _, figure := range f.Figures {
		if figure.Kind == kind {
			worst = max(worst, figure.Stats.Gap.Length)
		}
	}
	return worst
}

// Unjudged reports whether all that keeps the run from being a proof is that the
// machine was too busy to judge it.
func (r Record) Unjudged() bool {
	return !r.OK && r.Error == "" && r.Verdict.OK() && !slices.ContainsFunc(r.Faults, func(f FaultRecord) bool { return len(f.Why) > 0 })
}

// Mark is something that happened.
type Mark struct {
	At   time.Duration `json:"at"`
	Kind string        `json:"kind"` // fault, undone, healthy, leader
	Text string        `json:"text"`
}

// SeriesRecord is a series in buckets, which is what a timeline needs.
type SeriesRecord struct {
	Viewpoint string        `json:"viewpoint"`
	Kind      probe.Kind    `json:"kind"`
	Stats     probe.Stats   `json:"stats"`
	Bucket    time.Duration `json:"bucket"` // the length of one
	Buckets   []Bucket      `json:"buckets"`
}

// Bucket is what was over within a short time.
type Bucket struct {
	OK     int           `json:"ok"`
	Failed int           `json:"failed"`
	Max    time.Duration `json:"max"` // the longest answer
}

// mostBuckets keeps a timeline drawable and a record small.
const mostBuckets = 1200

// seriesRecord puts a series into buckets.
func seriesRecord(s Series, length time.Duration) SeriesRecord {
	samples := s.Samples()
	bucket := max(length/mostBuckets, 250*time.Millisecond)
	out := SeriesRecord{
		Viewpoint: s.Name, Kind: s.Kind, Stats: probe.Summarise(samples, 0, length, s.Every),
		Bucket: bucket, Buckets: make([]Bucket, int(length/bucket)+1),
	}
	for _, sample := range samples {
		b := &out.Buckets[min(max(int(sample.Done()/bucket), 0), len(out.Buckets)-1)]
		if sample.Outcome == probe.OK {
			b.OK++
			b.Max = max(b.Max, sample.Took)
		} else {
			b.Failed++
		}
	}
	return out
}
