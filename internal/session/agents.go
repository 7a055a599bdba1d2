package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// RemoveAgents takes the agents' own folder off the hosts, and the lock with it.
func (s *Session) RemoveAgents(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var mu sync.Mutex
	var failures []error
	var wg sync.WaitGroup
	for name, h := range s.Hosts {
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		wg.Go(func() {
			if err := h.CloseAndRemove(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failures = append(failures, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(failures...)
}
