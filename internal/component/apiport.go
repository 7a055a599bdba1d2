package component

import (
	"regexp"
	"strconv"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// What holds, on a control-plane host, the port that its API server does not have,
// while the cluster's API servers are given another one.
const (
	RelayUnit     = "quorate-relay.service"
	RelayUnitFile = "/etc/systemd/system/" + RelayUnit
	// RelayProgram is a copy of the agent.
	RelayProgram = "/usr/local/lib/quorate/relay"
)

// APIServerManifest is on hosts that were told to run an API server.
const APIServerManifest = ManifestsDir + "/kube-apiserver.yaml"

var securePortIn = regexp.MustCompile(`--secure-port=([0-9]+)`)

// APIPort is the port that a host's API server was told to listen on; 0 where none
// was told anything. It needs the content of APIServerManifest among the facts.
func APIPort(facts *protocol.Facts) int {
	m := securePortIn.FindStringSubmatch(facts.Files[APIServerManifest].Content)
	if m == nil {
		return 0
	}
	port, err := strconv.Atoi(m[1])
	if err != nil {
		return 0 // no port has so many digits
	}
	return port
}
