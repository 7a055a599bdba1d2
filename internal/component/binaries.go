package component

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/plan"
)

// Kubeadm is kubeadm on a host.
const Kubeadm = "/usr/local/bin/kubeadm"

// RuntimeBinaries are the container runtime's: containerd, runc and the CNI
// plugins. They are installed first, so that images can be imported while the
// rest still travels.
func RuntimeBinaries(r catalog.Release) []catalog.Binary {
	return slices.DeleteFunc(r.Binaries(cluster.RoleWorker), func(b catalog.Binary) bool {
		return strings.HasPrefix(b.Name, "kube")
	})
}

// KubernetesBinaries are Kubernetes' own for a host's roles.
func KubernetesBinaries(r catalog.Release, h *cluster.Host) []catalog.Binary {
	role := cluster.RoleWorker
	if h.Has(cluster.RoleControlPlane) {
		role = cluster.RoleControlPlane
	}
	return slices.DeleteFunc(r.Binaries(role), func(b catalog.Binary) bool {
		return !strings.HasPrefix(b.Name, "kube")
	})
}

// AskBinaries asks for the digests of installed binaries.
func AskBinaries(q *protocol.FactsRequest, binaries []catalog.Binary) {
	for _, b := range binaries {
		q.Files = append(q.Files, protocol.FileQuery{Path: b.InstallPath, Digest: true})
	}
}

// PlanBinaries adds a step that installs the binaries which are missing or
// differ from the bundle's. Without a bundle an installed binary is taken as
// it is, and a missing one is refused. A unit that runs the binary of its own
// name (containerd.service runs containerd) owes a restart when that one is
// replaced, which replaces tells; unit is empty where none does.
func PlanBinaries(in Input, h *cluster.Host, facts *protocol.Facts, id plan.ID, title, unit string, binaries []catalog.Binary, out *Output) (replaces bool) {
	op := Binaries{Host: h.Name}
	step := plan.Step{ID: id, Host: h.Name, Title: title}
	running := false
	for _, b := range binaries {
		installed := facts.Files[b.InstallPath]
		if in.Artefacts == nil {
			if !installed.Exists {
				refuseWithoutBundle(in, out)
				return false
			}
			continue
		}
		file, ok := in.Artefacts.Binary(b.Name)
		if !ok {
			out.Refuse("build it anew: quorate bundle build --kubernetes "+in.Cluster.Kubernetes.Version,
				"the bundle lacks %s, which %s needs", b.Name, h.Name)
			return false
		}
		if installed.Exists && installed.SHA256 == file.SHA256 {
			continue
		}
		action := "install"
		if installed.Exists {
			action, running = "update", true
			if b.Name+".service" == unit {
				op.Unit, replaces = unit, true
			}
		}
		step.Changes = append(step.Changes, plan.Change{What: b.InstallPath + " " + b.Version, Action: action})
		op.Names = append(op.Names, b.Name)
	}
	if len(op.Names) == 0 {
		return false
	}
	step.Why = "not installed"
	if running {
		step.Why = "missing, or not the bundle's"
	}
	out.Add(step, op)
	return replaces
}

func refuseWithoutBundle(in Input, out *Output) {
	why, hint := NoBundle(in.Cluster.Kubernetes.Version)
	out.Refuse(hint, "%s", why)
}

// NoBundle words that hosts lack what only a bundle holds, and what to do.
func NoBundle(kubernetes string) (why, hint string) {
	return fmt.Sprintf("there is no bundle of Kubernetes %s, and hosts lack what it holds", kubernetes),
		"make one with `quorate bundle build --kubernetes " + kubernetes + "`, or name one with --bundle"
}

// Binaries is the work of installing binaries from the bundle, all in one stream.
type Binaries struct {
	Host  string
	Names []string
	// Unit runs one of them that is replaced; empty where none does.
	Unit string
}

// Apply implements Op.
func (b Binaries) Apply(ctx context.Context, rt *Runtime, say func(string)) error {
	var files []bundle.File
	var total int64
	for _, name := range b.Names {
		f, ok := rt.Bundle.Binary(name)
		if !ok {
			return fmt.Errorf("the bundle lacks %s", name)
		}
		files = append(files, f)
		total += f.StoredSize
	}
	if b.Unit != "" {
		h, err := rt.Host(b.Host)
		if err != nil {
			return err
		}
		if _, err := oweRestart(ctx, h, b.Unit); err != nil {
			return err
		}
	}
	say(fmt.Sprintf("sending %d files, %d MB", len(files), total>>20))
	return sendFiles(ctx, rt, b.Host, files, func(f bundle.File) string { return f.InstallPath })
}
