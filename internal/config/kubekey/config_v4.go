package kubekey

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/config/strict"
)

// What follows, of many of KubeKey 4's settings alike.
const (
	fromBundle = "the bundle has the versions and images that belong to the Kubernetes version"
	ownWork    = "it is about KubeKey's own work"
	noRegistry = "no image registry is installed, and Kubernetes' images come from the bundle"
	noRenewing = "no timer on the hosts renews certificates; the control plane's are valid for a year"
	noBackups  = "no timer on the hosts saves etcd's data"
	ownCA      = "Quorate makes the cluster's authorities itself"
)

// What to do instead.
const (
	renewWay      = "quorate apply renews those that end within 30 days, and quorate status tells when they end: run apply from a timer of your own"
	backUp        = "save it yourself: etcdctl snapshot save, by a timer of your own"
	onceUp        = "install it once the cluster is up"
	editDNS       = "kubectl -n kube-system edit configmap coredns, once the cluster is up"
	setUpRegistry = "set the registry up yourself, and name it in the images of your own workloads"
)

// config imports KubeKey 4's settings.
func (m *importer) config(s *configSpec) {
	m.endpointV4(&s.Kubernetes)
	m.kubernetesV4(&s.Kubernetes)
	m.etcdV4(&s.Etcd)
	m.cniV4(&s.CNI)
	m.criV4(&s.CRI)
	m.dnsV4(&s.DNS)
	m.hostsV4(s)
	const registry = strict.Path("spec.image_registry")
	r := &s.ImageRegistry
	m.leaveOut(
		leftOut{from: registry.Key("type"), value: r.Type, follows: noRegistry, hint: setUpRegistry, lost: lostHub},
		leftOut{from: registry.Key("ha_vip"), value: r.HAVIP, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("auth.registry"), value: r.Auth.Registry, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("auth.username"), value: r.Auth.Username, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("auth.password"), value: r.Auth.Password, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("auth.skip_tls_verify"), value: r.Auth.SkipTLSVerify, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("auth.plain_http"), value: r.Auth.PlainHTTP, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("auth.ca_file"), value: r.Auth.CAFile, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("auth.cert_file"), value: r.Auth.CertFile, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("auth.key_file"), value: r.Auth.KeyFile, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("harbor"), value: r.Harbor, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("docker_registry"), value: r.DockerRegistry, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("dockerio_registry"), value: r.DockerioRegistry, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("quayio_registry"), value: r.QuayioRegistry, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("ghcrio_registry"), value: r.GhcrioRegistry, follows: noRegistry, hint: setUpRegistry},
		leftOut{from: registry.Key("k8sio_registry"), value: r.K8sioRegistry, follows: noRegistry, hint: setUpRegistry},
	)
	k, e, c := &s.Kubernetes, &s.Etcd, &s.CNI
	idleImage := k.ControlPlaneEndpoint.KubeVip.Image
	if m.doc.Spec.Endpoint.LoadBalancer.Mode == "kube-vip" {
		idleImage = nil // it was dealt with
	}
	m.leaveOut(
		leftOut{from: "spec.kubernetes.helm_version", value: k.HelmVersion, follows: fromBundle},
		leftOut{from: "spec.kubernetes.image_repository", value: k.ImageRepository, follows: fromBundle},
		leftOut{from: "spec.kubernetes.sandbox_image", value: k.SandboxImage, follows: fromBundle},
		leftOut{from: "spec.kubernetes.control_plane_endpoint.kube_vip.image", value: idleImage, follows: fromBundle},
		leftOut{from: "spec.kubernetes.control_plane_endpoint.haproxy.image", value: k.ControlPlaneEndpoint.HAProxy.Image, follows: fromBundle},
		leftOut{from: "spec.etcd.etcd_version", value: e.EtcdVersion, follows: fromBundle},
		leftOut{from: "spec.etcd.image", value: e.Image, follows: fromBundle},
		leftOut{from: "spec.cni.calico_version", value: c.CalicoVersion, follows: fromBundle},
		leftOut{from: "spec.cni.cilium_version", value: c.CiliumVersion, follows: fromBundle},
		leftOut{from: "spec.cni.flannel_version", value: c.FlannelVersion, follows: fromBundle},
		leftOut{from: "spec.cni.kubeovn_version", value: c.KubeOVNVersion, follows: fromBundle},
		leftOut{from: "spec.cni.hybridnet_version", value: c.HybridnetVersion, follows: fromBundle},
		leftOut{from: "spec.cni.spiderpool_version", value: c.SpiderpoolVersion, follows: fromBundle},
		leftOut{from: "spec.cri.crictl_version", value: s.CRI.CrictlVersion, follows: fromBundle},
		leftOut{from: "spec.cri.docker_version", value: s.CRI.DockerVersion, follows: fromBundle},
		leftOut{from: "spec.cri.cridockerd_version", value: s.CRI.CRIDockerdVersion, follows: fromBundle},
		leftOut{from: "spec.cri.containerd_version", value: s.CRI.ContainerdVersion, follows: fromBundle},
		leftOut{from: "spec.cri.runc_version", value: s.CRI.RuncVersion, follows: fromBundle},
		leftOut{from: "spec.dns.coredns.image", value: s.DNS.CoreDNS.Image, follows: fromBundle},
		leftOut{from: "spec.dns.nodelocaldns.image", value: s.DNS.NodeLocalDNS.Image, follows: fromBundle},
		leftOut{from: "spec.storage_class.localpv_provisioner_version", value: s.StorageClass.LocalPVProvisionerVersion, follows: fromBundle},
		leftOut{from: "spec.storage_class.nfs_provisioner_version", value: s.StorageClass.NFSProvisionerVersion, follows: fromBundle},
		leftOut{from: registry.Key("keepalived_version"), value: r.KeepalivedVersion, follows: fromBundle},
		leftOut{from: registry.Key("harbor_version"), value: r.HarborVersion, follows: fromBundle},
		leftOut{from: registry.Key("dockercompose_version"), value: r.DockercomposeVersion, follows: fromBundle},
		leftOut{from: registry.Key("docker_registry_version"), value: r.DockerRegistryVersion, follows: fromBundle},
	)
	m.leaveOut(
		leftOut{from: "spec.audit", value: s.Audit, follows: "the API servers keep no audit log", hint: auditWay("kubernetes.apiserver.extra_args"), lost: lostAudit},
		leftOut{from: "spec.security_enhancement", value: s.SecurityEnhancement, follows: "the cluster is as Quorate secures it", hint: "add what is missing to the extra_args"},
		leftOut{from: "spec.certs", value: s.Certs, follows: ownCA},
		leftOut{from: "spec.zone", value: s.Zone, follows: ownWork},
		leftOut{from: "spec.download", value: s.Download, follows: ownWork},
		leftOut{from: "spec.image_manifests", value: s.ImageManifests, follows: ownWork},
		leftOut{from: "spec.cluster_require", value: s.ClusterRequire, follows: ownWork},
		leftOut{from: "spec.delete", value: s.Delete, follows: ownWork},
		leftOut{from: "spec.work_dir", value: s.WorkDir, follows: ownWork},
		leftOut{from: "spec.binary_dir", value: s.BinaryDir, follows: ownWork},
		leftOut{from: "spec.scripts_dir", value: s.ScriptsDir, follows: ownWork},
		leftOut{from: "spec.artifact_dir", value: s.ArtifactDir, follows: ownWork},
		leftOut{from: "spec.tmp_dir", value: s.TmpDir, follows: ownWork},
		leftOut{from: "spec.transform_architectures", value: s.TransformArchitectures, follows: ownWork},
	)
}

