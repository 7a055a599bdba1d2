package kube

import (
	"cmp"
	"context"
	"regexp"
	"strconv"

	"github.com/quorate/quorate/internal/host"
)

// APIServerManifest is on hosts that were told to run an API server.
const APIServerManifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"

var securePortIn = regexp.MustCompile(`--secure-port=([0-9]+)`)

// PortIn is the port on which the manifest of an API server has it listen; 0 for none.
func PortIn(manifest string) int {
	m := securePortIn.FindStringSubmatch(manifest)
	if m == nil {
		return 0
	}
	port, err := strconv.Atoi(m[1])
	if err != nil {
		return 0 // no port has so many digits
	}
	return port
}

// portOf is where a host's API server listens: where its manifest says, which may be
// another port than the cluster file's, or else as it is to be.
func portOf(ctx context.Context, h *host.Host, e EndpointInfo) int {
	manifest, err := h.ReadFile(ctx, APIServerManifest)
	if err != nil {
		return e.Port // who asks there is told the rest
	}
	return cmp.Or(PortIn(string(manifest)), e.Port)
}
