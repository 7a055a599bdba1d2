package catalog

import (
	"slices"
	"strings"
	"testing"
)

// TestFlags checks that the flags of every version are known, of every program,
// with some that all have, and that those which are long gone are not among them.
func TestFlags(t *testing.T) {
	for _, version := range Supported() {
		for program, has := range map[string]string{
			"kube-apiserver": "audit-policy-file", "kube-controller-manager": "node-monitor-grace-period",
			"kube-scheduler": "leader-elect", "kubelet": "max-pods",
		} {
			flags := Flags(version, program)
			for _, flag := range []string{has, "v", "feature-gates", "log-json-split-stream"} {
				if !slices.Contains(flags, flag) {
					t.Errorf("%s of %s has no flag %s", program, version, flag)
				}
			}
			for _, gone := range []string{"insecure-port", "logtostderr", "network-plugin", "pod-eviction-timeout", "container-runtime"} {
				if slices.Contains(flags, gone) {
					t.Errorf("%s of %s still has the flag %s", program, version, gone)
				}
			}
			if i := slices.IndexFunc(flags, func(flag string) bool { return strings.Contains(flag, "_") }); i >= 0 {
				t.Errorf("%s of %s: nobody writes the flag %s so", program, version, flags[i])
			}
			if !slices.IsSorted(flags) {
				t.Errorf("the flags of %s of %s are not sorted", program, version)
			}
		}
		text, err := flagFiles.ReadFile("flags/kubernetes-" + minorOf(version) + ".txt")
		want := "# The flags of Kubernetes " + version + "'s programs, as its own sources say; made by hack/component-flags.\n"
		if first, _, _ := strings.Cut(string(text), "\n"); err != nil || first+"\n" != want {
			t.Errorf("%s: the list of its flags begins with %q (%v), want %q: run hack/component-flags %s", version, first, err, want, minorOf(version))
		}
	}
	if Flags("v1.20.0", "kubelet") != nil || Flags("v1.37.1", "kubectl") != nil || Flags("x", "") != nil {
		t.Error("flags of what is not known")
	}
}
