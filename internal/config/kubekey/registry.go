package kubekey

import (
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/config/strict"
)

// dockerHub is the registry that KubeKey's mirrors are for.
const dockerHub = "docker.io"

func (m *importer) registry(r *registry) {
	const from, to = strict.Path("spec.registry"), strict.Path("spec.registry")
	out := &m.doc.Spec.Registry
	m.mirrors(from.Key("registryMirrors"), r.RegistryMirrors)
	m.texts(to.Key("insecure"), &out.Insecure, from.Key("insecureRegistries"), withoutSchemes(r.InsecureRegistries))
	for _, host := range m.inFileOrder(from.Key("auths"), slices.Collect(maps.Keys(r.Auths))) {
		m.auth(from.Key("auths").Key(host), host, r.Auths[host])
	}
	const folders = "images and containers are in containerd's usual folder, /var/lib/containerd"
	const mount = "mount a disk there before the install"
	m.leaveOut(
		leftOut{from: from.Key("privateRegistry"), value: r.PrivateRegistry, follows: "Kubernetes' images come from the bundle, and nothing is pulled from it in their place",
			hint: "name it in the images of your own workloads"},
		leftOut{from: from.Key("namespaceOverride"), value: r.NamespaceOverride, follows: "Kubernetes' images come from the bundle, under their own names"},
		leftOut{from: from.Key("namespaceRewrite"), value: r.NamespaceRewrite, follows: "Kubernetes' images come from the bundle, under their own names"},
		leftOut{from: from.Key("remoteMirrors"), value: r.RemoteMirrors, follows: "images are pulled from where they are named", hint: "name mirrors of Docker Hub in registryMirrors"},
		leftOut{from: from.Key("type"), value: r.Type, follows: "no image registry is installed", hint: "set one up yourself", lost: lostHub},
		leftOut{from: from.Key("port"), value: r.Port, follows: "no image registry is installed", hint: "set one up yourself"},
		leftOut{from: from.Key("registryDataDir"), value: r.RegistryDataDir, follows: "no image registry is installed", hint: "set one up yourself"},
		leftOut{from: from.Key("dataRoot"), value: r.DataRoot, harmless: []any{"/var/lib/containerd"}, follows: folders, hint: mount},
		leftOut{from: from.Key("containerdDataDir"), value: r.ContainerdDataDir, harmless: []any{"/var/lib/containerd"}, follows: folders, hint: mount},
		leftOut{from: from.Key("dockerDataDir"), value: r.DockerDataDir, harmless: []any{"/var/lib/docker"}, follows: folders, hint: mount},
		leftOut{from: from.Key("bridgeIP"), value: r.BridgeIP, follows: "it is for Docker's bridge, and containerd has none"},
	)
}

// mirrors imports the mirrors of Docker Hub.
func (m *importer) mirrors(from strict.Path, mirrors []string) {
	const to = strict.Path("spec.registry.mirrors")
	var list []string
	m.texts(to.Key(dockerHub), &list, from, mirrors)
	if len(list) > 0 {
		m.doc.Spec.Registry.Mirrors = map[string][]string{dockerHub: list}
		m.ours.Set(to, m.place(from))
	}
}

// withoutSchemes are registries by their names alone.
func withoutSchemes(addresses []string) []string {
	names := slices.Clone(addresses)
	for i := range names {
		names[i] = strict.WithoutScheme(names[i])
	}
	return names
}

// auth speaks about how to log in to a registry. Whether its TLS counts is
// taken over; who to log in as is not.
func (m *importer) auth(from strict.Path, host string, a auth) {
	insecure := &m.doc.Spec.Registry.Insecure
	host = strict.WithoutScheme(host)
	if (a.SkipTLSVerify || a.PlainHTTP) && !slices.Contains(*insecure, host) {
		m.add("spec.registry.insecure", insecure, from, host)
		m.ours.Set(strict.Path("spec.registry.insecure").Index(len(*insecure)-1), m.theirs.PlaceOf(from).Called("registry.auths"))
	}
	if isEmpty(a.Username) && isEmpty(a.Password) && isEmpty(a.CertsPath) && !a.SkipTLSVerify && !a.PlainHTTP {
		m.warn(from, "remove it", "registry.auths says nothing about %s", word(host))
		return
	}
	if !isEmpty(a.Username) || !isEmpty(a.Password) {
		m.lose(from, "give your workloads an imagePullSecret: kubectl create secret docker-registry", lostLogin,
			"registry.auths: nodes do not log in to %s: pods that pull from it need a secret", word(host))
	}
	if !isEmpty(a.CertsPath) {
		m.warn(from.Key("certsPath"), "add the registry's CA to the hosts' trusted ones",
			"registry.auths: the certificates for %s are not taken over: its certificate must be one that the hosts trust", word(strings.TrimSpace(host)))
	}
}