// kubernetesV4 imports the settings of Kubernetes itself.
func (m *importer) kubernetesV4(k *kubernetesV4) {
	const from, to = strict.Path("spec.kubernetes"), strict.Path("spec.kubernetes")
	out := &m.doc.Spec.Kubernetes
	if k.KubeVersion == "" {
		m.warn(from.Key("kube_version"), "add kube_version:, one that `quorate version` lists", "no kubernetes.kube_version is given: the newest is installed that this Quorate is tested with")
	}
	set(m, to.Key("version"), &out.Version, from.Key("kube_version"), k.KubeVersion)
	if label.MatchString(k.ClusterName) {
		set(m, "metadata.name", &m.doc.Metadata.Name, from.Key("cluster_name"), k.ClusterName)
	} else if k.ClusterName != "" {
		m.warn(from.Key("cluster_name"), "use lower-case letters, digits and - only", "kubernetes.cluster_name %s cannot be a cluster's name here, and is not taken over", quote(k.ClusterName))
	}
	set(m, to.Key("maxPods"), &out.MaxPods, from.Key("kubelet.max_pods"), k.Kubelet.MaxPods)
	m.texts(to.Key("extraSANs"), &out.ExtraSANs, from.Key("apiserver.certSANs"), k.APIServer.CertSANs)
	m.argMap(apiServerArgs, &out.APIServer.ExtraArgs, from.Key("apiserver.extra_args"), k.APIServer.ExtraArgs)
	m.argMap(controllerManagerArgs, &out.ControllerManager.ExtraArgs, from.Key("controller_manager.extra_args"), k.ControllerManager.ExtraArgs)
	m.argMap(schedulerArgs, &out.Scheduler.ExtraArgs, from.Key("scheduler.extra_args"), k.Scheduler.ExtraArgs)
	m.argMap(kubeletArgs, &out.Kubelet.ExtraArgs, from.Key("kubelet.extra_args"), k.Kubelet.ExtraArgs)
	m.kubeletConfiguration(from.Key("kubelet.extra_config"), k.Kubelet.ExtraConfig)
	m.podPids(from.Key("kubelet.pod_pids_limit"), k.Kubelet.PodPidsLimit)
	if size := k.Kubelet.ContainerLogMaxSize; size != "" {
		m.overlay(ourKubelet, &out.Kubelet.Configuration, "containerLogMaxSize", from.Key("kubelet.container_log_max_size"), size)
	}
	if n := k.Kubelet.ContainerLogMaxFiles; n != 0 {
		m.overlay(ourKubelet, &out.Kubelet.Configuration, "containerLogMaxFiles", from.Key("kubelet.container_log_max_files"), n)
	}
	if k.Kubelet.FeatureGates != nil {
		m.freeGates(from.Key("kubelet.feature_gates"), k.Kubelet.FeatureGates)
	}
	m.proxyModes(from.Key("kube_proxy.mode"), k.KubeProxy.Mode, from.Key("kube_proxy.config"), k.KubeProxy.Config)
	m.proxyConfiguration(from.Key("kube_proxy.config"), k.KubeProxy.Config)
	m.leaveOut(
		leftOut{from: from.Key("kube_proxy.manage"), value: k.KubeProxy.Manage, follows: "Quorate installs kube-proxy as a DaemonSet, on all nodes"},
		leftOut{from: from.Key("certs.ca_cert"), value: k.Certs.CACert, follows: ownCA},
		leftOut{from: from.Key("certs.ca_key"), value: k.Certs.CAKey, follows: ownCA},
		leftOut{from: from.Key("certs.front_proxy_cert"), value: k.Certs.FrontProxyCert, follows: ownCA},
		leftOut{from: from.Key("certs.front_proxy_key"), value: k.Certs.FrontProxyKey, follows: ownCA},
		leftOut{from: from.Key("certs.renew"), value: k.Certs.Renew, follows: noRenewing, hint: renewWay, lost: lostTimer},
		leftOut{from: from.Key("patches"), value: k.Patches, follows: "kubeadm's files are not patched", hint: "most settings have a flag: apiserver.extra_args and the like"},
		leftOut{from: from.Key("skip_phases"), value: k.SkipPhases, follows: "no phase of kubeadm's is skipped"},
	)
}

