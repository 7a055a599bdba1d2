package component

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/plan"
)

const (
	haproxyName = "haproxy"
	// HAProxyRoot is the root file system of the bundle's own HAProxy, on hosts
	// whose distribution's cannot be had.
	HAProxyRoot = bundle.SelfContainedRoot + haproxyName
	// haproxyRecord lists the files of HAProxyRoot with their digests, and is
	// written when all of them are there.
	haproxyRecord = HAProxyRoot + "/files.sha256"
)

// AskOwnHAProxy asks for what OwnHAProxy looks at.
func AskOwnHAProxy(q *protocol.FactsRequest) { AskFiles(q, haproxyRecord) }

// OwnHAProxy reports whether a node's own proxy is the bundle's HAProxy: neither
// the bundle nor the host's package sources have the distribution's. A node that
// has it once keeps it, so that package sources that come and go change nothing,
// until the distribution's is installed by hand.
func OwnHAProxy(c *cluster.Cluster, h *cluster.Host, artefacts *bundle.Manifest, facts *protocol.Facts) bool {
	switch {
	case !c.HasOwnProxy(h), facts.Packages[haproxyName] != "":
		return false
	case facts.Files[haproxyRecord].Exists:
		return true
	case artefacts == nil || len(artefacts.SelfContained(haproxyName)) == 0:
		return false
	}
	return !artefacts.HasPackage(facts.OS.ID, facts.OS.Version, haproxyName) && facts.Candidates[haproxyName] == ""
}

// PlanOwnHAProxy plans to install the bundle's HAProxy where it is missing or
// another one. It reports whether one that runs is replaced.
func PlanOwnHAProxy(in Input, h *cluster.Host, facts *protocol.Facts, id plan.ID, unit string, out *Output) (replaces bool) {
	if in.Artefacts == nil {
		return false // what is there is taken as it is
	}
	files := in.Artefacts.SelfContained(haproxyName)
	record := haproxyRecordOf(files)
	have := facts.Files[haproxyRecord]
	if len(files) == 0 || have.Exists && have.Content == string(record.Content) {
		return false
	}
	step := plan.Step{
		ID: id, Host: h.Name, Title: "install the bundle's HAProxy", Why: "no package of it is to be had",
		Changes: []plan.Change{{What: HAProxyRoot + " " + files[0].Version, Action: "install"}},
	}
	if have.Exists {
		step.Why, step.Changes[0].Action = "not the bundle's", "update"
	}
	out.Add(step, ownHAProxy{host: h.Name, unit: unit, record: record})
	return have.Exists
}

func haproxyRecordOf(files []bundle.File) File {
	var b strings.Builder
	for _, f := range slices.SortedFunc(slices.Values(files), func(x, y bundle.File) int { return strings.Compare(x.InstallPath, y.InstallPath) }) {
		fmt.Fprintf(&b, "%s  %s\n", f.SHA256, f.InstallPath)
	}
	return File{Path: haproxyRecord, Content: []byte(b.String()), Mode: 0o644}
}

// ownHAProxy is the work of installing the bundle's HAProxy.
type ownHAProxy struct {
	host, unit string
	record     File
}

// Apply implements Op: its unit, where it runs already, owes a restart.
func (o ownHAProxy) Apply(ctx context.Context, rt *Runtime, say func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	if _, err := oweRestart(ctx, h, o.unit); err != nil {
		return err
	}
	m := rt.Bundle.Manifest()
	files := m.SelfContained(haproxyName)
	say(fmt.Sprintf("sending %d files", len(files)))
	return sendFiles(ctx, rt, o.host, files, func(f bundle.File) string { return f.InstallPath })
}

// Verify implements Verifier: the agent verified every digest while it wrote.
func (o ownHAProxy) Verify(ctx context.Context, rt *Runtime, _ func(string)) error {
	_, err := WriteFiles(ctx, rt, o.host, []File{o.record})
	return err
}
