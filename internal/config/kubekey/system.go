package kubekey

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/config/strict"
)

func (m *importer) system(s *system) {
	const from = strict.Path("spec.system")
	m.leaveOut(
		leftOut{from: from.Key("ntpServers"), value: s.NTPServers, follows: "the hosts' clocks are set by what is on them; that they agree is checked before anything is changed",
			hint: "set up chrony or systemd-timesyncd on the hosts"},
		leftOut{from: from.Key("timezone"), value: s.Timezone, follows: "the hosts keep the time zone that they have", hint: "timedatectl set-timezone, on each host"},
		leftOut{from: from.Key("rpms"), value: s.RPMs, follows: "these packages are not installed", hint: "install them on the hosts yourself"},
		leftOut{from: from.Key("debs"), value: s.Debs, follows: "these packages are not installed", hint: "install them on the hosts yourself"},
	)
	if s.SkipConfigureOS {
		m.warn(from.Key("skipConfigureOS"), "`quorate plan` shows each change of a host",
			"system.skipConfigureOS is not taken over: kernel modules, sysctls and the hosts file are set as Kubernetes needs them")
	}
	m.scripts(from.Key("preInstall"), s.PreInstall, "before")
	m.scripts(from.Key("postClusterInstall"), s.PostClusterInstall, "after")
	m.scripts(from.Key("postInstall"), s.PostInstall, "after")
}

// scripts speaks about a list of the user's own scripts.
func (m *importer) scripts(from strict.Path, scripts []script, when string) {
	var names []string
	for i := range scripts {
		if n := strings.TrimSpace(scripts[i].Name); n != "" {
			names = append(names, word(n))
		}
	}
	if len(scripts) == 0 {
		return
	}
	which := ""
	if len(names) > 0 {
		which = fmt.Sprintf(" (%s)", strict.Clip(strings.Join(names, ", ")))
	}
	m.warn(from, "run them yourself "+when+" quorate apply", "%s is not taken over: these scripts are not run%s", name(from), which)
}

func (m *importer) dns(d *dns) {
	const from = strict.Path("spec.dns")
	const edit = "kubectl -n kube-system edit configmap coredns, once the cluster is up"
	const noCache = "there is no DNS cache on each node"
	m.leaveOut(
		leftOut{from: from.Key("dnsEtcHosts"), value: d.DNSEtcHosts, follows: "CoreDNS does not know these names", hint: edit, lost: lostNames},
		leftOut{from: from.Key("nodeEtcHosts"), value: d.NodeEtcHosts, follows: "the hosts' hosts files do not get these lines", hint: "add them to /etc/hosts yourself; Quorate keeps lines that it did not write"},
		leftOut{from: from.Key("coredns.additionalConfigs"), value: d.CoreDNS.AdditionalConfigs, follows: "CoreDNS has kubeadm's configuration", hint: edit, lost: lostNames},
		leftOut{from: from.Key("coredns.externalZones"), value: d.CoreDNS.ExternalZones, follows: "CoreDNS asks the nodes' own resolvers for these zones", hint: edit, lost: lostNames},
		leftOut{from: from.Key("coredns.rewriteBlock"), value: d.CoreDNS.RewriteBlock, follows: "CoreDNS rewrites no names", hint: edit, lost: lostNames},
		leftOut{from: from.Key("coredns.upstreamDNSServers"), value: d.CoreDNS.UpstreamDNSServers, follows: "CoreDNS asks the nodes' own resolvers", hint: edit, lost: lostNames},
		leftOut{from: from.Key("nodelocaldns.externalZones"), value: d.NodeLocalDNS.ExternalZones, follows: noCache, hint: edit, lost: lostCache},
	)
}

func (m *importer) storage(s *storage) {
	const from = strict.Path("spec.storage")
	const none = "no storage class is installed, volumes stay pending"
	const install = "install a storage provisioner once the cluster is up"
	m.leaveOut(
		leftOut{from: from.Key("openebs.basePath"), value: s.OpenEBS.BasePath, harmless: []any{"/var/openebs/local", "/var/openebs"}, follows: none, hint: install, lost: lostStorage},
		leftOut{from: from.Key("defaultStorageClass"), value: s.DefaultStorageClass, follows: none, hint: install, lost: lostStorage},
		leftOut{from: from.Key("localVolume"), value: s.LocalVolume, follows: none, hint: install, lost: lostStorage},
		leftOut{from: from.Key("nfsClient"), value: s.NFSClient, follows: none, hint: install, lost: lostStorage},
		leftOut{from: from.Key("rbd"), value: s.RBD, follows: none, hint: install, lost: lostStorage},
		leftOut{from: from.Key("glusterfs"), value: s.GlusterFS, follows: none, hint: install, lost: lostStorage},
	)
}

// addons speaks about the charts and manifests that KubeKey installs last.
func (m *importer) addons(addons []addon) {
	for i, a := range addons {
		from := strict.Path("spec.addons").Index(i)
		what := "an add-on without a name"
		if a.Name != "" {
			what = "the add-on " + word(a.Name)
		}
		m.lose(from, "install it with helm or kubectl once the cluster is up", lostAddons, "%s is not installed", what)
	}
}
