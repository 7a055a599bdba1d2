package ansible_test

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/config/importtest"
	"github.com/quorate/quorate/internal/diag"
)

// TestAnUntouchedSampleIsQuiet: kubespray's sample with nothing but hosts in it had
// thirteen findings, and the one that matters, that its network plugin is not
// installed, in the middle.
func TestAnUntouchedSampleIsQuiet(t *testing.T) {
	for plugin, first := range map[string]string{"": "the network plugin calico is not installed", "flannel": "NetworkPolicies have no effect", "none": "no network plugin is installed"} {
		o := importtest.Options()
		o.NetworkPlugin = plugin
		_, list := config.Read([]string{"testdata/kubespray-untouched.good"}, o)
		var said []diag.Diagnostic
		for _, d := range list {
			if !strings.Contains(d.Summary, "are examples") { // of this file's addresses, not of the sample
				said = append(said, d)
			}
		}
		if len(said) == 0 || len(said) > 3 || !strings.Contains(said[0].Summary, first) {
			t.Errorf("--network-plugin %q: %d findings, want at most 3, the first that %s:\n%s", plugin, len(said), first, importtest.Printed(t, list))
		}
	}
}
