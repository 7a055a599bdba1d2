package members

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
)

// guardTimeout is how long a member that was just restarted, or a busy host, is
// given to be counted as healthy.
const guardTimeout = 15 * time.Second

// GuardQuorum refuses to take a host's voter down when the other voters are no
// quorum without it, by etcd's own list of them.
func GuardQuorum(ctx context.Context, rt *component.Runtime, hostName string, say func(string)) error {
	return guard(ctx, rt, "a quorum without the etcd member of "+hostName, say, func(m etcd.Membership) (why, hint string) {
		return m.MayTakeDown(rt.Cluster, hostName)
	})
}

// guard looks at the members until they allow something, and refuses it in their
// own words when they do not.
func guard(ctx context.Context, rt *component.Runtime, what string, say func(string), allowed func(etcd.Membership) (why, hint string)) error {
	err := component.Until(ctx, guardTimeout, what, say, func(ctx context.Context) error {
		m := look(ctx, rt)
		if err := ctx.Err(); err != nil {
			return err // what was not answered in time says nothing
		}
		if why, hint := allowed(m); why != "" {
			return &refused{why, hint}
		}
		return nil
	})
	if r, ok := errors.AsType[*refused](err); ok {
		return r
	}
	return err
}

// refused is why something must not be done with the members now.
type refused struct{ why, hint string }

func (e *refused) Error() string { return e.why }

// Hint is what to do about it.
func (e *refused) Hint() string { return e.hint }
