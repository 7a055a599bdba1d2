package catalog

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"
)

// kubeletSkew is how many minor versions a kubelet may be older than an API
// server that it can reach.
const kubeletSkew = 3

// CheckKubelet reports whether a kubelet of one version may work with an API
// server of another: never newer, at most three minors older. The error says
// which of the two to change.
func CheckKubelet(kubelet, apiServer string) error {
	k, a, err := parsePair(kubelet, apiServer)
	if err != nil {
		return err
	}
	switch {
	case k.Major() != a.Major():
		return fmt.Errorf("kubelet %s and API server %s differ in major version", kubelet, apiServer)
	case k.Minor() > a.Minor():
		return fmt.Errorf("kubelet %s is newer than API server %s; upgrade every control-plane node first", kubelet, apiServer)
	case a.Minor()-k.Minor() > kubeletSkew:
		return fmt.Errorf("kubelet %s is more than %d minor versions older than API server %s; upgrade the kubelet first",
			kubelet, kubeletSkew, apiServer)
	}
	return nil
}

// CheckUpgrade reports whether a control plane may go from one version to the
// other in one step: any newer patch level, or the next minor. Downgrades and
// skipped minors are refused, as kubeadm refuses them.
func CheckUpgrade(from, to string) error {
	f, t, err := parsePair(from, to)
	if err != nil {
		return err
	}
	switch {
	case t.LessThan(f):
		return fmt.Errorf("kubernetes %s is older than the running %s; a control plane cannot be downgraded", to, from)
	case t.Major() != f.Major() || t.Minor() > f.Minor()+1:
		return fmt.Errorf("kubernetes %s to %s skips a minor version; upgrade to v%d.%d first", from, to, f.Major(), f.Minor()+1)
	}
	return nil
}

// parsePair parses two versions with or without a leading v.
func parsePair(a, b string) (*version.Version, *version.Version, error) {
	va, err := version.ParseSemantic(a)
	if err != nil {
		return nil, nil, fmt.Errorf("parsing version %q: %w", a, err)
	}
	vb, err := version.ParseSemantic(b)
	if err != nil {
		return nil, nil, fmt.Errorf("parsing version %q: %w", b, err)
	}
	return va, vb, nil
}
