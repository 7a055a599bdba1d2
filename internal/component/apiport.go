package component

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/kube"
)

// APIServerManifest is on hosts that were told to run an API server.
const APIServerManifest = kube.APIServerManifest

// The settings of what balances.
const (
	HAProxyFile = QuorateDir + "/haproxy/haproxy.cfg"
	NginxFile   = QuorateDir + "/nginx/nginx.conf"
)

// APIPort is the port that a host's API server was told to listen on; 0 where none
// was told anything. It needs the content of APIServerManifest among the facts.
func APIPort(facts *protocol.Facts) int { return kube.PortIn(facts.Files[APIServerManifest].Content) }

// BalancedPorts are the ports on which what balances on a host was told to serve the
// endpoint. It needs the contents of HAProxyFile and NginxFile among the facts.
func BalancedPorts(facts *protocol.Facts) []int {
	var out []int
	note := func(settings, section, word string) {
		_, text, _ := strings.Cut(settings, section)
		text, _, _ = strings.Cut(text, "\n\n")
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			if len(f) < 2 || f[0] != word {
				continue
			}
			if at, err := netip.ParseAddrPort(f[1]); err == nil && !slices.Contains(out, int(at.Port())) {
				out = append(out, int(at.Port()))
			}
		}
	}
	note(facts.Files[HAProxyFile].Content, "\nfrontend kube-apiserver\n", "bind")
	note(facts.Files[NginxFile].Content, "\n  server {\n", "listen")
	slices.Sort(out)
	return out
}
