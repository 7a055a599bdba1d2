package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/ui"
	"github.com/quorate/quorate/test/hosts"
)

// report words everything that was measured.
func report(o options, m hosts.Machine, ours []quorateRun, theirs []referenceRun) string {
	var out strings.Builder
	fmt.Fprintf(&out, "\nKubernetes %s on %d + %d hosts (control planes + workers), from bare hosts and a bundle\n%s\n"+
		"b: all hosts at once where kubeadm allows it; stacked etcd; a HAProxy on each worker; the other control planes join through cp-1\n\n",
		o.kubernetes, o.controlPlanes, o.workers, m.Describe())
	out.WriteString(times(ours, theirs))
	best := slices.MinFunc(ours, func(a, b quorateRun) int { return cmp.Compare(a.apply.took, b.apply.took) })
	plain := slices.MinFunc(theirs, func(a, b referenceRun) int { return cmp.Compare(a.took, b.took) })
	fmt.Fprintf(&out, "\na, the fastest run: %s = %s connecting, observing, planning + %s running the plan + %s proving it anew\n",
		seconds(best.apply.took), seconds(best.before), seconds(best.result.Duration.Duration()), seconds(best.after))
	out.WriteString("\nThe critical path of its plan:\n" + ui.CriticalPath(best.result))
	out.WriteString("\nIts steps, slowest first:\n" + ui.StepTimes(best.result))
	fmt.Fprintf(&out, "\nb, the fastest run: %s\n%s", seconds(plain.took), plain.table())
	out.WriteString("\n" + costs(ours, theirs))
	return out.String()
}

// times is the table of both sides' times and their ratio.
func times(ours []quorateRun, theirs []referenceRun) string {
	header := []string{"", ""}
	for n := range ours {
		header = append(header, fmt.Sprintf("RUN %d", n+1))
	}
	header = append(header, "MIN", "MEDIAN")
	var a, b, aNodes, bNodes, bAddons []time.Duration
	for _, r := range ours {
		a, aNodes = append(a, r.apply.took), append(aNodes, r.nodesReady)
	}
	for _, r := range theirs {
		b, bNodes = append(b, r.took), append(bNodes, r.nodesReady)
		bAddons = append(bAddons, r.took+r.addons.took)
	}
	rows := [][]string{
		durations("a", "quorate apply, until it has proved the cluster", a),
		durations("b", "plain kubeadm, until all nodes are Ready", b),
		ratios("a/b", "", a, b),
		durations("b'", "plain kubeadm, until flannel, kube-proxy and CoreDNS run, as a waits for", bAddons),
		ratios("a/b'", "", a, bAddons),
		durations("", "a: last node Ready by the API's record (whole seconds)", aNodes),
		durations("", "b: last node Ready by the API's record (whole seconds)", bNodes),
	}
	return ui.Table(header, rows)
}

func durations(name, what string, list []time.Duration) []string {
	row := []string{name, what}
	for _, d := range list {
		row = append(row, seconds(d))
	}
	return append(row, seconds(slices.Min(list)), seconds(median(list)))
}

// ratios is run by run, and of the minima and medians themselves.
func ratios(name, what string, a, b []time.Duration) []string {
	ratio := func(x, y time.Duration) string { return fmt.Sprintf("%.2f", float64(x)/float64(y)) }
	row := []string{name, what}
	for i := range a {
		row = append(row, ratio(a[i], b[i]))
	}
	return append(row, ratio(slices.Min(a), slices.Min(b)), ratio(median(a), median(b)))
}

// table is where the script's time went.
func (r referenceRun) table() string {
	var rows [][]string
	for _, p := range append(slices.Clone(r.phases), r.addons) {
		rows = append(rows, []string{seconds(p.took), p.what})
	}
	return ui.Table([]string{"TOOK", "PHASE"}, rows)
}

// costs is everything besides the time to build.
func costs(ours []quorateRun, theirs []referenceRun) string {
	var second, plans []time.Duration
	var peak int64
	for _, r := range ours {
		second = append(second, r.second.took)
		peak = max(peak, r.apply.peak, r.second.peak)
		for _, p := range r.plans {
			plans = append(plans, p.took)
			peak = max(peak, p.peak)
		}
	}
	a, b := ours[0].traffic, theirs[0].traffic
	return ui.Table(nil, [][]string{
		{"second apply, median", seconds(median(second)), "goal: 3 s or less"},
		{"quorate plan (facts of all hosts), median", seconds(median(plans)), fmt.Sprintf("min %s of %d", seconds(slices.Min(plans)), len(plans))},
		{"peak memory of quorate", megabytes(peak), "goal: below 150 MB"},
		{"steps", fmt.Sprint(event.Counts.Total(ours[0].result.Counts)), ""},
	}) + "\n" + ui.Table([]string{"", "PROCESSOR TIME", "OF IT BY THE OPERATOR", "BYTES SENT", "RECEIVED BY A CONTROL PLANE", "BY A WORKER"}, [][]string{
		{"a", seconds(ours[0].cpu.total()), seconds(ours[0].cpu.operator), megabytes(a.sent), megabytes(a.controlPlane), megabytes(a.worker)},
		{"b'", seconds(theirs[0].cpu.total()), seconds(theirs[0].cpu.operator), megabytes(b.sent), megabytes(b.controlPlane), megabytes(b.worker)},
	})
}

// median is the middle of a list, or the mean of its two middles.
func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func megabytes(n int64) string { return fmt.Sprintf("%d MB", (n+500_000)/1_000_000) }
