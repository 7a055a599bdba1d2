package members

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
)

// A member that is being restarted answers as healthy until it has stopped;
// taking that for the new one would restart the next member beside it.
func TestWaitHealthyWaitsForTheNewProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, fake := hosttest.New(t, "a")
		looks, marked := 0, false
		fake.Expect("facts", func(c hosttest.Call) bool { return c.Op == protocol.OpFacts }).Any().Do(func(c hosttest.Call) (any, error) {
			var q protocol.FactsRequest
			if err := c.Decode(&q); err != nil {
				return nil, err
			}
			looks++
			active := "active"
			if looks < 10 {
				active = "deactivating"
			}
			reply := protocol.Facts{Units: map[string]protocol.Unit{"etcd.service": {Active: active}}}
			for range q.LocalHTTP {
				reply.LocalHTTP = append(reply.LocalHTTP, protocol.HTTPReply{Status: 200})
			}
			return reply, nil
		})
		fake.ExpectWrite(etcd.FormedMarker, formedText).Do(func(hosttest.Call) (any, error) {
			marked = true
			return protocol.WriteReply{Changed: true}, nil
		})
		rt := &component.Runtime{Hosts: map[string]*host.Host{"a": h}}
		if err := WaitHealthy(t.Context(), rt, "a", time.Minute, "etcd.service", func(string) {}); err != nil {
			t.Fatal(err)
		}
		if looks < 10 || !marked {
			t.Errorf("over after %d looks, noted on the host: %v", looks, marked)
		}
	})
}
