package drill

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
)

// Pick is one drill to do and the rule or host to do it on. Its text form,
// "etcd-killed@cp-1", is what the command line takes.
type Pick struct {
	Drill  Drill
	Target Rule
}

// String is the pick as ParsePick reads it.
func (p Pick) String() string {
	if p.Target == "" {
		return p.Drill.Name
	}
	return p.Drill.Name + "@" + string(p.Target)
}

// ParsePick reads "NAME" or "NAME@TARGET".
func ParsePick(text string) (Pick, error) {
	name, target, _ := strings.Cut(text, "@")
	d, ok := Find(name)
	if !ok {
		return Pick{}, fmt.Errorf("there is no drill %q; `quorate drill list` shows them", name)
	}
	return Pick{Drill: d, Target: Rule(target)}, nil
}

// Possible are the drills that a cluster has hosts for and that are allowed,
// the one that does nothing left out.
func Possible(c *cluster.Cluster, a Allowed) []Drill {
	var out []Drill
	for _, d := range Catalogue() {
		switch {
		case d.Action == Nothing, len(Candidates(c, d)) == 0:
		case d.Action == PowerOff && (a.Lab || a.PowerOff): // by the lab's switch, or by choice
			out = append(out, d)
		case d.Lab && !a.Lab, d.Hard && !a.Lab && !a.Hard, (d.Action == Fill || d.Action == Shift) && a.Lab:
		case d.Moves && len(Candidates(c, d)) < 2:
		case d.Majority && !a.BreakQuorum:
		default:
			out = append(out, d)
		}
	}
	return out
}

// Soak picks drills at random. The same seed on the same cluster picks the
// same, whatever the time and whoever leads.
type Soak struct {
	cluster *cluster.Cluster
	random  *rand.Rand
	drills  []Drill
	recent  []string
}

// NewSoak begins a soak. The drills are those that may be picked.
func NewSoak(c *cluster.Cluster, drills []Drill, seed uint64) *Soak {
	return &Soak{cluster: c, random: rand.New(rand.NewPCG(seed, 0)), drills: drills}
}

// restFor is how many picks the processes of one program on one host are let
// alone after they were killed: the kubelet waits longer and longer before it
// starts a container again that keeps ending, and forgets only after minutes.
const restFor = 12

// tries bounds the search for a pick that is not too soon; where there are few
// hosts, one that is too soon has to do.
const tries = 50

// Next picks the next drill, with a host by name.
func (s *Soak) Next() Pick {
	var p Pick
	var key string
	for range tries {
		d := s.drills[s.random.IntN(len(s.drills))]
		candidates := Candidates(s.cluster, d)
		p = Pick{Drill: d, Target: Rule(candidates[s.random.IntN(len(candidates))])}
		key = string(p.Target) + " " + d.Program + d.Unit
		if d.Program == "" && d.Unit == "" {
			key += string(d.Action)
		}
		if !slices.Contains(s.recent, key) {
			break
		}
	}
	if s.recent = append(s.recent, key); len(s.recent) > restFor {
		s.recent = s.recent[1:]
	}
	return p
}
