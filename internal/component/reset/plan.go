package reset

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// Subjects of the steps.
const (
	stepStop     = "reset/stop"
	stepNetwork  = "reset/network"
	stepData     = "reset/data"
	stepPrograms = "reset/programs"
	stepSettings = "reset/settings"
)

// links are the network interfaces that flannel and its CNI plugins make.
var links = []string{"cni0", "flannel.1", "flannel-v6.1"}

// Plan makes the steps for one observed host; none when the host is bare.
func Plan(in component.Input, h *cluster.Host, out *component.Output) {
	facts := in.Snapshot.Facts(h.Name)
	if facts == nil {
		return
	}
	f := find(in, facts)
	if !f.ours {
		return
	}
	on := func(subject string) plan.ID { return plan.On(subject, h.Name) }
	out.Add(plan.Step{
		ID: on(stepStop), Host: h.Name, Title: "stop the services and end the containers",
		Why: f.why(), Changes: f.stops, Impact: plan.ImpactDestroy,
	}, stop{host: h.Name, parts: f.parts})
	out.Add(plan.Step{
		ID: on(stepNetwork), Host: h.Name, Title: "remove the pods' and services' network",
		Why: "left in the kernel by kube-proxy, flannel and the kubelet", Changes: f.links,
		Needs: []plan.ID{on(stepStop)}, Impact: plan.ImpactDestroy,
	}, networkOf(in.Cluster, h, f))
	out.Add(plan.Step{
		ID: on(stepData), Host: h.Name, Title: "remove the data",
		Why: "of a cluster that is no more", Changes: f.data,
		Needs: []plan.ID{on(stepStop)}, Impact: plan.ImpactDestroy,
	}, data{host: h.Name, parts: f.parts})
	out.Add(plan.Step{
		ID: on(stepPrograms), Host: h.Name, Title: "remove programs, units and settings",
		Why: "installed by quorate", Changes: f.programs,
		Needs: []plan.ID{on(stepStop), on(stepNetwork), on(stepData)}, Impact: plan.ImpactDestroy,
	}, programs{host: h.Name, parts: f.parts, binaries: f.binaries})
	out.Add(plan.Step{
		ID: on(stepSettings), Host: h.Name, Title: "take the operating system's settings back",
		Why: "made by quorate", Changes: f.settings,
		Needs: []plan.ID{on(stepNetwork), on(stepData), on(stepPrograms)}, Impact: plan.ImpactDestroy,
	}, settings{host: h.Name})
}

// findings is what of a host is Quorate's own.
type findings struct {
	ours     bool
	parts    []part   // that are ours, in the order to stop them
	binaries []string // paths that are ours
	// What there is to do, for review.
	stops, links, data, programs, settings []plan.Change
}

func (f findings) why() string {
	var names []string
	for _, c := range f.stops {
		names = append(names, c.What)
	}
	if len(names) == 0 {
		return "traces of quorate are left"
	}
	return "installed by quorate: " + strings.Join(names, ", ")
}

// find looks for what is ours on a host.
func find(in component.Input, facts *protocol.Facts) findings {
	f := findings{}
	all := partsOf(in.Cluster)
	all = append(all, formerParts(facts, all)...)
	f.settings = settingsLeft(facts)
	for _, id := range facts.Dirs[protocol.FaultFolder] {
		f.stops = append(f.stops, plan.Change{What: "the drill's fault " + id, Action: "stop"})
	}
	f.ours = len(f.settings)+len(f.stops) > 0 || slices.ContainsFunc(all, func(p part) bool { return isOurs(facts, p) })
	for _, p := range all {
		// Quorate's marks are on the host: a part that nobody else runs is a
		// rest of ours, of an apply or a reset that was interrupted.
		if isOurs(facts, p) || f.ours && !isForeign(facts, p) {
			f.parts = append(f.parts, p)
		}
	}
	for _, b := range binariesOf(in.Release) {
		if file := facts.Files[b.InstallPath]; file.Exists && f.isOurBinary(in, facts, all, b, file) {
			f.binaries = append(f.binaries, b.InstallPath)
			f.programs = append(f.programs, plan.Change{What: b.InstallPath, Action: "remove"})
		}
	}
	f.ours = f.ours || len(f.binaries) > 0
	for _, p := range f.parts {
		f.note(facts, p)
	}
	for _, name := range facts.Dirs[linksDir] {
		if slices.Contains(links, name) && f.hasKubelet() {
			f.links = append(f.links, plan.Change{What: "interface " + name, Action: "remove"})
		}
	}
	return f
}

