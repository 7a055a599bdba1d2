package bundle

import (
	"fmt"
	"path"
	"strings"

	"github.com/quorate/quorate/internal/catalog"
)

// goPart is a set of programs that are compiled together from one source
// module.
type goPart struct {
	Name     string // of the part: "kubernetes-1.37"
	Source   string // the folder of its go.mod and go.sum
	Modules  []string
	Programs []program
	Tags     string
	LDFlags  string // besides those that every program gets
	CGO      bool
}

// program is one main package.
type program struct {
	Package string // import path
	Name    string // of the program in the bundle, unique in it
	Version string
}

// goName is the file name that `go build` gives the program.
func (p program) goName() string {
	dir, last := path.Split(p.Package)
	if strings.HasPrefix(last, "v") && strings.Trim(last[1:], "0123456789") == "" {
		return path.Base(dir)
	}
	return last
}

// goParts lists what is compiled for a release, in the order in which it is
// built: the long one first, while the modules of the others are downloaded.
func goParts(r catalog.Release, arch string, extras []string) []goPart {
	parts := []goPart{
		kubernetesPart(r), etcdPart(r), containerdPart(r), corednsPart(r), flannelPart(r, arch),
		runcPart(r), cniPart(r), flannelCNIPart(r),
	}
	for _, extra := range extras {
		if extra == ExtraAgnhost {
			parts = append(parts, agnhostPart(r))
		}
	}
	return parts
}

// kubernetesPart is Kubernetes itself, with the stamps of a release build. The
// commit is not known to a module, so it stays empty.
func kubernetesPart(r catalog.Release) goPart {
	p := goPart{
		Name: "kubernetes-" + bare(r.Kubernetes), Source: "kubernetes-" + bare(r.Minor()),
		Modules: []string{"k8s.io/kubernetes@" + r.Kubernetes},
		Tags:    "selinux,notest,grpcnotrace", LDFlags: kubernetesStamps(r),
		Programs: []program{{Package: "k8s.io/component-base/logs/kube-log-runner", Name: "kube-log-runner", Version: r.Kubernetes}},
	}
	for _, name := range []string{
		"kubeadm", "kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubectl",
	} {
		p.Programs = append(p.Programs, program{Package: "k8s.io/kubernetes/cmd/" + name, Name: name, Version: r.Kubernetes})
	}
	return p
}

// kubernetesStamps sets the version in both packages that hold one: what the
// programs print, and what client-go sends as its user agent.
func kubernetesStamps(r catalog.Release) string {
	major, minor, _ := strings.Cut(bare(r.Minor()), ".")
	var flags []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, stamp := range []struct{ name, value string }{
			{"gitVersion", r.Kubernetes}, {"gitMajor", major}, {"gitMinor", minor},
			{"gitCommit", ""}, {"gitTreeState", "archive"}, {"buildDate", r.Released},
		} {
			flags = append(flags, fmt.Sprintf("-X %s.%s=%s", pkg, stamp.name, stamp.value))
		}
	}
	return strings.Join(flags, " ")
}

// agnhostPart is Kubernetes' test image's program.
func agnhostPart(r catalog.Release) goPart {
	p := kubernetesPart(r)
	p.Name = "agnhost-" + bare(r.Kubernetes)
	p.LDFlags += " -X main.Version=" + r.Agnhost
	p.Programs = []program{{Package: "k8s.io/kubernetes/test/images/agnhost", Name: "agnhost", Version: r.Agnhost}}
	return p
}

// etcdPart is the etcd server and its two tools.
func etcdPart(r catalog.Release) goPart {
	return goPart{
		Name: "etcd-" + r.Etcd, Source: "etcd-" + r.Etcd, Modules: []string{"go.etcd.io/etcd/server/v3@v" + r.Etcd},
		LDFlags: "-X go.etcd.io/etcd/api/v3/version.GitSHA=module",
		Programs: []program{
			{Package: "go.etcd.io/etcd/server/v3", Name: "etcd", Version: r.Etcd},
			{Package: "go.etcd.io/etcd/etcdctl/v3", Name: "etcdctl", Version: r.Etcd},
			{Package: "go.etcd.io/etcd/etcdutl/v3", Name: "etcdutl", Version: r.Etcd},
		},
	}
}

