package members

import (
	"context"
	"fmt"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
)

// GuardQuorum refuses to take a host's voter down when the other voters, on the
// hosts named, are no quorum without it: what was planned may no longer hold. A
// cluster of one has no others to ask; its restart is in the plan for the user
// to see.
func GuardQuorum(ctx context.Context, rt *component.Runtime, hostName string, others []string) error {
	if len(others) == 0 {
		return nil
	}
	healthy := 0
	for _, name := range others {
		if err := Healthy(ctx, rt, name); err == nil {
			healthy++
		}
	}
	if need := cluster.Quorum(len(others) + 1); healthy < need {
		return fmt.Errorf("%s: restarting its etcd member would stop all writes: %d of the %d others are healthy and %d are needed; bring them back first", hostName, healthy, len(others), need)
	}
	return nil
}
