package kubekey

import (
	"cmp"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/config/strict"
)

// cniV4 imports the network.
func (m *importer) cniV4(c *cniV4) {
	const from, to = strict.Path("spec.cni"), strict.Path("spec.network")
	out := &m.doc.Spec.Network
	plugin := c.Type
	if plugin == "other" {
		plugin = "none"
	}
	m.plugin(from.Key("type"), plugin)
	m.cidr(to.Key("podCIDR"), &out.PodCIDR, from.Key("pod_cidr"), c.PodCIDR)
	m.cidr(to.Key("serviceCIDR"), &out.ServiceCIDR, from.Key("service_cidr"), c.ServiceCIDR)
	set(m, "spec.kubernetes.nodeCIDRMaskSize", &m.doc.Spec.Kubernetes.NodeCIDRMaskSize, from.Key("ipv4_mask_size"), c.IPv4MaskSize)
	const notThePlugin = "no such plugin is installed, or it has no such settings here"
	m.leaveOut(
		leftOut{from: from.Key("ipv6_mask_size"), value: c.IPv6MaskSize, harmless: []any{64}, follows: "clusters of this version are IPv4 only"},
		leftOut{from: from.Key("multi_cni"), value: c.MultiCNI, harmless: []any{"none"}, follows: "pods have one network interface", hint: onceUp, lost: lostMulti},
		leftOut{from: from.Key("multus"), value: c.Multus, follows: "pods have one network interface", hint: onceUp, lost: lostMulti},
		leftOut{from: from.Key("spiderpool"), value: c.Spiderpool, follows: "pods have one network interface", hint: onceUp, lost: lostMulti},
		leftOut{from: from.Key("calico"), value: c.Calico, follows: notThePlugin},
		leftOut{from: from.Key("cilium"), value: c.Cilium, follows: notThePlugin},
		leftOut{from: from.Key("flannel"), value: c.Flannel, follows: notThePlugin},
		leftOut{from: from.Key("kubeovn"), value: c.KubeOVN, follows: notThePlugin},
		leftOut{from: from.Key("hybridnet"), value: c.Hybridnet, follows: notThePlugin},
	)
}

// criV4 imports what concerns the container runtime.
func (m *importer) criV4(c *criV4) {
	const from, to = strict.Path("spec.cri"), strict.Path("spec.registry")
	m.containerManager(from.Key("container_manager"), c.ContainerManager)
	mirrors := slices.Clone(c.Registry.Mirrors)
	for i, mirror := range mirrors {
		if strings.TrimSuffix(mirror, "/") == "https://registry-1.docker.io" {
			mirrors[i] = "" // Docker Hub itself, KubeKey's default
		}
	}
	m.mirrors(from.Key("registry.mirrors"), mirrors)
	m.texts(to.Key("insecure"), &m.doc.Spec.Registry.Insecure, from.Key("registry.insecure_registries"), c.Registry.InsecureRegistries)
	for i, a := range c.Registry.Auths {
		at, registry := from.Key("registry.auths").Index(i), cmp.Or(a.Registry, a.Repo)
		certificates := cmp.Or(a.CACert, a.CAFile, a.CertFile, a.KeyFile)
		m.auth(at, registry, auth{
			Username: a.Username, Password: a.Password, SkipTLSVerify: a.SkipTLSVerify, PlainHTTP: a.PlainHTTP, CertsPath: certificates,
		})
		if !a.PlainHTTP && !m.theirs.Given(at.Key("skip_tls_verify")) {
			m.warn(at, "write skip_tls_verify: true if it is one that the hosts do not trust, or false",
				"registry.auths: the certificate of %s is verified, which KubeKey does only with skip_tls_verify: false", word(strict.WithoutScheme(registry)))
		}
	}
	m.leaveOut(
		leftOut{from: from.Key("cgroup_driver"), value: c.CgroupDriver, harmless: []any{"systemd"}, follows: "the cgroup driver is systemd"},
		leftOut{from: from.Key("cri_socket"), value: c.CRISocket, harmless: []any{"unix:///run/containerd/containerd.sock", "unix:///var/run/containerd/containerd.sock"},
			follows: "the kubelet talks to containerd, at unix:///run/containerd/containerd.sock"},
		leftOut{from: from.Key("docker"), value: c.Docker, follows: "Docker is not installed"},
		leftOut{from: from.Key("containerd"), value: c.Containerd, follows: "containerd has Quorate's configuration", hint: "mirrors and insecure registries are taken over from cri.registry"},
	)
}

