package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/quorate/quorate/test/gap"
	"github.com/quorate/quorate/test/hosts"
)

// report is the table of everything that was measured.
func report(o options, m hosts.Machine, results []result) string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s\nClients: a new TLS request to %s every %s that gives up after %s; %d clients that keep their connection; %d watches.\n",
		m.Describe(), gap.Path, gap.Every, o.load.Timeout, o.load.Sessions, o.load.Watches)
	out.WriteString("Gap: the longest time in which no new request was answered. Failed: of the new requests, while there was any trouble; no server: those of them to which no API server had proved itself, the rest were under way on one that ended; after: how long they took to, in the median. Disturbed: from the first that failed to the last. " +
		"Stuck: the longest wait on a kept connection. Behind: the longest time from a change to its sight by a watch. " +
		"Figures are min / median / max; > says that it went on until it was undone.\n\n")
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "EVENT\tGOAL\tSIDE\tRUNS\tGAP, S\tFAILED\tNO SERVER\tAFTER, S\tDISTURBED, S\tSTUCK, S\tBEHIND, S\tCUT: KEPT, WATCHES")
	for _, e := range o.events {
		what, goal := e.what, e.goal
		for _, s := range o.sides {
			var of []result
			for _, r := range results {
				if r.event.name == e.name && r.side == s.name {
					of = append(of, r)
				}
			}
			if len(of) == 0 {
				continue
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s, %s\n", what, goal, s.name, len(of),
				spread(of, func(r result) time.Duration { return r.New.Gap.Length }, seconds),
				spread(of, func(r result) int { return r.New.Failed() }, count),
				spread(of, func(r result) int { return r.NotConnected() }, count),
				spread(of, func(r result) time.Duration { return r.FailedAfter() }, seconds),
				disturbed(of),
				spread(of, func(r result) time.Duration { return r.Sessions.Stuck }, seconds),
				spread(of, func(r result) time.Duration { return r.Watches.Behind }, seconds),
				spread(of, func(r result) int { return r.Sessions.Cut }, count),
				spread(of, func(r result) int { return r.Watches.Cut }, count))
			what, goal = "", ""
		}
	}
	_ = table.Flush() // a strings.Builder takes everything
	return out.String()
}

// disturbed is the spread of how long some requests failed. Where that was ended
// by undoing what made them fail, it would have been longer.
func disturbed(results []result) string {
	text := spread(results, func(r result) time.Duration { return r.New.Disturbed.Length }, seconds)
	if slices.ContainsFunc(results, func(r result) bool { return r.unwell > 0 }) {
		return "> " + text
	}
	return text
}

// spread is the least, the median and the most of a figure; of one run, it alone.
func spread[T ~int | ~int64](results []result, figure func(result) T, word func(T) string) string {
	var all []T
	for _, r := range results {
		all = append(all, figure(r))
	}
	slices.Sort(all)
	if len(all) == 1 {
		return word(all[0])
	}
	return word(all[0]) + " / " + word(all[len(all)/2]) + " / " + word(all[len(all)-1])
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

func count(n int) string { return fmt.Sprint(n) }
