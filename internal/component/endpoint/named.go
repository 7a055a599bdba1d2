package endpoint

import (
	"regexp"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// named are the lines in which a proxy's settings name the cluster that it is for.
var named = map[string]*regexp.Regexp{
	haproxyFile: regexp.MustCompile(`(?m)^# For ([a-z0-9.-]{1,253}): `),
	nginxFile:   regexp.MustCompile(`(?m)^# This node's way to the API servers of ([a-z0-9.-]{1,253})\.$`),
}

// ClusterNamed is the cluster that a node's own proxy is for; empty where the node
// has none, or it does not tell.
func ClusterNamed(facts *protocol.Facts) string {
	for path, line := range named {
		if found := line.FindStringSubmatch(facts.Files[path].Content); found != nil {
			return found[1]
		}
	}
	return ""
}
