package component

import (
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
)

// HostsFile is where a host looks names up first.
const HostsFile = "/etc/hosts"

// WayRecord holds, on every node, the way by which its kubelet and kube-proxy
// reach the API servers. Both have it from when they were started: it is
// written before that, or after they were seen to use it.
const WayRecord = QuorateDir + "/endpoint"

// HostPodsOwed is on a node while pods on its own network may have a copy of the
// hosts file from before the endpoint's name was put back into it.
const HostPodsOwed = QuorateDir + "/owed/host-pods"

// LostWay reports whether the hosts file of a node that has joined does not lead
// the endpoint's name the way that its kubelet and kube-proxy were given.
func LostWay(facts *protocol.Facts, way cluster.Way) bool {
	has, known := RecordedWay(facts)
	text := facts.Files[HostsFile].Content
	return Joined(facts) && known && has == way && WithWay(way, text) != text
}

// RecordOf is the record of a node that uses a way.
func RecordOf(w cluster.Way) File {
	return File{Path: WayRecord, Content: []byte(w.String() + "\n"), Mode: 0o644}
}

// RecordedWay reads a node's record; false where there is none, as while the
// node is given another way, or none that can be read.
func RecordedWay(facts *protocol.Facts) (cluster.Way, bool) {
	return cluster.ParseWay(facts.Files[WayRecord].Content)
}

// Joined reports whether a node's kubelet was started as one of a cluster: it
// has, and kube-proxy with it, a way to the API servers.
func Joined(facts *protocol.Facts) bool { return facts.Files[KubeletConfig].Exists }

// WithWay returns the text of a hosts file in which the endpoint's name leads this
// way. Other names of Quorate's, as those from before a change, stay.
func WithWay(w cluster.Way, text string) string {
	lines, entry := "", w.Entry()
	for line := range strings.Lines(Block(text)) {
		switch f := strings.Fields(line); {
		case len(f) != 2:
		case f[1] != w.Domain:
			lines += line
		default: // it keeps its place
			lines += entry
			entry = ""
		}
	}
	return ReplaceBlock(text, lines+entry)
}

// WithWayAlone returns the text of a hosts file in which Quorate has no other name than
// the endpoint's.
func WithWayAlone(w cluster.Way, text string) string { return ReplaceBlock(text, w.Entry()) }
