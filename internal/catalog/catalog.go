// Package catalog knows which versions belong together: for every Kubernetes
// release that Quorate installs, the etcd, containerd, runc, CNI plugins,
// CoreDNS, flannel and pause that go with it, the images and binaries that a
// host needs for its role, and the version skew that Kubernetes allows.
//
// The package is pure: it reads nothing and its answers never change while the
// program runs.
package catalog

import (
	"fmt"
	"strings"
)

// Release is one supported Kubernetes release and everything that goes with
// it. Only Kubernetes carries a leading v, as kubeadm and the cluster file
// write it; the other versions are bare ("3.7.0").
type Release struct {
	Kubernetes   string // "v1.37.1"
	Released     string // when upstream published it, RFC 3339; the build date of its binaries
	Etcd         string // version of the etcd binaries and of the etcd image's content
	EtcdImageTag string // tag that this release's kubeadm asks for: "3.7.0-0"
	Containerd   string
	Runc         string
	CNIPlugins   string
	// FlannelCNI is the version of the CNI plugins release that the flannel
	// CNI plugin (not the daemon) is built from.
	FlannelCNI string
	CoreDNS    string
	Flannel    string
	Pause      string // tag of the sandbox image that this release's kubeadm asks for
	Agnhost    string // Kubernetes' own test image, from the same source
}

// defaultVersion is the newest release that the end-to-end tests pass on.
const defaultVersion = "v1.37.1"

// releases returns the supported releases, newest first. It is a function so
// that no caller can change the table.
func releases() []Release {
	return []Release{
		{
			Kubernetes: "v1.37.1", Released: "2026-09-23T17:06:22Z",
			Etcd: "3.7.0", EtcdImageTag: "3.7.0-0",
			Containerd: "2.3.7", Runc: "1.5.2", CNIPlugins: "1.9.1", FlannelCNI: "0.9.1",
			CoreDNS: "1.14.6", Flannel: "0.28.4", Pause: "3.10.2", Agnhost: "2.66.1",
		},
		{
			Kubernetes: "v1.36.3", Released: "2026-07-22T18:07:38Z",
			Etcd: "3.6.8", EtcdImageTag: "3.6.8-0",
			Containerd: "2.3.7", Runc: "1.5.2", CNIPlugins: "1.9.1", FlannelCNI: "0.9.1",
			CoreDNS: "1.14.2", Flannel: "0.28.4", Pause: "3.10.2", Agnhost: "2.63.0",
		},
		{
			Kubernetes: "v1.35.4", Released: "2026-04-15T18:01:22Z",
			Etcd: "3.6.6", EtcdImageTag: "3.6.6-0",
			Containerd: "2.3.7", Runc: "1.5.2", CNIPlugins: "1.9.1", FlannelCNI: "0.9.1",
			CoreDNS: "1.13.1", Flannel: "0.28.4", Pause: "3.10.1", Agnhost: "2.59",
		},
	}
}

// Default is the Kubernetes version used when the user names none.
func Default() string { return defaultVersion }

// Supported lists the Kubernetes versions that Lookup knows, newest first.
func Supported() []string {
	var versions []string
	for _, r := range releases() {
		versions = append(versions, r.Kubernetes)
	}
	return versions
}

// Lookup returns the release of a Kubernetes version such as "v1.37.1"; the
// leading v may be missing. A minor alone ("v1.37") means its supported patch
// level. The error of an unknown version lists the supported ones.
func Lookup(kubernetes string) (Release, error) {
	want := "v" + strings.TrimPrefix(kubernetes, "v")
	for _, r := range releases() {
		if r.Kubernetes == want || r.Minor() == want {
			return r, nil
		}
	}
	return Release{}, fmt.Errorf("kubernetes %q is not supported; supported are %s",
		kubernetes, strings.Join(Supported(), ", "))
}

// Minor is the release's major and minor version, with its v: "v1.37".
func (r Release) Minor() string {
	return r.Kubernetes[:strings.LastIndexByte(r.Kubernetes, '.')]
}