// containerdPart is containerd without the btrfs snapshotter, which would need
// its C library.
func containerdPart(r catalog.Release) goPart {
	const module = "github.com/containerd/containerd/v2"
	p := goPart{
		Name: "containerd-" + r.Containerd, Source: "containerd-" + r.Containerd, Modules: []string{module + "@v" + r.Containerd},
		Tags:    "urfave_cli_no_docs,osusergo,netgo,static_build,no_btrfs",
		LDFlags: fmt.Sprintf("-X %[1]s/version.Version=v%[2]s -X %[1]s/version.Package=%[1]s", module, r.Containerd),
	}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		p.Programs = append(p.Programs, program{Package: module + "/cmd/" + name, Name: name, Version: r.Containerd})
	}
	return p
}

// runcPart is runc with seccomp, which is a C library.
func runcPart(r catalog.Release) goPart {
	const module = "github.com/opencontainers/runc"
	return goPart{
		Name: "runc-" + r.Runc, Source: "runc-" + r.Runc, Modules: []string{module + "@v" + r.Runc},
		Tags: "seccomp,netgo,osusergo,urfave_cli_no_docs", LDFlags: staticLink, CGO: true,
		Programs: []program{{Package: module, Name: "runc", Version: r.Runc}},
	}
}

// cniPart is the CNI project's plugins that nodes get.
func cniPart(r catalog.Release) goPart {
	const module = "github.com/containernetworking/plugins"
	p := goPart{
		Name: "cni-" + r.CNIPlugins, Source: "cni-" + r.CNIPlugins, Modules: []string{module + "@v" + r.CNIPlugins},
		LDFlags: "-X " + module + "/pkg/utils/buildversion.BuildVersion=v" + r.CNIPlugins,
	}
	kinds := map[string]string{"bridge": "main", "loopback": "main", "host-local": "ipam", "static": "ipam"}
	for _, name := range catalog.CNIPluginNames() {
		kind := kinds[name]
		if kind == "" {
			kind = "meta"
		}
		p.Programs = append(p.Programs, program{
			Package: module + "/plugins/" + kind + "/" + name, Name: "cni-" + name, Version: r.CNIPlugins,
		})
	}
	return p
}

// flannelCNIPart is the CNI plugin that reads the node's subnet from the flannel
// daemon and hands the rest over to bridge. It comes from the last release of
// the CNI project that had it; the plugins that it calls are the current ones.
func flannelCNIPart(r catalog.Release) goPart {
	const module = "github.com/containernetworking/plugins"
	return goPart{
		Name: "flannel-cni-" + r.FlannelCNI, Source: "flannel-cni-" + r.FlannelCNI,
		Modules:  []string{module + "@v" + r.FlannelCNI},
		LDFlags:  "-X " + module + "/pkg/utils/buildversion.BuildVersion=v" + r.FlannelCNI,
		Programs: []program{{Package: module + "/plugins/meta/flannel", Name: "cni-flannel", Version: r.FlannelCNI}},
	}
}

// corednsPart is CoreDNS with the plugins that the source module's main.go
// names.
func corednsPart(r catalog.Release) goPart {
	source := "coredns-" + r.CoreDNS
	return goPart{
		Name: source, Source: source, Modules: []string{"github.com/coredns/coredns@v" + r.CoreDNS},
		Programs: []program{{Package: "quorate.dev/source/" + source, Name: "coredns", Version: r.CoreDNS}},
	}
}

// flannelPart is the flannel daemon. As upstream does, only amd64 gets the C
// code of the old udp backend.
func flannelPart(r catalog.Release, arch string) goPart {
	const module = "github.com/flannel-io/flannel"
	p := goPart{
		Name: "flannel-" + r.Flannel, Source: "flannel-" + r.Flannel, Modules: []string{module + "@v" + r.Flannel},
		Tags: "netgo,osusergo", LDFlags: "-X " + module + "/pkg/version.Version=v" + r.Flannel,
		Programs: []program{{Package: module, Name: "flanneld", Version: r.Flannel}},
	}
	if arch == "amd64" {
		p.CGO, p.LDFlags = true, p.LDFlags+" "+staticLink
	}
	return p
}

// staticLink makes a program with C code static, without the linker's build
// id, which depends on where it was linked.
const staticLink = `-extldflags "-static -Wl,--build-id=none"`

// bare is a version without its leading v.
func bare(version string) string { return strings.TrimPrefix(version, "v") }
