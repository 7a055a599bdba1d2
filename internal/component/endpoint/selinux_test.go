package endpoint

import (
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host/hosttest"
)

func TestAllowPorts(t *testing.T) {
	for said, want := range map[string]bool{"haproxy_connect_any --> off\n": true, "haproxy_connect_any --> on\n": false} {
		h, fake := hosttest.New(t, "lb-1")
		fake.ExpectRun("getsebool", "haproxy_connect_any").Reply(protocol.RunReply{Stdout: []byte(said)})
		if want {
			fake.ExpectRun("setsebool", "-P", "haproxy_connect_any", "on")
		}
		if err := allowPorts(t.Context(), h); err != nil {
			t.Error(err)
		}
	}
	// A host whose SELinux cannot be asked is not taken for one that allows.
	h, fake := hosttest.New(t, "lb-1")
	fake.ExpectRun("getsebool", "haproxy_connect_any").Reply(protocol.RunReply{ExitCode: 1, Stderr: []byte("no such boolean")})
	if err := allowPorts(t.Context(), h); err == nil {
		t.Error("no error")
	}
}