// argMap imports flags that are a mapping of name to value.
func (m *importer) argMap(to strict.Path, field *[]string, from strict.Path, flags map[string]any) {
	for _, flag := range m.inFileOrder(from, slices.Collect(maps.Keys(flags))) {
		switch value := flags[flag].(type) {
		case nil:
		case []any, map[string]any:
			m.fail(from.Key(flag), "write it as the program takes it, as one text", "%s must be a text, a number or true or false", name(from.Key(flag)))
		default:
			m.arg(to, field, from.Key(flag), strings.TrimLeft(flag, "-"), fmt.Sprint(value))
		}
	}
}

// endpointV4 imports the endpoint.
func (m *importer) endpointV4(k *kubernetesV4) {
	const from = strict.Path("spec.kubernetes.control_plane_endpoint")
	e, out := &k.ControlPlaneEndpoint, &m.doc.Spec.Endpoint
	w := wanted{
		balancing: from.Key("type"), addressed: from.Key("local.address"), port: from.Key("port"), address: e.Local.Address,
		called: "control_plane_endpoint.local.address",
		hints:  "write type: haproxy for a proxy on every node, or local: {address: …} with that of a balancer in front of all control-plane hosts",
	}
	if _, err := netip.ParseAddr(e.Host); err == nil {
		m.warn(from.Key("host"), "write a name as host", "control_plane_endpoint.host %s is an address: the endpoint's name is lb.kubesphere.local", word(e.Host))
		if w.address == "" {
			w.address, w.addressed, w.called = e.Host, from.Key("host"), "control_plane_endpoint.host"
		}
	} else {
		set(m, ourEndpoint.Key("domain"), &out.Domain, from.Key("host"), e.Host)
	}
	set(m, ourEndpoint.Key("port"), &out.Port, from.Key("port"), e.Port)
	const servers = strict.Path("spec.kubernetes.apiserver.port")
	set(m, "spec.kubernetes.apiServer.port", &m.doc.Spec.Kubernetes.APIServer.Port, servers, k.APIServer.Port)
	if out.Port == 0 {
		set(m, ourEndpoint.Key("port"), &out.Port, servers, k.APIServer.Port)
	}
	const otherType = "it is for another type of control_plane_endpoint than the one that is written"
	notLocal := leftOut{from: from.Key("local.address"), value: e.Local.Address, follows: otherType, hint: "remove it"}
	notVIP := leftOut{from: from.Key("kube_vip.address"), value: e.KubeVip.Address, follows: otherType, hint: "remove it"}
	switch e.Type {
	case "", "local":
		m.leaveOut(notVIP)
	case "haproxy":
		w.balancer, w.address = balancerHAProxy, ""
		m.leaveOut(notLocal, notVIP)
	case "kube-vip", "kube_vip", "kubevip":
		w.balancer, w.address, w.addressed, w.called = balancerKubeVip, e.KubeVip.Address, from.Key("kube_vip.address"), "control_plane_endpoint.kube_vip.address"
		m.leaveOut(notLocal)
	default:
		m.fail(w.balancing, cmp.Or(strict.DidYouMean(e.Type, []string{"local", "haproxy", "kube-vip"}), "write haproxy, kube-vip or local"),
			"control_plane_endpoint.type: KubeKey has no %s", quote(e.Type))
		return
	}
	m.balancer(w)
	if out.LoadBalancer.Mode == "kube-vip" {
		m.kubeVIPImage(from.Key("kube_vip.image"), e.KubeVip.Image)
	}
	if env, ok := e.KubeVip.Env.(map[string]any); ok && out.LoadBalancer.Mode == "kube-vip" {
		if name, ok := env["vip_interface"].(string); ok {
			set(m, ourBalancer.Key("interface"), &out.LoadBalancer.Interface, from.Key("kube_vip.env").Key("vip_interface"), name)
			delete(env, "vip_interface")
		}
	}
	m.leaveOut(
		leftOut{from: from.Key("kube_vip.mode"), value: e.KubeVip.Mode, harmless: []any{"ARP", "arp"}, follows: "the virtual address is announced by ARP, in the hosts' own subnet", hint: nameRouters},
		leftOut{from: from.Key("kube_vip.env"), value: e.KubeVip.Env, follows: "kube-vip has Quorate's settings", hint: nameRouters},
		leftOut{from: from.Key("haproxy.address"), value: e.HAProxy.Address, harmless: []any{"127.0.0.1"}, follows: "the proxies listen on 127.0.0.1"},
		leftOut{from: from.Key("haproxy.health_port"), value: e.HAProxy.HealthPort, harmless: []any{8081}, follows: "the proxies have no port for their own health, systemd restarts them"},
	)
}

