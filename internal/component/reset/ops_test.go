package reset

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
)

func runtimeOf(h *host.Host) *component.Runtime {
	return &component.Runtime{Hosts: map[string]*host.Host{"cp-1": h}}
}

func silent(string) {}

// tree writes files below root.
func tree(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// left lists the files below root.
func left(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, strings.TrimPrefix(path, root))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The whole removal of files, on a real agent, once and once more.
func TestFilesAreRemovedAndOthersStay(t *testing.T) {
	root := t.TempDir()
	tree(t, root, map[string]string{
		"etc/systemd/system/kubelet.service":                   "# Written by quorate\n",
		"etc/systemd/system/kubelet.service.d/10-kubeadm.conf": "",
		"etc/systemd/system/kubelet.service.d/20-own.conf":     "somebody's own",
		"etc/kubernetes/pki/ca.key":                            "",
		"etc/cni/net.d/10-flannel.conflist":                    "",
		"etc/cni/net.d/99-own.conflist":                        "somebody's own",
		"opt/cni/bin/bridge":                                   "",
		"var/lib/kubelet/pods/1/x":                             "",
		"data/member/wal/0.wal":                                "",
		"data/own":                                             "somebody's own",
		"etc/quorate/reset":                                    "",
		"etc/sysctl.d/90-quorate.conf":                         "",
		"etc/hosts":                                            "127.0.0.1 localhost\n# begin quorate\n10.0.0.1 lb\n# end quorate\n10.0.0.9 own\n",
	})
	var ran []string
	h := hosttest.Agent(t, root, func(_ context.Context, c hosttest.Command) (protocol.RunReply, error) {
		ran = append(ran, strings.Join(c.Argv, " "))
		return protocol.RunReply{}, nil
	})
	in := inputOf(t, nil)
	parts := partsOf(in.Cluster)
	ops := []component.Op{
		data{host: "cp-1", parts: parts},
		programs{host: "cp-1", parts: parts, binaries: []string{"/opt/cni/bin/bridge"}},
		settings{host: "cp-1"},
	}
	for range 2 {
		for _, op := range ops {
			if err := op.Apply(t.Context(), runtimeOf(h), silent); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []string{"/data/own", "/etc/cni/net.d/99-own.conflist", "/etc/hosts", "/etc/systemd/system/kubelet.service.d/20-own.conf"}
	if diff := cmp.Diff(want, left(t, root)); diff != "" {
		t.Errorf("files left (-want +got):\n%s", diff)
	}
	for _, dir := range []string{"opt/cni", "etc/kubernetes", "etc/quorate"} {
		if _, err := os.Stat(filepath.Join(root, dir)); !os.IsNotExist(err) {
			t.Errorf("%s stays: %v", dir, err)
		}
	}
	hosts, err := os.ReadFile(filepath.Join(root, "etc/hosts"))
	if err != nil || string(hosts) != "127.0.0.1 localhost\n10.0.0.9 own\n" {
		t.Errorf("hosts: %q, %v", hosts, err)
	}
	if !slices.Contains(ran, "systemctl daemon-reload") {
		t.Errorf("systemd was not told: %q", ran)
	}
}

// What starts others is stopped before what it starts is ended, and the
// marker is written before anything.
func TestStopOrder(t *testing.T) {
	h, fake := hosttest.New(t, "cp-1")
	fake.Expect("marker", func(c hosttest.Call) bool { return c.Op == protocol.OpWrite }).Reply(protocol.WriteReply{Changed: true})
	fake.Expect("undo", func(c hosttest.Call) bool { return c.Op == protocol.OpUndo }).Reply(protocol.UndoReply{})
	fake.Expect("units", func(c hosttest.Call) bool { return c.Op == protocol.OpUnit }).Any()
	fake.Expect("kill", func(c hosttest.Call) bool { return c.Op == protocol.OpKill }).Any()
	in := inputOf(t, nil)
	if err := (stop{host: "cp-1", parts: partsOf(in.Cluster)}).Apply(t.Context(), runtimeOf(h), silent); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, call := range fake.Calls() {
		switch {
		case strings.HasPrefix(call, "write "):
			order = append(order, "marker")
		case strings.HasPrefix(call, "undo "):
			order = append(order, "faults")
		case strings.HasPrefix(call, "kill "):
			order = append(order, call)
		case strings.Contains(call, `"verb":"stop"`):
			name, _, _ := strings.Cut(strings.SplitAfter(call, `"name":"`)[1], `"`)
			order = append(order, "stop "+name)
		}
	}
	pods := `kill {"cgroups":["/kubepods.slice","/kubepods"]}`
	want := []string{
		"marker", "faults", "stop kubelet.service", pods, "stop kubepods.slice", pods,
		"stop containerd.service", `kill {"cgroups":["/system.slice/containerd.service"],"programs":["/usr/local/bin/containerd-shim-runc-v2"]}`,
		"stop etcd.service", "stop quorate-keepalived.service", "stop quorate-haproxy.service", "stop quorate-nginx.service",
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestNetworkOfAHostWithoutTheTools(t *testing.T) {
	h, fake := hosttest.New(t, "cp-1")
	fake.ExpectFacts(protocol.Facts{Dirs: map[string][]string{linksDir: {"lo", "cni0", "veth1"}, netnsDir: {"cni-1", "own"}}})
	fake.ExpectRemove("/run/netns/cni-1")
	fake.ExpectRun("ip", "link", "delete", "dev", "cni0")
	for _, argv := range [][]string{{"iptables-save"}, {"ip6tables-save"}, {"nft", "list", "tables"}} {
		fake.ExpectRun(argv...).Fail(protocol.KindNotExist, "there is no program %s on the host", argv[0])
	}
	if err := (network{host: "cp-1"}).Apply(t.Context(), runtimeOf(h), silent); err != nil {
		t.Fatal(err)
	}
}

func TestNetworkRemovesOnlyOurTables(t *testing.T) {
	h, fake := hosttest.New(t, "cp-1")
	fake.ExpectFacts(protocol.Facts{})
	fake.ExpectRun("ip", "-4", "route", "flush", "root", "10.233.64.0/18")
	fake.ExpectRun("iptables-save").Reply(protocol.RunReply{Stdout: []byte("*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n*raw\nCOMMIT\n")})
	fake.ExpectRun("iptables-restore", "--noflush")
	fake.ExpectRun("iptables-save").Reply(protocol.RunReply{Stdout: []byte("*mangle\nCOMMIT\n*raw\nCOMMIT\n")})
	fake.ExpectRun("ip6tables-save")
	tables := "table inet own\ntable ip kube-proxy\ntable ip6 flannel-ipv6\ntable ip mangle\ntable ip raw\n"
	var scripts []string
	fake.ExpectRun("nft", "list", "tables").Any().Reply(protocol.RunReply{Stdout: []byte(tables)})
	fake.ExpectRun("nft", "-f", "-").Any().Do(func(c hosttest.Call) (any, error) {
		scripts = append(scripts, string(c.Body))
		return protocol.RunReply{}, nil
	})
	if err := (network{host: "cp-1", pods: "10.233.64.0/18"}).Apply(t.Context(), runtimeOf(h), silent); err != nil {
		t.Fatal(err)
	}
	want := []string{"delete table ip mangle\n", "delete table ip kube-proxy\ndelete table ip6 flannel-ipv6\n"}
	if diff := cmp.Diff(want, scripts); diff != "" {
		t.Errorf("nft (-want +got):\n%s", diff)
	}
}

func TestNetworkOfAnotherKubeletIsLeftAlone(t *testing.T) {
	h, _ := hosttest.New(t, "cp-1") // allows nothing
	if err := (network{host: "cp-1", skip: true}).Apply(t.Context(), runtimeOf(h), silent); err != nil {
		t.Fatal(err)
	}
}