// hasKubelet reports whether the kubelet is ours, and so the pods' network.
func (f findings) hasKubelet() bool {
	return slices.ContainsFunc(f.parts, func(p part) bool { return p.unit == kubeletUnit })
}

// note words what is there of a part that is ours.
func (f *findings) note(facts *protocol.Facts, p part) {
	if u := facts.Units[p.unit]; p.former || u.Load == "loaded" && u.Active != "inactive" {
		f.stops = append(f.stops, plan.Change{What: p.unit, Action: "stop"})
	}
	for _, path := range slices.Concat([]string{p.unitFile}, p.files, p.settings) {
		if facts.Files[path].Exists {
			f.programs = append(f.programs, plan.Change{What: path, Action: "remove"})
		}
	}
	for _, path := range p.data {
		if slices.ContainsFunc(facts.Dirs[path], func(name string) bool { return name != "lost+found" }) {
			f.data = append(f.data, plan.Change{What: path, Action: "remove"})
		}
	}
}

// isOurBinary reports whether a program is of a part that is ours, or, where
// no part can tell, just the one in the bundle.
func (f findings) isOurBinary(in component.Input, facts *protocol.Facts, all []part, b catalog.Binary, file protocol.File) bool {
	if slices.ContainsFunc(f.parts, func(p part) bool { return p.owns(b) }) {
		return true
	}
	foreign := slices.ContainsFunc(all, func(p part) bool { return p.owns(b) && isForeign(facts, p) })
	return !foreign && isKnown(in.Artefacts, b.Name, file)
}

// settingsLeft is what of Quorate's settings of the operating system is there.
func settingsLeft(facts *protocol.Facts) []plan.Change {
	var out []plan.Change
	for _, path := range []string{modulesFile, sysctlFile, packages, component.QuorateDir} {
		if facts.Files[path].Exists {
			out = append(out, plan.Change{What: path, Action: "remove"})
		}
	}
	for _, file := range sharedFiles() {
		old := facts.Files[file.path].Content
		if text := file.without(old); text != old {
			out = append(out, plan.Change{What: file.path, Action: "update", Diff: plan.FileDiff(file.path, []byte(old), []byte(text))})
		}
	}
	return out
}

// sharedFile is a file that Quorate shares with others.
type sharedFile struct {
	path string
	// without takes Quorate's own lines out of the file's content.
	without func(string) string
}

func sharedFiles() []sharedFile {
	return []sharedFile{
		{hostsFile, func(text string) string { return component.ReplaceBlock(text, "") }},
		{fstabFile, withSwap},
	}
}

// withSwap puts the swap entries of an fstab back.
func withSwap(fstab string) string {
	lines := strings.SplitAfter(fstab, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, component.SwapOff)
	}
	return strings.Join(lines, "")
}

// isOurs reports whether a part's unit file is Quorate's.
func isOurs(facts *protocol.Facts, p part) bool {
	return strings.HasPrefix(facts.Files[p.unitFile].Content, header)
}

// isForeign reports whether somebody else has installed the part.
func isForeign(facts *protocol.Facts, p part) bool {
	file, u := facts.Files[p.unitFile], facts.Units[p.unit]
	return file.Exists && !isOurs(facts, p) || u.Load == "loaded" && u.FragmentPath != p.unitFile
}

// isKnown reports whether a file is just the one in the bundle.
func isKnown(m *bundle.Manifest, name string, file protocol.File) bool {
	if m == nil {
		return false
	}
	known, ok := m.Binary(name)
	return ok && known.SHA256 == file.SHA256
}
