package kubekey

// configFile is KubeKey 4's document of kind Config. Its spec has no type there:
// these are the settings that KubeKey's own playbooks read.
type configFile struct {
	APIVersion string     `yaml:"apiVersion"`
	Kind       string     `yaml:"kind"`
	Metadata   metadata   `yaml:"metadata"`
	Spec       configSpec `yaml:"spec"`
	Status     any        `yaml:"status"`
}

type configSpec struct {
	Kubernetes    kubernetesV4    `yaml:"kubernetes"`
	Etcd          etcdV4          `yaml:"etcd"`
	CNI           cniV4           `yaml:"cni"`
	CRI           criV4           `yaml:"cri"`
	ImageRegistry imageRegistryV4 `yaml:"image_registry"`
	DNS           dnsV4           `yaml:"dns"`
	StorageClass  storageClassV4  `yaml:"storage_class"`
	Native        nativeV4        `yaml:"native"`

	Certs               any `yaml:"certs"`
	Audit               any `yaml:"audit"`
	SecurityEnhancement any `yaml:"security_enhancement"`

	// About KubeKey's own work.
	Zone                   any `yaml:"zone"`
	Download               any `yaml:"download"`
	ImageManifests         any `yaml:"image_manifests"`
	ClusterRequire         any `yaml:"cluster_require"`
	Delete                 any `yaml:"delete"`
	WorkDir                any `yaml:"work_dir"`
	BinaryDir              any `yaml:"binary_dir"`
	ScriptsDir             any `yaml:"scripts_dir"`
	ArtifactDir            any `yaml:"artifact_dir"`
	TmpDir                 any `yaml:"tmp_dir"`
	TransformArchitectures any `yaml:"transform_architectures"`
}

type kubernetesV4 struct {
	KubeVersion          string         `yaml:"kube_version"`
	ClusterName          string         `yaml:"cluster_name"`
	APIServer            apiServerV4    `yaml:"apiserver"`
	ControllerManager    programV4      `yaml:"controller_manager"`
	Scheduler            programV4      `yaml:"scheduler"`
	KubeProxy            kubeProxyV4    `yaml:"kube_proxy"`
	Kubelet              kubeletV4      `yaml:"kubelet"`
	ControlPlaneEndpoint endpointV4     `yaml:"control_plane_endpoint"`
	Certs                kubernetesCert `yaml:"certs"`
	Patches              any            `yaml:"patches"`
	SkipPhases           any            `yaml:"skip_phases"`
	HelmVersion          any            `yaml:"helm_version"`
	ImageRepository      any            `yaml:"image_repository"`
	SandboxImage         any            `yaml:"sandbox_image"`
}

type programV4 struct {
	ExtraArgs map[string]any `yaml:"extra_args"`
}

type apiServerV4 struct {
	Port      int            `yaml:"port"`
	CertSANs  []string       `yaml:"certSANs"`
	ExtraArgs map[string]any `yaml:"extra_args"`
}

type kubeProxyV4 struct {
	Mode   string         `yaml:"mode"`
	Config map[string]any `yaml:"config"`
	Manage any            `yaml:"manage"`
}

type kubeletV4 struct {
	MaxPods              int            `yaml:"max_pods"`
	PodPidsLimit         int64          `yaml:"pod_pids_limit"`
	FeatureGates         any            `yaml:"feature_gates"`
	ContainerLogMaxSize  string         `yaml:"container_log_max_size"`
	ContainerLogMaxFiles int64          `yaml:"container_log_max_files"`
	ExtraArgs            map[string]any `yaml:"extra_args"`
	ExtraConfig          map[string]any `yaml:"extra_config"`
}

type endpointV4 struct {
	Host    string            `yaml:"host"`
	Port    int               `yaml:"port"`
	Type    string            `yaml:"type"`
	Local   endpointLocalV4   `yaml:"local"`
	KubeVip endpointKubeVipV4 `yaml:"kube_vip"`
	HAProxy endpointHAProxyV4 `yaml:"haproxy"`
}

