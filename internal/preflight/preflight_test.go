package preflight_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/preflight"
	"github.com/quorate/quorate/internal/state"
)

// told are the warnings and errors of a report, one a line, with their checks.
func told(r preflight.Report) []string {
	var out []string
	for _, c := range r.Checks {
		for _, f := range c.Findings {
			if f.Status == preflight.Warning || f.Status == preflight.Error {
				out = append(out, fmt.Sprintf("%s %s: %s", f.Status, c.Name, f.Summary))
			}
		}
	}
	return out
}

// Every case makes something wrong with hosts that are fit, and must find just
// that: no other check may be disturbed by it.
func TestChecks(t *testing.T) {
	tests := map[string]struct {
		change func(world)
		want   []string
	}{
		"all is well": {func(world) {}, nil},
		"host off": {
			func(w world) { w.barrier("node-1", state.BarrierSilence, "dialling 22: no route to host") },
			[]string{"error reachable: node-1 cannot be reached: dialling 22: no route to host"},
		},
		"host key": {
			func(w world) { w.barrier("cp-2", state.BarrierHostKey, "THE KEY HAS CHANGED") },
			[]string{"error host-key: cp-2: THE KEY HAS CHANGED"},
		},
		"login": {
			func(w world) { w.barrier("cp-2", state.BarrierLogin, "the server does not let user root in") },
			[]string{"error login: cp-2: the server does not let user root in"},
		},
		"sudo": {
			func(w world) { w.barrier("cp-2", state.BarrierSudo, "user op may not use sudo") },
			[]string{"error sudo: cp-2: user op may not use sudo"},
		},
		"agent": {
			func(w world) { w.barrier("cp-2", state.BarrierAgent, "no space") },
			[]string{"error agent: cp-2: no space"},
		},
		"not observed at all": {
			func(w world) { delete(w.Snapshot.Hosts, "node-2") },
			[]string{"error agent: node-2 was not observed"},
		},
		"unknown parts": {
			func(w world) { w.facts("cp-1").Unknown = map[string]string{"images": "ctr took too long"} },
			[]string{"error observed: cp-1: its images could not be observed: ctr took too long"},
		},
		"distribution": {
			func(w world) { w.facts("cp-1").OS = protocol.OS{ID: "alpine", PrettyName: "Alpine 3.20"} },
			[]string{"error os: cp-1 runs Alpine 3.20, which is not supported"},
		},
		"architecture": {
			func(w world) {
				w.facts("node-1").Arch = "arm64"
				w.Cluster.Host("node-1").Arch = "amd64"
			},
			[]string{
				"error arch: node-1 is arm64, but the cluster file says amd64",
				"error arch: node-1 is arm64, but the bundle is for amd64",
			},
		},
		"bundle of another version": {
			func(w world) { w.Artefacts.Kubernetes = "v1.30.0" },
			[]string{"error bundle: the bundle is for Kubernetes v1.30.0, but the cluster file asks for v1.37.1"},
		},
		"no bundle": {
			func(w world) { w.Artefacts = nil },
			[]string{"error bundle: there is no bundle of Kubernetes v1.37.1, and hosts lack what it holds"},
		},
		"kernels": {
			func(w world) {
				w.facts("cp-1").Kernel = "4.18.0-553.el8.x86_64"
				w.facts("cp-2").Kernel = "5.10.0-30-amd64"
				w.facts("cp-3").Kernel = "unheard of"
				w.facts("lb-1").Kernel = "3.10.0"
			},
			[]string{
				"error kernel: the kernel 4.18.0-553.el8.x86_64 of cp-1 is too old: Kubernetes needs 4.19",
				"error kernel: the kernel 5.10.0-30-amd64 of cp-2 is too old for kube-proxy's nftables mode, which needs 5.13",
				`warning kernel: the kernel "unheard of" of cp-3 is of no known form`,
			},
		},
		"modules": {
			func(w world) {
				for _, name := range []string{"cp-1", "node-1"} {
					w.facts(name).Modules = map[string]bool{}
				}
				w.probes("cp-1", func(p *preflight.HostProbes) {
					p.Loadable = map[string]bool{"overlay": true, "br_netfilter": true, "vxlan": true}
				})
				w.probes("node-1", func(p *preflight.HostProbes) {
					p.Loadable = map[string]bool{"overlay": true, "br_netfilter": false, "vxlan": false}
				})
			},
			[]string{
				"error modules: node-1 has no module br_netfilter for its kernel 6.1.0-42-amd64; it is needed for services reached from pods of the same host",
				"warning modules: node-1 shows no module vxlan, which flannel's network between hosts needs",
			},
		},
		"control groups": {
			func(w world) {
				w.facts("cp-1").Cgroup = "hybrid"
				w.facts("cp-1").Files["/proc/cgroups"] = protocol.File{Content: "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\ncpuset\t1\t1\t1\nmemory\t0\t1\t0\npids\t2\t1\t1\n"}
				w.facts("cp-2").Cgroup = "v1"
				w.facts("cp-3").Files["/sys/fs/cgroup/cgroup.controllers"] = protocol.File{Content: "cpu io memory pids\n"}
			},
			[]string{
				"error cgroup: the kernel of cp-1 has the control group controllers memory switched off",
				"warning cgroup: cp-2 has control groups of version 1 (v1), which Kubernetes is about to drop",
				"error cgroup: the kernel of cp-3 has the control group controllers cpuset switched off",
			},
		},
		"small machines": {
			func(w world) {
				w.facts("cp-1").CPUs, w.facts("node-1").CPUs = 1, 1
				w.facts("cp-2").MemoryBytes, w.facts("node-2").MemoryBytes, w.facts("lb-1").MemoryBytes = 900<<20, 500<<20, 500<<20
			},
			[]string{
				"error cpu: cp-1 has 1 CPU; a control-plane host needs 2",
				"error memory: cp-2 has 900 MB of memory; a control-plane host needs 1700 MB",
				"warning memory: node-2 has 500 MB of memory, which leaves little for pods",
			},
		},
		"disks": {
			func(w world) {
				w.facts("cp-1").Disks["/var/lib/etcd"] = protocol.Disk{MountPoint: "/var/lib/etcd", Type: "ext4", Available: 100 << 20}
				w.facts("cp-2").Disks["/usr/local/bin"] = protocol.Disk{MountPoint: "/usr/local/bin", ReadOnly: true, Available: 50 << 30}
				w.facts("cp-3").Disks["/var/lib/etcd"] = protocol.Disk{MountPoint: "/var/lib/etcd", Type: "tmpfs", Available: 50 << 30}
				w.facts("node-1").Disks["/var/lib/containerd"] = protocol.Disk{MountPoint: "/var/lib/containerd", Type: "nfs4", Available: 50 << 30}
			},
			[]string{
				"error disk: cp-1 has 100 MB free at /var/lib/etcd; 500 MB are needed",
				"error disk: the file system at /usr/local/bin of cp-2 is read-only",
				"error disk-type: etcd's data at /var/lib/etcd of cp-3 would lie in memory (tmpfs) and be lost with its power",
				"warning disk-type: containers' file systems cannot be made on nfs4, which /var/lib/containerd of node-1 lies on",
			},
		},
		"ports": {
			func(w world) {
				w.facts("cp-1").Listening = []protocol.Listener{{Address: "::", Port: 6443, Process: "nginx"}, {Port: 10259}}
				w.facts("node-1").Listening = []protocol.Listener{{Port: 10250, Process: "java"}, {Port: 2379}}
			},
			[]string{
				"error ports-free: port 6443 of cp-1 is in use by nginx",
				"error ports-free: port 10259 of cp-1 is in use",
				"error ports-free: port 10250 of node-1 is in use by java",
			},
		},
		// The user's balancer may run on the control-plane hosts, in front of their API servers.
		"ports beside a balancer": {
			func(w world) {
				w.Cluster.Endpoint.Port = 443
				w.Cluster.Endpoint.LoadBalancer = cluster.LoadBalancer{Mode: cluster.BalancerExternal, VIP: netip.MustParseAddr("10.0.0.100")}
				w.facts("cp-1").Listening = []protocol.Listener{{Address: "0.0.0.0", Port: 443, Process: "haproxy"}}
				w.facts("cp-2").Listening = []protocol.Listener{{Address: "10.0.0.100", Port: 443, Process: "nginx"}}
				w.facts("cp-3").Listening = []protocol.Listener{{Address: "::", Port: 443, Process: "nginx"}}
				w.facts("node-1").Listening = []protocol.Listener{{Address: "::", Port: 443, Process: "nginx"}}
			},
			[]string{"error ports-free: port 443 of cp-3 is in use by nginx"},
		},
		"packages": {
			func(w world) {
				for _, name := range []string{"cp-1", "cp-2", "cp-3"} {
					delete(w.facts(name).Packages, "conntrack")
				}
				w.Artefacts.Files = []bundle.File{{Kind: bundle.KindOSPackage, OS: "debian-12", Name: "conntrack", NeededBy: []string{"conntrack"}}}
				w.facts("cp-2").OS.Version, w.facts("cp-3").OS.Version = "13", "13"
				w.facts("cp-2").Candidates = map[string]string{"conntrack": "1.4"}
			},
			[]string{"error packages: cp-3 needs conntrack, which neither the bundle nor its package sources have"},
		},
		"package sources silent": {
			func(w world) {
				delete(w.facts("node-1").Packages, "haproxy")
				w.facts("node-1").CandidatesError = "exit code 100"
			},
			[]string{"warning packages: node-1 needs haproxy, and its package sources could not be asked: exit code 100"},
		},
		"swap": {
			func(w world) {
				w.facts("node-1").Swap, w.facts("lb-1").Swap = []string{"/dev/sda2"}, []string{"/dev/sda2"}
			},
			[]string{"warning swap: node-1 swaps on /dev/sda2; apply turns it off, and comments it out in /etc/fstab"},
		},
		"other runtimes": {
			func(w world) {
				w.facts("cp-1").Units["docker.service"] = protocol.Unit{Load: "loaded", Active: "active"}
				w.facts("cp-2").Units["crio.service"] = protocol.Unit{Load: "loaded", Active: "inactive"}
				w.facts("cp-3").Units["containerd.service"] = protocol.Unit{Load: "loaded", Active: "active"}
				w.facts("node-1").Units["containerd.service"] = protocol.Unit{Load: "loaded", Active: "active"}
				w.facts("node-1").Files["/etc/systemd/system/containerd.service"] = protocol.File{Exists: true, Content: "# Written by quorate; …\n"}
				w.facts("node-2").Units["docker.service"] = protocol.Unit{Load: "not-found", Active: "inactive"}
			},
			[]string{
				"error container-runtime: cp-1 runs Docker (docker.service)",
				"warning container-runtime: cp-2 has CRI-O installed (crio.service), which does not run",
				"error container-runtime: cp-3 runs a containerd that is not Quorate's (containerd.service)",
			},
		},
		"other clusters": {
			func(w world) {
				w.facts("cp-1").Files["/etc/kubernetes/kubelet.conf"] = protocol.File{Exists: true}
				w.facts("cp-1").Dirs["/etc/kubernetes/manifests"] = []string{"kube-apiserver.yaml"}
				w.facts("cp-2").Files["/var/lib/etcd/member"] = protocol.File{Exists: true, Dir: true}
				w.facts("node-1").Units["k3s-agent.service"] = protocol.Unit{Load: "loaded", Active: "active"}
			},
			[]string{
				"error existing-cluster: cp-1 belongs to a Kubernetes cluster that Quorate did not build: it has /etc/kubernetes/kubelet.conf",
				"error existing-cluster: cp-2 has etcd data at /var/lib/etcd/member that is not Quorate's",
				"error existing-cluster: node-1 has K3s installed (k3s-agent.service)",
			},
		},
		"a cluster of ours": {
			func(w world) {
				for _, name := range []string{"cp-1", "cp-2", "cp-3"} {
					f := w.facts(name)
					for _, path := range []string{"/etc/systemd/system/kubelet.service", "/etc/systemd/system/etcd.service"} {
						f.Files[path] = protocol.File{Exists: true, Content: "# Written by quorate; …\n"}
					}
					f.Files["/etc/kubernetes/kubelet.conf"] = protocol.File{Exists: true}
					f.Files["/var/lib/etcd/member"] = protocol.File{Exists: true, Dir: true}
					f.Files["/etc/quorate/kubeadm.yaml"] = protocol.File{Exists: true}
					f.Files["/etc/kubernetes/pki/ca.crt"] = protocol.File{Exists: true, Certificates: "a"}
				}
				// A unit that was changed by hand makes no other cluster of it.
				w.joined("node-1", "a")
				w.facts("node-1").Files["/etc/systemd/system/kubelet.service"] = protocol.File{Exists: true, Content: "[Unit]\n"}
				w.joined("node-2", "") // its copy of the CA is lost
			},
			nil,
		},
		"workers of other clusters": {
			func(w world) {
				w.facts("cp-1").Files["/etc/kubernetes/pki/ca.crt"] = protocol.File{Exists: true, Certificates: "a"}
				w.joined("node-1", "b")
				w.facts("node-1").Files["/etc/quorate/haproxy/haproxy.cfg"] = protocol.File{Exists: true, Content: "# Written by quorate\n# For one: this node's way to the API servers.\n"}
				w.joined("node-2", "c")
				w.facts("node-2").Files["/etc/quorate/nginx/nginx.conf"] = protocol.File{Exists: true, Content: "# Written by quorate\n# This node's way to the API servers of prod.\n"}
			},
			[]string{
				"error same-cluster: node-1 belongs to cluster one: its CA is not that of cp-1",
				"error same-cluster: node-2 belongs to another cluster: its CA is not that of cp-1",
			},
		},
		"a worker of another cluster, and a control plane that is not built": {
			func(w world) { w.joined("node-1", "") },
			[]string{"error same-cluster: node-1 belongs to another cluster: it has joined one, and the control plane of this file is not built yet"},
		},
		"etcd data of a membership that does not know the host": {
			func(w world) {
				w.facts("cp-1").Files["/etc/systemd/system/etcd.service"] = protocol.File{Exists: true, Content: "# Written by quorate; …\n"}
				w.facts("cp-1").Files["/var/lib/etcd/member"] = protocol.File{Exists: true, Dir: true}
				w.Snapshot.Etcd["cp-2"] = state.EtcdMember{Members: []state.EtcdPeer{{ID: "1", Name: "cp-2", PeerURLs: []string{"https://10.0.0.2:2380"}, ClientURLs: []string{"x"}}}}
			},
			[]string{"error existing-cluster: cp-1 holds etcd data at /var/lib/etcd, but the cluster does not list it as a member"},
		},
		"two etcd clusters": {
			func(w world) {
				for i, name := range []string{"cp-1", "cp-2", "cp-3"} {
					id, of := fmt.Sprint(i+1), min(i, 1)
					w.facts(name).Files["/etc/systemd/system/etcd.service"] = protocol.File{Exists: true, Content: "# Written by quorate; …\n"}
					w.facts(name).Files["/var/lib/etcd/member"] = protocol.File{Exists: true, Dir: true}
					w.Snapshot.Etcd[name] = state.EtcdMember{
						ID: id, Leader: []string{"1", "2"}[of], ClusterID: []string{"7", "8"}[of], Revision: 5,
						Members: []state.EtcdPeer{{ID: "2", Name: "cp-2", PeerURLs: []string{"https://10.0.0.2:2380"}, ClientURLs: []string{"x"}}},
					}
				}
			},
			[]string{"error etcd-members: the members belong to 2 etcd clusters: A (cp-2, cp-3, revision 5), B (cp-1, revision 5)"},
		},
		"an etcd member of nobody's": {
			func(w world) {
				w.facts("cp-1").Files["/etc/systemd/system/etcd.service"] = protocol.File{Exists: true, Content: "# Written by quorate; …\n"}
				w.facts("cp-1").Files["/var/lib/etcd/member"] = protocol.File{Exists: true, Dir: true}
				w.Snapshot.Etcd["cp-1"] = state.EtcdMember{ID: "1", Leader: "1", Members: []state.EtcdPeer{
					{ID: "1", Name: "cp-1", PeerURLs: []string{"https://10.0.0.1:2380"}, ClientURLs: []string{"x"}},
					{ID: "9", PeerURLs: []string{"https://10.0.0.99:2380"}, Learner: true},
				}}
			},
			[]string{"warning etcd-members: etcd lists the learner 10.0.0.99, which is not in the cluster file and never started; while it is there, no other member can be added"},
		},
		"other addresses": {
			func(w world) {
				w.facts("cp-1").Files["/etc/quorate/kubeadm.yaml"] = protocol.File{Exists: true}
				w.facts("cp-1").Files["/var/lib/etcd/member"] = protocol.File{Exists: true, Dir: true}
				for _, name := range []string{"cp-1", "node-1", "node-2"} {
					w.joined(name, "a")
				}
				w.facts("cp-1").Files["/var/lib/kubelet/kubeadm-flags.env"] = protocol.File{Exists: true, Content: `KUBELET_KUBEADM_ARGS="--node-ip=10.0.0.71 --pod-infra-container-image=x"`}
				w.facts("node-2").Files["/var/lib/kubelet/kubeadm-flags.env"] = protocol.File{Exists: true, Content: `KUBELET_KUBEADM_ARGS="--node-ip=10.0.0.5"`}
				w.Snapshot.API = &state.API{Nodes: map[string]state.Node{"node-1": {InternalIP: "10.0.0.74"}}}
				w.Snapshot.Etcd["cp-2"] = state.EtcdMember{Members: []state.EtcdPeer{{ID: "1", Name: "cp-1", PeerURLs: []string{"https://10.0.0.71:2380"}, ClientURLs: []string{"x"}}}}
			},
			[]string{
				"error address: cp-1 has joined the cluster with the address 10.0.0.71, and the file gives it 10.0.0.1",
				"error address: node-1 has joined the cluster with the address 10.0.0.74, and the file gives it 10.0.0.4",
			},
		},
		"another address of a host that runs etcd only": {
			func(w world) {
				w.Cluster.Host("cp-3").Roles = []cluster.Role{cluster.RoleEtcd}
				w.facts("cp-3").Files["/var/lib/etcd/member"] = protocol.File{Exists: true, Dir: true}
				w.Snapshot.Etcd["cp-3"] = state.EtcdMember{ID: "1", Leader: "1", Members: []state.EtcdPeer{
					{ID: "1", Name: "cp-3", PeerURLs: []string{"https://10.0.0.73:2380"}, ClientURLs: []string{"x"}},
				}}
			},
			[]string{"error address: cp-3 has joined the cluster with the address 10.0.0.73, and the file gives it 10.0.0.3"},
		},
		"what comes back at the next boot": {
			func(w world) {
				file := func(content string) protocol.File { return protocol.File{Exists: true, Content: content} }
				files := w.facts("cp-1").Files
				files["/etc/sysctl.d/99-cis.conf"] = file("# hardened\n-net/ipv4/ip_forward = 0\nfs.inotify.max_user_instances=128\n")
				files["/usr/lib/sysctl.d/99-cis.conf"] = file("net.bridge.bridge-nf-call-iptables=0\n") // the other of its name comes first
				files["/etc/sysctl.d/10-first.conf"] = file("net.ipv4.ip_forward=0\n")
				files["/run/sysctl.d/95-more.conf"] = file("net.bridge.bridge-nf-call-ip6tables=1\nfs.inotify.max_user_instances=65536\n;net.ipv4.ip_forward=0\n")
				files = w.facts("node-1").Files
				zram := "/run/systemd/generator/swap.target.requires/dev-zram0.swap"
				files[zram] = file("[Swap]\nWhat=/dev/zram0\n")
				files["/run/systemd/generator/swap.target.requires/dev-sda2.swap"] = file("[Unit]\nSourcePath=/etc/fstab\n")
				files["/etc/systemd/system/multi-user.target.wants/swapfile.swap"] = file("[Swap]\n")
				files["/etc/systemd/system/unused.swap"] = file("[Swap]\n")
				files = w.facts("node-2").Files
				files[zram] = file("[Swap]\n")
				files["/etc/systemd/system/dev-zram0.swap"] = protocol.File{Exists: true} // masked
			},
			[]string{
				"error sysctl-files: at the next boot of cp-1, /etc/sysctl.d/99-cis.conf sets fs.inotify.max_user_instances to 128",
				"error sysctl-files: at the next boot of cp-1, /etc/sysctl.d/99-cis.conf sets net.ipv4.ip_forward to 0",
				"error swap-units: swap is on again after the next boot of node-1, and its kubelet does not start: dev-zram0.swap, swapfile.swap",
			},
		},
		"who else manages the network": {
			func(w world) {
				for _, name := range []string{"cp-1", "node-1"} {
					w.facts(name).Units["NetworkManager.service"] = protocol.Unit{Load: "loaded", Active: "active"}
				}
				w.facts("node-1").Files["/etc/NetworkManager/conf.d/pods.conf"] = protocol.File{Exists: true, Content: "[keyfile]\nunmanaged-devices=interface-name:cni*;interface-name:flannel*\n"}
				w.facts("node-2").Units["firewalld.service"] = protocol.Unit{Load: "loaded", Active: "active"}
				w.facts("cp-2").Units["firewalld.service"] = protocol.Unit{Load: "loaded", Active: "inactive"}
			},
			[]string{
				"warning network-manager: NetworkManager of cp-1 is not told to leave the pod network's interfaces alone: it may take their addresses and routes away",
				"warning firewalld: firewalld runs on node-2: it keeps ports closed that the hosts need between each other, and takes away rules of the pod network when it is loaded anew",
			},
		},
		"the operator's clock": {
			func(w world) {
				for _, h := range w.Snapshot.Hosts {
					h.Clock = -2*time.Hour + time.Second
				}
				w.Snapshot.Hosts["cp-1"].Clock = -2 * time.Hour
			},
			[]string{"error operator-clock: the clock of this machine, where quorate runs, is 1h59m59s ahead of those of all hosts"},
		},
		"the operator's clock, a little": {
			func(w world) {
				for _, h := range w.Snapshot.Hosts {
					h.Clock = time.Minute
				}
			},
			[]string{"warning operator-clock: the clock of this machine, where quorate runs, is 1m0s behind those of all hosts"},
		},
		"a hosts file that cloud-init writes anew": {
			func(w world) {
				const text = "# Your system has configured 'manage_etc_hosts' as True.\n127.0.0.1 localhost\n"
				for _, name := range []string{"cp-1", "node-1", "lb-1"} {
					w.facts(name).Files["/etc/hosts"] = protocol.File{Exists: true, Content: text}
				}
				w.facts("cp-1").Files["/etc/cloud/cloud-init.disabled"] = protocol.File{Exists: true}
			},
			[]string{"error hosts-file: cloud-init writes /etc/hosts of node-1 anew at each boot: the node would not find the API servers after one"},
		},
		"pod networks of others": {
			func(w world) {
				w.facts("cp-1").Dirs["/etc/cni/net.d"] = []string{"00-readme.txt", "10-flannel.conflist", "87-podman-bridge.conflist"}
				w.facts("node-1").Dirs["/etc/cni/net.d"] = []string{"05-old.conflist", "10-flannel.conflist"}
			},
			[]string{"error cni: node-1 has 05-old.conflist in /etc/cni/net.d, which containerd takes before the cluster's own 10-flannel.conflist"},
		},
		"CAs of different clusters": {
			func(w world) {
				w.facts("cp-1").Files["/etc/kubernetes/pki/ca.crt"] = protocol.File{Exists: true, Certificates: "b"}
				w.facts("cp-2").Files["/etc/kubernetes/pki/ca.crt"] = protocol.File{Exists: true, Certificates: "a"}
				w.facts("cp-3").Files["/etc/kubernetes/pki/ca.crt"] = protocol.File{Exists: true, Certificates: "b"}
			},
			[]string{"error same-cluster: control-plane hosts are of different clusters, their CAs differ: cp-1, cp-3 against cp-2"},
		},
		"name servers": {
			func(w world) {
				w.facts("cp-1").Resolv = []string{"127.0.0.53"}
				w.facts("cp-2").Resolv = []string{"127.0.0.53"}
				w.facts("cp-2").Units["systemd-resolved.service"] = protocol.Unit{Load: "loaded", Active: "active"}
				w.facts("cp-2").Files["/run/systemd/resolve/resolv.conf"] = protocol.File{Exists: true}
				w.facts("cp-3").Resolv = nil
				w.facts("node-1").Resolv = []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}
			},
			[]string{
				"error dns: the name server of cp-1 is 127.0.0.53, its own: in a pod that address is the pod, and CoreDNS would ask itself",
				"warning dns: cp-3 has no name server",
				"warning dns: node-1 has 4 name servers; pods get the first 3",
			},
		},
		"names": {
			func(w world) {
				w.Cluster.Endpoint.LoadBalancer = cluster.LoadBalancer{Mode: cluster.BalancerExternal, VIPHost: "lb.example.org"}
				w.probes("cp-1", func(p *preflight.HostProbes) { p.Names["lb.example.org"] = preflight.Lookup{Error: "no such name"} })
				w.probes("cp-2", func(p *preflight.HostProbes) {
					p.Names["lb.example.org"] = preflight.Lookup{Addresses: []string{"10.0.0.9"}}
				})
			},
			[]string{"error dns: cp-1 cannot resolve lb.example.org, the balancer in front of the API servers: no such name"},
		},
		"slow disks": {
			func(w world) {
				slow := func(name string, p99 time.Duration) {
					w.probes(name, func(p *preflight.HostProbes) {
						p.Fsync = &preflight.Fsync{P50: 2 * time.Millisecond, P99: p99, Max: p99, Writes: 300}
					})
				}
				slow("cp-1", 14*time.Millisecond)
				slow("cp-2", 140*time.Millisecond)
				w.probes("cp-3", func(p *preflight.HostProbes) { p.Fsync = &preflight.Fsync{Error: "no space left on device"} })
			},
			[]string{
				"warning etcd-fsync: synced writes at /var/lib/etcd of cp-1: p99 14.0 ms, p50 2.0 ms, longest 14.0 ms, of 300; p99 below 10ms is wanted",
				"error etcd-fsync: synced writes at /var/lib/etcd of cp-2: p99 140.0 ms, p50 2.0 ms, longest 140.0 ms, of 300; that is longer than a heartbeat (100ms)",
				"warning etcd-fsync: the disk of cp-3 could not be measured: no space left on device",
			},
		},
		"far apart": {
			func(w world) { w.Probes.RoundTrips[2].Took = 120 * time.Millisecond },
			[]string{"error etcd-rtt: the longest round trip between etcd's hosts is 120.0 ms (cp-1 to cp-2); the election timeout 1s is less than ten of them: leaders would be lost for nothing"},
		},
		"heartbeat too short": {
			func(w world) {
				w.Cluster.Etcd.Election = 5 * time.Second
				w.Probes.RoundTrips[0].Took = 120 * time.Millisecond
			},
			[]string{"warning etcd-rtt: the longest round trip between etcd's hosts is 120.0 ms (cp-2 to cp-1); the heartbeat 100ms is shorter"},
		},
		"one machine twice": {
			func(w world) {
				a, b := w.facts("node-1"), w.facts("node-2")
				b.MachineID, b.BootID = a.MachineID, a.BootID
			},
			[]string{
				"error same-machine: node-1 and node-2 are the same machine (machine-id machine-node-1)",
				"warning machine-id: node-1 and node-2 have the same machine-id, as copies of one disk do: they may get the same address by DHCP",
			},
		},
		"copies of one virtual machine": {
			func(w world) {
				a, b := w.facts("cp-1"), w.facts("cp-2")
				b.MachineID, b.ProductUUID, b.Hostname, b.Interfaces[1].MAC = a.MachineID, a.ProductUUID, a.Hostname, a.Interfaces[1].MAC
				w.facts("node-2").Hostname = "NODE-1"
			},
			[]string{
				"error hostname: cp-1 and cp-2 have the same hostname cp-1: their API servers would take each other's lease",
				"warning hostname: node-1 and node-2 have the same hostname node-1",
				"warning machine-id: cp-1 and cp-2 have the same machine-id, as copies of one disk do: they may get the same address by DHCP",
				"warning product-uuid: cp-1 and cp-2 have the same product UUID uuid-cp-1, which Kubernetes wants to be unique",
				"error mac-address: cp-1 and cp-2 have the same hardware address 02:00:00:00:00:01: packets to one reach the other",
			},
		},
		"hosts inside one kernel": {
			func(w world) {
				for i := range w.Cluster.Hosts {
					f := w.facts(w.Cluster.Hosts[i].Name)
					f.ProductUUID, f.BootID = "one", "one"
				}
			},
			nil,
		},
		"clocks far apart": {
			func(w world) { w.Snapshot.Hosts["cp-3"].Clock = 3 * time.Minute },
			[]string{"error clock-skew: the hosts' clocks are 3m0s apart: cp-1 +0s, cp-2 +0s, cp-3 +180s, node-1 +0s, node-2 +0s, lb-1 +0s, lb-2 +0s"},
		},
		"clocks somewhat apart": {
			func(w world) {
				w.Snapshot.Hosts["cp-3"].Clock, w.Snapshot.Hosts["cp-3"].ClockWithin = -2*time.Second, 100*time.Millisecond
			},
			[]string{"warning clock-skew: the hosts' clocks are 2s apart: cp-1 +0s, cp-2 +0s, cp-3 -2s, node-1 +0s, node-2 +0s, lb-1 +0s, lb-2 +0s"},
		},
		"a clock that is read slowly": {
			func(w world) {
				w.Snapshot.Hosts["cp-3"].Clock, w.Snapshot.Hosts["cp-3"].ClockWithin = -2*time.Second, 3*time.Second
			},
			nil,
		},
		"clock left alone": {
			func(w world) { *w.facts("cp-1").NTPSynced = false; w.facts("cp-2").NTPSynced = nil },
			[]string{"warning clock-sync: nothing keeps the clock of cp-1 right"},
		},
		"packets dropped": {
			func(w world) {
				w.drop("cp-2", 2380, "cp-1", "cp-3")
				w.drop("cp-2", 10250, "cp-1")
				w.drop("node-1", 8472, "cp-2")
			},
			[]string{
				"error connectivity: cp-1, cp-3 cannot connect to cp-2:2380 (etcd's peers): no answer; something drops the packets",
				"error connectivity: cp-1 cannot connect to cp-2:10250 (the kubelet): no answer; something drops the packets",
				"error connectivity: cp-2 cannot reach node-1:8472/udp (the pods' network): no answer; something drops the packets",
			},
		},
		"somebody is working on the hosts": {
			func(w world) { w.Probes.NoListeners, w.Probes.Paths = "cp-1: op@desk is working on it", nil },
			[]string{"warning connectivity: ports that nobody listens on were not tried: cp-1: op@desk is working on it"},
		},
		"a part that does not listen": {
			func(w world) {
				w.paths("cp-1", 6443, func(p *preflight.Path) {
					p.Listener, p.Connected, p.Whole, p.Error = preflight.ListenerNone, false, false, "connect: connection refused"
				})
			},
			[]string{"warning connectivity: cp-1:6443 (the API server) is installed and does not listen; tried from cp-2, cp-3, node-1, node-2: the connection is refused"},
		},
		"an address that is not the host's": {
			func(w world) {
				w.facts("cp-3").Interfaces[1].Addresses = []string{"10.1.0.3/24"}
				for _, port := range []int{2379, 2380, 6443, 10250, 8472} {
					w.paths("cp-3", port, func(p *preflight.Path) {
						*p = preflight.Path{From: p.From, To: p.To, What: p.What, Listener: preflight.ListenerFailed, Error: "listen tcp 10.0.0.3:2380: bind: cannot assign requested address"}
					})
				}
			},
			[]string{"error connectivity: cp-3 cannot listen on 10.0.0.3: cannot assign requested address"},
		},
		"full packets vanish": {
			func(w world) {
				w.paths("cp-2", 2379, func(p *preflight.Path) {
					p.Whole, p.Error = false, "connected to 10.0.0.2:2379 but no answer came: i/o timeout"
				})
			},
			[]string{
				"error mtu: cp-1 connects to cp-2:2379, but packets of full size do not come through: connected to 10.0.0.2:2379 but no answer came: i/o timeout",
				"error mtu: cp-3 connects to cp-2:2379, but packets of full size do not come through: connected to 10.0.0.2:2379 but no answer came: i/o timeout",
			},
		},
		"sizes of packets": {
			func(w world) { w.facts("node-2").Interfaces[1].MTU = 9000 },
			[]string{"warning mtu: the hosts' interfaces have different MTUs: 1500 on cp-1, cp-2, cp-3, node-1, lb-1, lb-2; 9000 on node-2"},
		},
		"a VIP that is free":         {func(w world) { w.managed() }, nil},
		"a VIP that a carrier holds": {func(w world) { w.managed(); w.hold("lb-2") }, nil},
		"a VIP that somebody has": {
			func(w world) {
				w.managed()
				w.probes("lb-1", func(p *preflight.HostProbes) {
					p.VIP = &preflight.VIPAnswer{MAC: "02:00:00:00:00:aa", Ports: []int{22}}
				})
				w.probes("lb-2", func(p *preflight.HostProbes) { p.VIP = &preflight.VIPAnswer{MAC: "02:00:00:00:00:aa"} })
			},
			[]string{"error vip: somebody answers at the virtual address 10.0.0.100 already: 02:00:00:00:00:aa, seen from lb-1, lb-2"},
		},
		"a VIP that another host of the file has": {
			func(w world) {
				w.managed()
				w.hold("node-1")
				w.probes("lb-1", func(p *preflight.HostProbes) { p.VIP = &preflight.VIPAnswer{MAC: "02:00:00:00:00:04"} })
			},
			[]string{"error vip: somebody answers at the virtual address 10.0.0.100 already: node-1 (02:00:00:00:00:04), seen from lb-1"},
		},
		"a VIP that somebody had": {
			func(w world) {
				w.managed()
				w.probes("lb-1", func(p *preflight.HostProbes) {
					p.VIP = &preflight.VIPAnswer{MAC: "02:00:00:00:00:aa", MACBefore: "02:00:00:00:00:aa"}
				})
			},
			[]string{"warning vip: lb-1 remembers 02:00:00:00:00:aa for 10.0.0.100, and nobody answers there now"},
		},
		"a VIP that could not be tried": {
			func(w world) {
				w.managed()
				w.probes("lb-1", func(p *preflight.HostProbes) { p.VIP = &preflight.VIPAnswer{Error: "the connection was lost"} })
			},
			[]string{"warning vip: whether 10.0.0.100 is free could not be told: lb-1: the connection was lost"},
		},
		"a VIP of another subnet": {
			func(w world) {
				w.managed()
				w.Cluster.Endpoint.LoadBalancer.VIP = netip.MustParseAddr("10.0.1.100")
				w.facts("lb-2").Interfaces = append(w.facts("lb-2").Interfaces, protocol.Interface{Name: "eth1", MTU: 1500, Addresses: []string{"10.0.1.2/24"}})
			},
			[]string{"error vip: 10.0.1.100 is in no subnet of lb-1 (10.0.0.0/24 on eth0)"},
		},
		"a VIP that is no address of a host": {
			func(w world) {
				w.managed()
				w.Cluster.Endpoint.LoadBalancer.VIP = netip.MustParseAddr("10.0.0.255")
			},
			[]string{
				"error vip: 10.0.0.255 is the network's or the broadcast address of 10.0.0.0/24, a subnet of lb-1",
				"error vip: 10.0.0.255 is the network's or the broadcast address of 10.0.0.0/24, a subnet of lb-2",
			},
		},
		"a VIP on an interface that is not there": {
			func(w world) {
				w.managed()
				w.Cluster.Endpoint.LoadBalancer.Interface = "eth7"
				w.facts("lb-1").Interfaces[1].Name = "eth7"
			},
			[]string{"error vip: lb-2 has no interface eth7 with an address"},
		},
	}
	found := map[string]bool{}
	for _, test := range tests {
		for _, line := range test.want {
			_, rest, _ := strings.Cut(line, " ")
			name, _, _ := strings.Cut(rest, ":")
			found[name] = true
		}
	}
	for _, c := range preflight.Checks() {
		if !found[c.Name] {
			t.Errorf("no case has the check %s find anything", c.Name)
		}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := fit(t)
			test.change(w)
			r := preflight.Judge(w.Observation, nil)
			if d := cmp.Diff(test.want, told(r)); d != "" {
				t.Errorf("what was found (-want +got):\n%s", d)
			}
			wantErrors := slices.ContainsFunc(test.want, func(s string) bool { return strings.HasPrefix(s, "error") })
			if r.OK == wantErrors {
				t.Errorf("OK is %v", r.OK)
			}
			if got := r.Counts.OK + r.Counts.Warnings + r.Counts.Errors + r.Counts.Skipped; got != r.Counts.Total || got != len(r.Checks) {
				t.Errorf("the counts %+v do not add up to %d checks", r.Counts, len(r.Checks))
			}
			for _, c := range r.Checks {
				for _, f := range c.Findings {
					if f.Status == preflight.Error && f.Hint == "" && c.Name != "host-key" && c.Name != "login" && c.Name != "sudo" && c.Name != "agent" {
						t.Errorf("no hint for %s: %s", c.Name, f.Summary)
					}
				}
			}
		})
	}
}

// hold puts the virtual address on a host's interface.
func (w world) hold(host string) {
	in := &w.facts(host).Interfaces[1]
	in.Addresses = append(in.Addresses, vip.String()+"/32")
}
