// Package drill breaks a cluster on purpose, measures what its clients saw,
// and proves that nothing that was acknowledged was lost.
//
// A drill is one fault with a target, a time and a budget. A run takes one or
// more of them through the same stages: the cluster is healthy, the fault is
// injected, clients are watched, the fault is undone, the cluster is healthy
// again, and in the end the history of all writes is checked. The undoing is
// always arranged before the fault, where the fault is: on the host itself
// (see protocol.FaultRequest), or for a lab's power switches and cables in a
// process of its own.
//
// The catalogue, the rules of safety and targets, the budgets, the check of a
// history and the figures are pure; what does I/O is in run.go, inject.go, move.go,
// load.go and watcher.go.
package drill
