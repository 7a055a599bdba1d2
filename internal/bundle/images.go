package bundle

import (
	"io/fs"

	"github.com/quorate/quorate/internal/catalog"
)

// imageSpec says what an image is made of.
type imageSpec struct {
	Name       string // full
	Version    string // of its content
	Layers     []layerSpec
	Entrypoint []string
	Cmd        []string
	User       string
}

// layerSpec is one layer: either the userland of OS packages or a list of
// files.
type layerSpec struct {
	Name     string // unique among the layers of a bundle
	Userland bool
	Files    []imageFile
}

// imageFile is one entry of a layer; exactly one of Program, Text, Link and
// Dir says what it is.
type imageFile struct {
	Path    string // without a leading slash
	Mode    fs.FileMode
	Program string // a compiled program's name
	Text    string
	Link    string
	Dir     bool
}

// baseLayer is what upstream's distroless base has and programs look for.
func baseLayer() layerSpec {
	return layerSpec{Name: "base", Files: []imageFile{
		{Path: "etc/passwd", Mode: 0o644, Text: "root:x:0:0:root:/root:/sbin/nologin\n" +
			"nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n" +
			"nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"},
		{Path: "etc/group", Mode: 0o644, Text: "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n"},
		{Path: "etc/nsswitch.conf", Mode: 0o644, Text: "hosts: files dns\n"},
		{Path: "tmp", Mode: 0o777 | fs.ModeSticky, Dir: true},
	}}
}

// goRunnerLayer is the program that starts Kubernetes' components in
// upstream's images.
func goRunnerLayer() layerSpec {
	return layerSpec{Name: "go-runner", Files: []imageFile{{Path: "go-runner", Mode: 0o755, Program: "kube-log-runner"}}}
}

// userlandLayer is the tools that change a host's packet filter.
func userlandLayer() layerSpec { return layerSpec{Name: "userland", Userland: true} }

// programLayer holds programs in one directory.
func programLayer(dir string, programs ...string) layerSpec {
	layer := layerSpec{Name: programs[0]}
	for _, name := range programs {
		layer.Files = append(layer.Files, imageFile{Path: dir + name, Mode: 0o755, Program: name})
	}
	return layer
}

// imageSpecs lists the images of a release: what kubeadm asks for, flannel,
// and the extras.
func imageSpecs(r catalog.Release, extras []string) []imageSpec {
	component := func(name, program string) imageSpec {
		return imageSpec{
			Name: name, Version: r.Kubernetes, Entrypoint: []string{"/go-runner"},
			Layers: []layerSpec{baseLayer(), goRunnerLayer(), programLayer("usr/local/bin/", program)},
		}
	}
	proxy := component(r.ProxyImage(), "kube-proxy")
	proxy.Layers = []layerSpec{baseLayer(), userlandLayer(), goRunnerLayer(), programLayer("usr/local/bin/", "kube-proxy")}
	etcd := programLayer("usr/local/bin/", "etcd", "etcdctl", "etcdutl")
	etcd.Files = append(etcd.Files, imageFile{Path: "var/lib/etcd", Mode: 0o700, Dir: true})
	specs := []imageSpec{
		component(r.APIServerImage(), "kube-apiserver"),
		component(r.ControllerManagerImage(), "kube-controller-manager"),
		component(r.SchedulerImage(), "kube-scheduler"),
		proxy,
		{
			Name: r.CoreDNSImage(), Version: r.CoreDNS, Entrypoint: []string{"/coredns"},
			Layers: []layerSpec{baseLayer(), programLayer("", "coredns")},
		},
		{
			Name: r.PauseImage(), Version: r.Pause, Entrypoint: []string{"/pause"}, User: "65535:65535",
			Layers: []layerSpec{programLayer("", pauseName)},
		},
		{
			Name: r.EtcdImage(), Version: r.Etcd, Cmd: []string{"/usr/local/bin/etcd"},
			Layers: []layerSpec{baseLayer(), etcd},
		},
		{
			Name: r.FlannelImage(), Version: r.Flannel, Entrypoint: []string{"/opt/bin/flanneld"},
			Layers: []layerSpec{baseLayer(), userlandLayer(), programLayer("opt/bin/", "flanneld")},
		},
	}
	for _, extra := range extras {
		if extra == ExtraAgnhost {
			specs = append(specs, agnhostImage(r))
		}
	}
	return specs
}

// agnhostImage is the test image's program alone; the shell tools that
// upstream adds for other tests are left out.
func agnhostImage(r catalog.Release) imageSpec {
	layer := programLayer("", "agnhost")
	layer.Files = append(layer.Files,
		imageFile{Path: "agnhost-2", Link: "agnhost"},
		imageFile{Path: "uploads", Mode: 0o755, Dir: true},
	)
	return imageSpec{
		Name: r.AgnhostImage(), Version: r.Agnhost, Entrypoint: []string{"/agnhost"}, Cmd: []string{"pause"},
		Layers: []layerSpec{baseLayer(), layer},
	}
}
