package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheLastLineIsWhatTheClusterWillNotHave: whoever read only the summary of a
// valid file did not learn what it asks for in vain.
func TestTheLastLineIsWhatTheClusterWillNotHave(t *testing.T) {
	const file = `apiVersion: kubekey.kubesphere.io/v1alpha2
kind: Cluster
spec:
  hosts: [{name: a, address: 192.0.2.1}]
  roleGroups: {etcd: [a], control-plane: [a], worker: [a]}
  kubernetes: {version: v1.37.1}
  network: {plugin: PLUGIN}
`
	const last = "\nThe file asks for it, and the cluster will not have it: NetworkPolicies (calico), node-local DNS.\n"
	for name, test := range map[string]struct{ plugin, more, ends string }{
		"with losses": {"calico", "  kubernetes: {version: v1.37.1, nodelocaldns: true}\n", last},
		"without":     {"flannel", "", "kube-proxy with nftables\n"},
	} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		text := strings.Replace(file, "PLUGIN", test.plugin, 1)
		if test.more != "" {
			text = strings.Replace(text, "  kubernetes: {version: v1.37.1}\n", test.more, 1)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files := clusterFiles{paths: []string{path}, networkPlugin: "flannel"}
		var out, said bytes.Buffer
		if err := runValidate(t.Context(), validateOptions{files: files, output: "text"}, &out, &said); err != nil || !strings.HasSuffix(out.String(), test.ends) {
			t.Errorf("%s: validate: %v, and it ends otherwise than %q:\n%s%s", name, err, test.ends, said.String(), out.String())
		}
		out.Reset()
		said.Reset()
		if err := runImport(t.Context(), importOptions{files: files}, &out, &said); err != nil || strings.HasSuffix(said.String(), last) != (test.ends == last) {
			t.Errorf("%s: import: %v\n%s", name, err, said.String())
		}
		out.Reset()
		if err := runValidate(t.Context(), validateOptions{files: files, output: "json"}, &out, &said); err != nil || strings.Contains(out.String(), `"lost"`) != (test.ends == last) {
			t.Errorf("%s: validate -o json: %v\n%s", name, err, out.String())
		}
	}
	wrong := clusterFiles{paths: []string{"x"}, networkPlugin: "calico"}
	if _, err := wrong.options(); err == nil || !strings.Contains(err.Error(), "--network-plugin must be flannel or none") {
		t.Errorf("--network-plugin calico: %v", err)
	}
}