type endpointLocalV4 struct {
	Address string `yaml:"address"`
}

type endpointKubeVipV4 struct {
	Address string `yaml:"address"`
	Mode    string `yaml:"mode"`
	Image   any    `yaml:"image"`
	Env     any    `yaml:"env"`
}

type endpointHAProxyV4 struct {
	Address    any `yaml:"address"`
	HealthPort any `yaml:"health_port"`
	Image      any `yaml:"image"`
}

type kubernetesCert struct {
	CACert         any `yaml:"ca_cert"`
	CAKey          any `yaml:"ca_key"`
	FrontProxyCert any `yaml:"front_proxy_cert"`
	FrontProxyKey  any `yaml:"front_proxy_key"`
	Renew          any `yaml:"renew"`
}

type etcdV4 struct {
	DeploymentType  string    `yaml:"deployment_type"`
	Port            any       `yaml:"port"`
	PeerPort        any       `yaml:"peer_port"`
	Env             etcdEnvV4 `yaml:"env"`
	Backup          any       `yaml:"backup"`
	Performance     any       `yaml:"performance"`
	TrafficPriority any       `yaml:"traffic_priority"`
	EtcdVersion     any       `yaml:"etcd_version"`
	Image           any       `yaml:"image"`
	CAFile          any       `yaml:"ca_file"`
	ServerCertFile  any       `yaml:"server_cert_file"`
	ServerKeyFile   any       `yaml:"server_key_file"`
	ClientCertFile  any       `yaml:"client_cert_file"`
	ClientKeyFile   any       `yaml:"client_key_file"`
}

type etcdEnvV4 struct {
	ElectionTimeout     int64  `yaml:"election_timeout"`     // milliseconds
	HeartbeatInterval   int64  `yaml:"heartbeat_interval"`   // milliseconds
	CompactionRetention int64  `yaml:"compaction_retention"` // hours
	SnapshotCount       int64  `yaml:"snapshot_count"`
	DataDir             string `yaml:"data_dir"`
	Metrics             string `yaml:"metrics"`
	QuotaBackendBytes   int64  `yaml:"quota_backend_bytes"`
	MaxRequestBytes     int64  `yaml:"max_request_bytes"`
	MaxSnapshots        int    `yaml:"max_snapshots"`
	MaxWals             int    `yaml:"max_wals"`
	LogLevel            string `yaml:"log_level"`
	Token               any    `yaml:"token"`
	UnsupportedArch     any    `yaml:"unsupported_arch"`
}

type cniV4 struct {
	Type         string `yaml:"type"`
	PodCIDR      string `yaml:"pod_cidr"`
	ServiceCIDR  string `yaml:"service_cidr"`
	IPv4MaskSize int    `yaml:"ipv4_mask_size"`
	IPv6MaskSize any    `yaml:"ipv6_mask_size"`
	MultiCNI     any    `yaml:"multi_cni"`

	Multus     any `yaml:"multus"`
	Spiderpool any `yaml:"spiderpool"`
	Calico     any `yaml:"calico"`
	Cilium     any `yaml:"cilium"`
	Flannel    any `yaml:"flannel"`
	KubeOVN    any `yaml:"kubeovn"`
	Hybridnet  any `yaml:"hybridnet"`

	CalicoVersion     any `yaml:"calico_version"`
	CiliumVersion     any `yaml:"cilium_version"`
	FlannelVersion    any `yaml:"flannel_version"`
	KubeOVNVersion    any `yaml:"kubeovn_version"`
	HybridnetVersion  any `yaml:"hybridnet_version"`
	SpiderpoolVersion any `yaml:"spiderpool_version"`
}

