package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/plan"
)

// planWidth is how wide the texts of plans are: they are read in terminals,
// mails and tickets alike.
const planWidth = 80

// PlanSummary words a plan in a few lines for each host: hosts that go
// through the same steps are told once, steps are gathered by what they are
// about, what disturbs something running says so, and the cluster as a whole
// comes last.
func PlanSummary(p *plan.Plan) string {
	if p.Empty() {
		return nothing(p.Cluster)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s, cluster %s: %s on %s\n", p.Verb, clean(p.Cluster), count(len(p.Steps), "step"), count(len(p.Hosts()), "host"))
	for _, g := range grouped(p) {
		fmt.Fprintf(&out, "\n%s\n", g.heading())
		for _, topic := range g.topics {
			label := "  " + pad(topic.name, g.topicWidth()) + "  "
			for i, line := range wrapList(topic.titles, planWidth-width(label)) {
				if i > 0 {
					label = strings.Repeat(" ", width(label))
				}
				out.WriteString(label + line + "\n")
			}
		}
	}
	fmt.Fprintf(&out, "\n%s\n", impactSummary(p))
	return out.String()
}

// group is hosts that go through the same steps.
type group struct {
	hosts  []string // none for the cluster as a whole
	steps  int      // for each host
	topics []topic
}

// topic is a group's steps that are about the same thing.
type topic struct {
	name   string // "etcd", of the step etcd/member
	titles []string
}

func (g group) heading() string {
	if len(g.hosts) == 0 {
		return "the cluster as a whole: " + count(g.steps, "step")
	}
	each := ""
	if len(g.hosts) > 1 {
		each = " each"
	}
	return strings.Join(wrap(strings.Join(g.hosts, ", ")+": "+count(g.steps, "step")+each, planWidth), "\n")
}

// key is the same for groups with the same work, in whatever order the plan
// has come to put it.
func (g group) key() string {
	all := []string{fmt.Sprint(len(g.hosts) == 0)}
	for _, t := range g.topics {
		for _, title := range t.titles {
			all = append(all, t.name+"/"+title)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func (g group) topicWidth() int {
	w := 0
	for _, t := range g.topics {
		w = max(w, width(t.name))
	}
	return w
}

// grouped gathers the plan by hosts with the same work, in the order in which
// the plan first comes to them, the cluster as a whole last.
func grouped(p *plan.Plan) []group {
	var order []string
	byHost := map[string]*group{}
	for _, s := range p.Steps {
		g := byHost[s.Host]
		if g == nil {
			g = &group{}
			if s.Host != "" {
				g.hosts = []string{clean(s.Host)}
				order = append(order, s.Host)
			}
			byHost[s.Host] = g
		}
		g.add(s)
	}
	slices.Sort(order)
	if byHost[""] != nil {
		order = append(order, "")
	}
	var groups []group
	same := map[string]int{}
	for _, host := range order {
		g := byHost[host]
		key := g.key()
		if i, ok := same[key]; ok {
			groups[i].hosts = append(groups[i].hosts, g.hosts...)
			continue
		}
		same[key] = len(groups)
		groups = append(groups, *g)
	}
	return groups
}

func (g *group) add(s plan.Step) {
	g.steps++
	name, _, _ := strings.Cut(s.ID.Subject(), "/")
	title := oneLine(s.Title)
	if s.Impact != plan.ImpactNone && s.Impact != "" {
		title += " [" + string(s.Impact) + "]"
	}
	for i := range g.topics {
		if g.topics[i].name == name {
			g.topics[i].titles = append(g.topics[i].titles, title)
			return
		}
	}
	g.topics = append(g.topics, topic{name: name, titles: []string{title}})
}

// wrapList lays out a comma-separated list, breaking lines between its members.
func wrapList(items []string, cells int) []string {
	var lines []string
	line := ""
	for i, item := range items {
		if i < len(items)-1 {
			item += ","
		}
		switch {
		case line == "":
			line = item
		case width(line)+1+width(item) <= cells:
			line += " " + item
		default:
			lines = append(lines, line)
			line = item
		}
	}
	return append(lines, line)
}

// PlanFull words a plan completely, host by host: every step with why it is
// there, what it waits for elsewhere, what it changes and the files' diffs.
func PlanFull(p *plan.Plan) string {
	if p.Empty() {
		return PlanSummary(p)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s, cluster %s: %s on %s\n", p.Verb, clean(p.Cluster), count(len(p.Steps), "step"), count(len(p.Hosts()), "host"))
	for _, host := range append(p.Hosts(), "") {
		var own []plan.Step
		for _, s := range p.Steps {
			if s.Host == host {
				own = append(own, s)
			}
		}
		if len(own) == 0 {
			continue
		}
		name := clean(host)
		if host == "" {
			name = "the cluster as a whole"
		}
		heading := fmt.Sprintf("%s: %s", name, count(len(own), "step"))
		if worst := p.ImpactOn(host); worst != plan.ImpactNone {
			heading += fmt.Sprintf(" [%s]", worst)
		}
		fmt.Fprintf(&out, "\n%s\n", heading)
		for _, s := range own {
			writeStep(&out, s)
		}
	}
	fmt.Fprintf(&out, "\n%s\n", impactSummary(p))
	return out.String()
}

func writeStep(out *strings.Builder, s plan.Step) {
	fmt.Fprintf(out, "\n  %s", oneLine(s.Title))
	if s.Impact != plan.ImpactNone && s.Impact != "" {
		fmt.Fprintf(out, " [%s]", s.Impact)
	}
	fmt.Fprintf(out, "\n    step %s\n", s.ID)
	if s.Why != "" {
		out.WriteString(indent(clean(s.Why), "    why: ") + "\n")
	}
	var elsewhere []string
	for _, need := range s.Needs {
		if _, host, _ := strings.Cut(string(need), "@"); host != s.Host {
			elsewhere = append(elsewhere, string(need))
		}
	}
	writeNeeds(out, "    after ", elsewhere)
	var any []string
	for _, need := range s.NeedsAny {
		any = append(any, string(need))
	}
	writeNeeds(out, "    after one of ", any)
	for _, c := range s.Changes {
		fmt.Fprintf(out, "    %s %s\n", pad(c.Action, len("restart")), oneLine(c.What))
		if c.Diff != "" {
			out.WriteString(indent(clean(c.Diff), "      ") + "\n")
		}
	}
}

// writeNeeds lists steps behind a label, further lines below the first's list.
func writeNeeds(out *strings.Builder, label string, steps []string) {
	if len(steps) == 0 {
		return
	}
	for i, line := range wrapList(steps, planWidth-len(label)) {
		if i > 0 {
			label = strings.Repeat(" ", len(label))
		}
		out.WriteString(label + line + "\n")
	}
}
