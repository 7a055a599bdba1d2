package endpoint

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
)

// An API server that was restarted is waited for until HAProxy has found it, also
// where HAProxy still thinks that it stops. A HAProxy that does not answer is not.
func TestBackWaitsForHAProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := []string{"NOLB", "DOWN", "DOWN 1/2", "UP"}
		asked := 0
		serving, fake := hosttest.New(t, "node-1")
		fake.Expect(protocol.OpFacts, func(c hosttest.Call) bool { return c.Op == protocol.OpFacts }).Any().Do(func(hosttest.Call) (any, error) {
			state := states[min(asked, len(states)-1)]
			asked++
			return protocol.Facts{LocalHTTP: []protocol.HTTPReply{{Status: 200, Body: fmt.Sprintf(
				"# pxname,svname,status,check_status\nkube-apiserver,cp-1,%s,L7OK\nkube-apiserver,cp-2,DOWN,L4CON\n", state)}}}, nil
		})
		silent, other := hosttest.New(t, "node-2")
		other.ExpectFacts(protocol.Facts{LocalHTTP: []protocol.HTTPReply{{Error: "no such file"}}})
		rt := &component.Runtime{Hosts: map[string]*host.Host{"node-1": serving, "node-2": silent}}
		o := back{apiServer: "cp-1", haproxies: []string{"node-1", "node-2"}}
		if err := o.Verify(t.Context(), rt, func(string) {}); err != nil {
			t.Fatal(err)
		}
		if asked != len(states) {
			t.Errorf("HAProxy was asked %d times, want %d", asked, len(states))
		}
	})
}