type criV4 struct {
	ContainerManager string        `yaml:"container_manager"`
	CgroupDriver     any           `yaml:"cgroup_driver"`
	CRISocket        any           `yaml:"cri_socket"`
	Registry         criRegistryV4 `yaml:"registry"`
	Docker           any           `yaml:"docker"`
	Containerd       any           `yaml:"containerd"`

	CrictlVersion     any `yaml:"crictl_version"`
	DockerVersion     any `yaml:"docker_version"`
	CRIDockerdVersion any `yaml:"cridockerd_version"`
	ContainerdVersion any `yaml:"containerd_version"`
	RuncVersion       any `yaml:"runc_version"`
}

type criRegistryV4 struct {
	Mirrors            []string `yaml:"mirrors"`
	InsecureRegistries []string `yaml:"insecure_registries"`
	Auths              []authV4 `yaml:"auths"`
}

type authV4 struct {
	Registry      string `yaml:"registry"`
	Repo          string `yaml:"repo"` // what KubeKey 4.0.0 to 4.0.3 call it
	Username      any    `yaml:"username"`
	Password      any    `yaml:"password"`
	SkipTLSVerify bool   `yaml:"skip_tls_verify"`
	PlainHTTP     bool   `yaml:"plain_http"`
	CACert        any    `yaml:"ca_cert"`
	CAFile        any    `yaml:"ca_file"`
	CertFile      any    `yaml:"cert_file"`
	KeyFile       any    `yaml:"key_file"`
}

type imageRegistryV4 struct {
	Type   any                 `yaml:"type"`
	HAVIP  any                 `yaml:"ha_vip"`
	Auth   imageRegistryAuthV4 `yaml:"auth"`
	Harbor any                 `yaml:"harbor"`

	DockerRegistry   any `yaml:"docker_registry"`
	DockerioRegistry any `yaml:"dockerio_registry"`
	QuayioRegistry   any `yaml:"quayio_registry"`
	GhcrioRegistry   any `yaml:"ghcrio_registry"`
	K8sioRegistry    any `yaml:"k8sio_registry"`

	KeepalivedVersion     any `yaml:"keepalived_version"`
	HarborVersion         any `yaml:"harbor_version"`
	DockercomposeVersion  any `yaml:"dockercompose_version"`
	DockerRegistryVersion any `yaml:"docker_registry_version"`
}

type imageRegistryAuthV4 struct {
	Registry      any `yaml:"registry"`
	Username      any `yaml:"username"`
	Password      any `yaml:"password"`
	SkipTLSVerify any `yaml:"skip_tls_verify"`
	PlainHTTP     any `yaml:"plain_http"`
	CAFile        any `yaml:"ca_file"`
	CertFile      any `yaml:"cert_file"`
	KeyFile       any `yaml:"key_file"`
}

type dnsV4 struct {
	Domain       string         `yaml:"domain"`
	NodeLocalDNS nodeLocalDNSV4 `yaml:"nodelocaldns"`
	CoreDNS      coreDNSV4      `yaml:"coredns"`
}

type nodeLocalDNSV4 struct {
	Enabled any `yaml:"enabled"`
	IP      any `yaml:"ip"`
	Image   any `yaml:"image"`
}

type coreDNSV4 struct {
	IP          any `yaml:"ip"`
	Image       any `yaml:"image"`
	DNSEtcHosts any `yaml:"dns_etc_hosts"`
	ZoneConfigs any `yaml:"zone_configs"`
}

type storageClassV4 struct {
	Local map[string]any `yaml:"local"`
	NFS   map[string]any `yaml:"nfs"`

	LocalPVProvisionerVersion any `yaml:"localpv_provisioner_version"`
	NFSProvisionerVersion     any `yaml:"nfs_provisioner_version"`
}

type nativeV4 struct {
	NTP         ntpV4 `yaml:"ntp"`
	Timezone    any   `yaml:"timezone"`
	NFS         any   `yaml:"nfs"`
	SetHostname any   `yaml:"set_hostname"`
	LocalDNS    any   `yaml:"localDNS"`
}

type ntpV4 struct {
	Servers any `yaml:"servers"`
	Enabled any `yaml:"enabled"`
}
