package cluster

// Quorum is the majority of n etcd members: ⌊n/2⌋+1.
func Quorum(n int) int { return n/2 + 1 }

// Tolerated is how many of n etcd members may fail before writes stop.
func Tolerated(n int) int {
	if n == 0 {
		return 0
	}
	return n - Quorum(n)
}
