package kubekey

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/config/strict"
)

// The lists of flags in our document.
const (
	apiServerArgs         = strict.Path("spec.kubernetes.apiServer.extraArgs")
	controllerManagerArgs = strict.Path("spec.kubernetes.controllerManager.extraArgs")
	schedulerArgs         = strict.Path("spec.kubernetes.scheduler.extraArgs")
	kubeletArgs           = strict.Path("spec.kubernetes.kubelet.extraArgs")
)

// splitFlag takes a flag apart as users write it: with dashes or without, with
// = or a space before the value, or as a switch alone.
func splitFlag(text string) (flag, value string) {
	text = strings.TrimLeft(strings.TrimSpace(text), "-")
	end := strings.IndexAny(text, "= \t")
	if end < 0 {
		return text, "true"
	}
	return text[:end], strings.TrimSpace(strings.TrimLeft(text[end:], " \t="))
}

// args imports the flags of a program.
func (m *importer) args(to strict.Path, field *[]string, from strict.Path, texts []string) {
	for i, text := range texts {
		flag, value := splitFlag(text)
		m.arg(to, field, from.Index(i), flag, value)
	}
}

// arg imports one flag of a program.
func (m *importer) arg(to strict.Path, field *[]string, from strict.Path, flag, value string) {
	switch flag {
	case "":
	case "feature-gates":
		m.gatesFlag(from, value)
	case "cluster-signing-duration", "experimental-cluster-signing-duration":
		m.warn(from, "certificates of kubelets are renewed by themselves, well before they end",
			"the flag %s is not taken over: certificates that the cluster signs are valid for a year", flag)
	default:
		m.add(to, field, from, flag+"="+value)
	}
}

// gatesFlag imports what stood in a flag --feature-gates: A=true,B=false.
func (m *importer) gatesFlag(from strict.Path, value string) {
	for pair := range strings.SplitSeq(value, ",") {
		gate, state, _ := strings.Cut(strings.TrimSpace(pair), "=")
		on, err := strconv.ParseBool(state)
		if gate == "" || err != nil {
			m.fail(from, "write feature-gates=NAME=true", "%s: the feature gate %s is neither true nor false", name(from), quote(gate))
			return
		}
		m.gate(from, gate, on)
	}
}

// gates imports feature gates.
func (m *importer) gates(from strict.Path, gates map[string]bool) {
	for _, gate := range slices.Sorted(maps.Keys(gates)) {
		m.gate(from.Key(gate), gate, gates[gate])
	}
}

// gate imports one feature gate, for all programs: that is how KubeKey does it
// too. A gate that is gone would keep every program from starting.
func (m *importer) gate(from strict.Path, gate string, on bool) {
	const to = strict.Path("spec.kubernetes.featureGates")
	if since, gone := catalog.GoneGate(gate); gone {
		m.warn(from, "remove it", "the feature gate %s is left out: what it switched on is part of Kubernetes since %s, and the gate is gone", gate, since)
		return
	}
	out := &m.doc.Spec.Kubernetes
	if out.FeatureGates == nil {
		out.FeatureGates = map[string]bool{}
		m.ours.Set(to, m.theirs.PlaceOf(from))
	}
	if before, ok := out.FeatureGates[gate]; ok && before != on {
		m.warn(from, "say it once", "the feature gate %s is both on and off in this file: %t is taken", word(gate), before)
		return
	}
	out.FeatureGates[gate] = on
	m.ours.Set(to.Key(gate), m.theirs.PlaceOf(from))
}
