package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/component/machine"
)

func artefactChecks() []Check {
	return []Check{{
		Name: "bundle", Refuses: true, Vital: true, Cluster: judgeBundle,
		About: "there is a bundle of the cluster's version, where hosts lack what it holds",
	}}
}

func packageChecks() []Check {
	return []Check{{
		Name: "packages", Refuses: true, Host: judgePackages,
		About: "the distribution's packages that are missing are in the bundle or in the host's own sources",
	}}
}

func judgeBundle(o *Observation) []Finding {
	version := o.Cluster.Kubernetes.Version
	if o.Artefacts != nil {
		if o.Artefacts.Kubernetes != version {
			return []Finding{fail(fmt.Sprintf("build one with `quorate bundle build --kubernetes %s`", version),
				"the bundle is for Kubernetes %s, but the cluster file asks for %s", o.Artefacts.Kubernetes, version)}
		}
		return fine("the bundle of Kubernetes %s for %s has %d files and %d images", version, o.Artefacts.Arch, len(o.Artefacts.Files), len(o.Artefacts.Images))
	}
	var lack []string
	for i := range o.Cluster.Hosts {
		h := &o.Cluster.Hosts[i]
		f := o.Snapshot.Facts(h.Name)
		if f != nil && slices.ContainsFunc(binariesOf(o.Cluster, o.Release, h), func(b catalog.Binary) bool { return !f.Files[b.InstallPath].Exists }) {
			lack = append(lack, h.Name)
		}
	}
	if lack == nil {
		return fine("there is no bundle, and no host lacks what it holds")
	}
	why, hint := component.NoBundle(version)
	return []Finding{fail(hint, "%s", why).about(lack...)}
}

// binariesOf are the binaries that a host gets from the bundle.
func binariesOf(c *cluster.Cluster, r catalog.Release, h *cluster.Host) []catalog.Binary {
	var out []catalog.Binary
	if h.IsNode() {
		out = append(component.RuntimeBinaries(r), component.KubernetesBinaries(r, h)...)
	}
	if c.Etcd.Mode == cluster.EtcdExternal && h.Has(cluster.RoleEtcd) {
		out = append(out, r.Binaries(cluster.RoleEtcd)...)
	}
	return out
}

// judgePackages tells where the packages come from that a host needs and has not.
func judgePackages(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	missing := machine.MissingPackages(o.Cluster, o.Artefacts, h, f)
	foreign := machine.ForeignPackages(o.Artefacts, f, missing)
	nowhere := slices.DeleteFunc(slices.Clone(foreign), func(name string) bool { return f.Candidates[name] != "" })
	switch {
	case len(missing) == 0:
		return fine("%s has all packages that it needs", h.Name)
	case len(foreign) == 0:
		return fine("%s gets %s from the bundle", h.Name, strings.Join(missing, ", "))
	case f.CandidatesError != "":
		return []Finding{warn("look at the host's package sources; apply installs these first of all, and changes nothing where it cannot", "%s needs %s, and its package sources could not be asked: %s", h.Name, strings.Join(foreign, ", "), f.CandidatesError)}
	case len(nowhere) > 0:
		return []Finding{fail("refresh the host's package index or add the source that has them, or build the bundle on "+f.OS.PrettyName,
			"%s needs %s, which neither the bundle nor its package sources have", h.Name, strings.Join(nowhere, ", "))}
	}
	return fine("%s gets %s from its own package sources", h.Name, strings.Join(foreign, ", "))
}
