package engine

import "container/heap"

// lane is the queue in front of one host: steps whose needs are done, best
// first, and how many of the host's places are taken. Steps on the cluster as
// a whole have a lane of their own without a limit.
type lane struct {
	ready   readyHeap
	running int
	limit   int // 0 means none
}

func (l *lane) push(i int)  { heap.Push(&l.ready, i) }
func (l *lane) pop() int    { return heap.Pop(&l.ready).(int) }
func (l *lane) best() int   { return l.ready.steps[0] }
func (l *lane) full() bool  { return l.limit > 0 && l.running >= l.limit }
func (l *lane) empty() bool { return len(l.ready.steps) == 0 }

// readyHeap implements heap.Interface over step indexes, ordered by rank.
type readyHeap struct {
	steps []int
	rank  []int
}

func (h *readyHeap) Len() int           { return len(h.steps) }
func (h *readyHeap) Less(a, b int) bool { return h.rank[h.steps[a]] < h.rank[h.steps[b]] }
func (h *readyHeap) Swap(a, b int)      { h.steps[a], h.steps[b] = h.steps[b], h.steps[a] }
func (h *readyHeap) Push(x any)         { h.steps = append(h.steps, x.(int)) }

func (h *readyHeap) Pop() any {
	last := len(h.steps) - 1
	i := h.steps[last]
	h.steps = h.steps[:last]
	return i
}
