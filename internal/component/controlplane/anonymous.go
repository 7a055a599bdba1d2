package controlplane

import (
	_ "embed"
	"slices"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
)

const (
	// authenticationFile is on the control-plane hosts of a cluster without
	// anonymous access.
	authenticationFile = component.KubernetesDir + "/authentication.yaml"
	argAuthentication  = "authentication-config"
)

//go:embed authentication.yaml
var authentication []byte

// anonymousOff is the flag by which a user asks for no anonymous access.
var anonymousOff = cluster.Arg{Name: "anonymous-auth", Value: "false"}

// noAnonymous reports whether the user asks for no anonymous access. The flag
// itself would also close /livez and /readyz: the kubelet, which has no
// credentials for them, would end every API server again and again, and all
// balancers would take all of them out. A file says the same and leaves these
// open. One of the user's own says it in its own way.
func noAnonymous(c *cluster.Cluster) bool {
	args := c.Kubernetes.APIServerArgs
	return slices.Contains(args, anonymousOff) &&
		!slices.ContainsFunc(args, func(a cluster.Arg) bool { return a.Name == argAuthentication })
}

// authenticationFiles are the files by which the API servers of a cluster tell
// who calls, beyond kubeadm's.
func authenticationFiles(c *cluster.Cluster) []component.File {
	if !noAnonymous(c) {
		return nil
	}
	return []component.File{{Path: authenticationFile, Content: authentication, Mode: 0o644}}
}

// AuthenticationFile is the path of that file for the template; empty for none.
func (s settings) AuthenticationFile() string {
	if noAnonymous(s.Cluster) {
		return authenticationFile
	}
	return ""
}