// dnsV4 imports what concerns names.
func (m *importer) dnsV4(d *dnsV4) {
	const from = strict.Path("spec.dns")
	set(m, "spec.kubernetes.dnsDomain", &m.doc.Spec.Kubernetes.DNSDomain, from.Key("domain"), d.Domain)
	const noCache = "pods ask the cluster's DNS service itself, there is no cache on each node"
	m.leaveOut(
		leftOut{from: from.Key("nodelocaldns.enabled"), value: d.NodeLocalDNS.Enabled, follows: noCache, hint: "install NodeLocal DNSCache once the cluster is up, if it is needed", lost: lostCache},
		leftOut{from: from.Key("nodelocaldns.ip"), value: d.NodeLocalDNS.IP, harmless: []any{"169.254.25.10"}, follows: noCache},
		leftOut{from: from.Key("coredns.ip"), value: d.CoreDNS.IP, follows: "the DNS service has the tenth address of the service network"},
		leftOut{from: from.Key("coredns.dns_etc_hosts"), value: d.CoreDNS.DNSEtcHosts, follows: "CoreDNS does not know these names", hint: editDNS, lost: lostNames},
		leftOut{from: from.Key("coredns.zone_configs"), value: d.CoreDNS.ZoneConfigs, follows: "CoreDNS has kubeadm's configuration", hint: editDNS, lost: lostNames},
	)
}

// hostsV4 speaks about what KubeKey does on the hosts beside the cluster.
func (m *importer) hostsV4(s *configSpec) {
	const native, storage = strict.Path("spec.native"), strict.Path("spec.storage_class")
	m.leaveOut(
		leftOut{from: native.Key("ntp.servers"), value: s.Native.NTP.Servers, follows: "the hosts' clocks are set by what is on them; that they agree is checked before anything is changed", hint: "set up chrony or systemd-timesyncd on the hosts"},
		leftOut{from: native.Key("ntp.enabled"), value: s.Native.NTP.Enabled, follows: "the hosts' clocks are set by what is on them; that they agree is checked before anything is changed", hint: "set up chrony or systemd-timesyncd on the hosts"},
		leftOut{from: native.Key("timezone"), value: s.Native.Timezone, follows: "the hosts keep the time zone that they have", hint: "timedatectl set-timezone, on each host"},
		leftOut{from: native.Key("nfs"), value: s.Native.NFS, follows: "no NFS server is installed", hint: "set the server up yourself"},
		leftOut{from: native.Key("set_hostname"), value: s.Native.SetHostname, follows: "the hosts keep their names; the nodes are called as they are here", hint: "hostnamectl set-hostname, on each host"},
		leftOut{from: native.Key("localDNS"), value: s.Native.LocalDNS, harmless: []any{[]any{"/etc/hosts"}}, follows: "names are written to /etc/hosts alone"},
		leftOut{from: storage.Key("local"), value: enabled(s.StorageClass.Local), follows: "no storage class is installed, volumes stay pending", hint: "install a storage provisioner once the cluster is up", lost: lostStorage},
		leftOut{from: storage.Key("nfs"), value: enabled(s.StorageClass.NFS), follows: "no storage class is installed, volumes stay pending", hint: "install a storage provisioner once the cluster is up", lost: lostStorage},
	)
}

// enabled is a block of settings, or nothing when the block says that it is off.
func enabled(block map[string]any) any {
	if on, ok := block["enabled"]; block == nil || ok && isEmpty(on) {
		return nil
	}
	return block
}
