package component

import (
	"net/netip"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
)

// What is recorded is read as it was, and what is no record is none.
func TestRecordedWay(t *testing.T) {
	of := func(content string) *protocol.Facts {
		return &protocol.Facts{Files: map[string]protocol.File{WayRecord: {Exists: content != "", Content: content}}}
	}
	for _, want := range []cluster.Way{
		{Domain: "lb.example", Port: 6443, Address: netip.MustParseAddr("10.0.0.10")},
		{Domain: "lb.example", Port: 8443},
	} {
		if got, ok := RecordedWay(of(string(RecordOf(want).Content))); !ok || got != want {
			t.Errorf("%v was read as %v, %v", want, got, ok)
		}
	}
	for _, text := range []string{"", "x", "10.0.0.10 lb", "10.0.0.10 lb:x", "10.0.0 lb:6443"} {
		if got, ok := RecordedWay(of(text)); ok {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

// The endpoint's name is set in a hosts file, beside the names from before or
// instead of them.
func TestWayInHostsFile(t *testing.T) {
	const own = "127.0.0.1 localhost\n"
	way := cluster.Way{Domain: "new", Port: 6443, Address: netip.MustParseAddr("10.0.0.10")}
	for _, tt := range []struct{ name, text, in, alone string }{
		{"nothing yet", own, "10.0.0.10 new\n", "10.0.0.10 new\n"},
		{"another address", own + "# begin quorate\n127.0.0.1 new\n# end quorate\n", "10.0.0.10 new\n", "10.0.0.10 new\n"},
		{"both", own + "# begin quorate\n127.0.0.1 new\n127.0.0.1 old\n127.0.0.9 new\n# end quorate\n", "10.0.0.10 new\n127.0.0.1 old\n", "10.0.0.10 new\n"},
		{"another name", own + "# begin quorate\n127.0.0.1 old\n# end quorate\n", "127.0.0.1 old\n10.0.0.10 new\n", "10.0.0.10 new\n"},
	} {
		block := func(lines string) string { return own + "# begin quorate\n" + lines + "# end quorate\n" }
		if got := WithWay(way, tt.text); got != block(tt.in) {
			t.Errorf("%s: %q, want %q", tt.name, got, block(tt.in))
		}
		if got := WithWay(way, WithWay(way, tt.text)); got != WithWay(way, tt.text) {
			t.Errorf("%s: a second time makes %q", tt.name, got)
		}
		if got := WithWayAlone(way, tt.text); got != block(tt.alone) {
			t.Errorf("%s: alone %q, want %q", tt.name, got, block(tt.alone))
		}
	}
	way.Address = netip.Addr{}
	if got := WithWay(way, own+"# begin quorate\n127.0.0.1 new\n# end quorate\n"); got != own {
		t.Errorf("a name that is left to DNS: %q", got)
	}
}
