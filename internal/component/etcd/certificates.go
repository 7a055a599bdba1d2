package etcd

import (
	"context"
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/pki"
	"github.com/quorate/quorate/internal/plan"
)

// wanted are the certificates that a host must have.
type wanted struct {
	host    string
	id      plan.ID
	title   string
	holders []string // hosts that hold etcd's authority
	leaves  []leaf
	// authority is the file of the CA on the host that signs them.
	authority string
	// caFile is where the authority's certificate must stand too; empty for nowhere.
	caFile string
}

// plan adds a step for the certificates that are missing, end soon or lack a name.
func (w wanted) plan(facts *protocol.Facts, out *component.Output) {
	op := certificates{wanted: w}
	op.leaves = nil
	step := plan.Step{ID: w.id, Host: w.host, Title: w.title, Needs: []plan.ID{component.StepAuthorities}}
	var why []string
	add := func(path, reason string) {
		why = append(why, path+" "+reason)
		step.Changes = append(step.Changes, plan.Change{What: path, Action: "create"})
	}
	for _, l := range w.leaves {
		if reason := wrongWith(facts, l, w.authority); reason != "" {
			op.leaves = append(op.leaves, l)
			add(l.path+".crt", reason)
		}
	}
	if w.caFile != "" && !facts.Files[w.caFile].Holds() {
		add(w.caFile, "missing")
	}
	if len(why) == 0 {
		return
	}
	step.Why = strings.Join(why, "; ")
	out.Add(step, op)
}

// queries ask for what wrongWith judges.
func (l leaf) queries() []protocol.FileQuery {
	return []protocol.FileQuery{{Path: l.path + ".crt", Certificate: true, Key: l.path + ".key"}, {Path: l.path + ".key"}}
}

// wrongWith tells what is wrong with an observed certificate; empty means nothing.
func wrongWith(facts *protocol.Facts, l leaf, authority string) string {
	reason, certificate := pki.Observed{
		Certificate: facts.Files[l.path+".crt"], Key: facts.Files[l.path+".key"], Authority: facts.Files[authority], Now: facts.Time,
	}.Fault()
	if reason != "" {
		return reason
	}
	if missing := pki.Covers(certificate, l.Names, l.Addresses); len(missing) > 0 {
		return "lacks " + strings.Join(missing, ", ")
	}
	return ""
}

// certificates is the work of making the leaves that are wanted anew.
type certificates struct{ wanted }

// Apply implements component.Op. The authority's key passes through the
// operator's memory; it is not kept.
func (o certificates) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	authority, err := readAuthority(ctx, rt, o.holders)
	if err != nil {
		return err
	}
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	now, err := component.Now(ctx, h)
	if err != nil {
		return err
	}
	var files []component.File
	for _, l := range o.leaves {
		pair, err := pki.Sign(authority, l.Leaf, now)
		if err != nil {
			return fmt.Errorf("%s: %w", o.host, err)
		}
		files = append(files,
			component.File{Path: l.path + ".key", Content: pair.Key, Mode: 0o600},
			component.File{Path: l.path + ".crt", Content: pair.Cert, Mode: 0o644})
	}
	if o.caFile != "" {
		files = append(files, component.File{Path: o.caFile, Content: authority.Cert, Mode: 0o644})
	}
	_, err = component.WriteFiles(ctx, rt, o.host, files)
	return err
}

func readAuthority(ctx context.Context, rt *component.Runtime, holders []string) (pki.Pair, error) {
	var last error
	for _, name := range holders {
		h, err := rt.Host(name)
		if err != nil {
			last = err
			continue
		}
		cert, err := h.ReadFile(ctx, pkiDir+"/ca.crt")
		if err != nil {
			last = err
			continue
		}
		key, err := h.ReadFile(ctx, pkiDir+"/ca.key")
		if err != nil {
			last = err
			continue
		}
		return pki.Pair{Cert: cert, Key: key}, nil
	}
	return pki.Pair{}, fmt.Errorf("reading etcd's authority: %w", last)
}