// kubeVIPImage imports the image of kube-vip: it is not in the bundle, so that the
// hosts pull it from where the file says.
func (m *importer) kubeVIPImage(from strict.Path, value any) {
	if image, isText := value.(string); isText && !strings.Contains(image, "{{") {
		set(m, ourBalancer.Key("kubeVIP.image"), &m.doc.Spec.Endpoint.LoadBalancer.KubeVIP.Image, from, strings.TrimSpace(image))
		return
	}
	m.leaveOut(leftOut{from: from, value: value, follows: "it is not one name, written out", hint: "write it in full, as registry.example.com/kube-vip/kube-vip:v1.0.3"})
}

// etcdV4 imports etcd's settings.
func (m *importer) etcdV4(e *etcdV4) {
	const from, to = strict.Path("spec.etcd"), strict.Path("spec.etcd")
	out, env := &m.doc.Spec.Etcd, from.Key("env")
	switch e.DeploymentType {
	case "":
	case "external":
		set(m, to.Key("mode"), &out.Mode, from.Key("deployment_type"), "external")
	case etcdInternal:
		set(m, to.Key("mode"), &out.Mode, from.Key("deployment_type"), "stacked")
	default:
		m.fail(from.Key("deployment_type"), strict.DidYouMean(e.DeploymentType, []string{"external", etcdInternal}), "etcd.deployment_type must be external or internal, not %s", quote(e.DeploymentType))
	}
	set(m, to.Key("dataDir"), &out.DataDir, env.Key("data_dir"), e.Env.DataDir)
	m.duration(to.Key("heartbeat"), &out.Heartbeat, env.Key("heartbeat_interval"), e.Env.HeartbeatInterval, time.Millisecond)
	m.duration(to.Key("election"), &out.Election, env.Key("election_timeout"), e.Env.ElectionTimeout, time.Millisecond)
	m.duration(to.Key("autoCompactionRetention"), &out.AutoCompactionRetention, env.Key("compaction_retention"), e.Env.CompactionRetention, time.Hour)
	set(m, to.Key("snapshotCount"), &out.SnapshotCount, env.Key("snapshot_count"), e.Env.SnapshotCount)
	set(m, to.Key("metrics"), &out.Metrics, env.Key("metrics"), e.Env.Metrics)
	set(m, to.Key("quotaBackendBytes"), &out.QuotaBackendBytes, env.Key("quota_backend_bytes"), e.Env.QuotaBackendBytes)
	set(m, to.Key("maxRequestBytes"), &out.MaxRequestBytes, env.Key("max_request_bytes"), e.Env.MaxRequestBytes)
	m.files(to.Key("maxSnapshots"), &out.MaxSnapshots, env.Key("max_snapshots"), e.Env.MaxSnapshots)
	m.files(to.Key("maxWALs"), &out.MaxWALs, env.Key("max_wals"), e.Env.MaxWals)
	set(m, to.Key("logLevel"), &out.LogLevel, env.Key("log_level"), e.Env.LogLevel)
	m.leaveOut(
		leftOut{from: env.Key("token"), value: e.Env.Token, harmless: []any{"k8s_etcd"}, follows: "it only marks the members' first start"},
		leftOut{from: env.Key("unsupported_arch"), value: e.Env.UnsupportedArch, follows: "etcd supports amd64 and arm64"},
		leftOut{from: from.Key("port"), value: e.Port, harmless: []any{2379}, follows: "etcd's clients use port 2379", hint: "open port 2379 between the hosts"},
		leftOut{from: from.Key("peer_port"), value: e.PeerPort, harmless: []any{2380}, follows: "etcd's members use port 2380", hint: "open port 2380 between the etcd hosts"},
		leftOut{from: from.Key("backup"), value: e.Backup, follows: noBackups, hint: backUp, lost: lostBackups},
		leftOut{from: from.Key("performance"), value: e.Performance, follows: "etcd has Quorate's settings"},
		leftOut{from: from.Key("traffic_priority"), value: e.TrafficPriority, follows: "etcd's packets have no priority over others"},
		leftOut{from: from.Key("ca_file"), value: e.CAFile, follows: ownCA},
		leftOut{from: from.Key("server_cert_file"), value: e.ServerCertFile, follows: ownCA},
		leftOut{from: from.Key("server_key_file"), value: e.ServerKeyFile, follows: ownCA},
		leftOut{from: from.Key("client_cert_file"), value: e.ClientCertFile, follows: ownCA},
		leftOut{from: from.Key("client_key_file"), value: e.ClientKeyFile, follows: ownCA},
	)
}
