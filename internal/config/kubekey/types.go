package kubekey

// file is a document of kind Cluster, of v1alpha1 and v1alpha2 alike. Fields of
// type any are those that are left out: what is in them does not matter.
type file struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   metadata `yaml:"metadata"`
	Spec       spec     `yaml:"spec"`
	Status     any      `yaml:"status"`
}

type metadata struct {
	Name              string `yaml:"name"`
	Namespace         any    `yaml:"namespace"`
	Labels            any    `yaml:"labels"`
	Annotations       any    `yaml:"annotations"`
	CreationTimestamp any    `yaml:"creationTimestamp"`
	GenerateName      any    `yaml:"generateName"`
	Finalizers        any    `yaml:"finalizers"`
	ResourceVersion   any    `yaml:"resourceVersion"`
	UID               any    `yaml:"uid"`
	Generation        any    `yaml:"generation"`
}

type spec struct {
	Hosts                []host               `yaml:"hosts"`
	RoleGroups           map[string][]string  `yaml:"roleGroups"`
	ControlPlaneEndpoint controlPlaneEndpoint `yaml:"controlPlaneEndpoint"`
	System               system               `yaml:"system"`
	Etcd                 etcd                 `yaml:"etcd"`
	DNS                  dns                  `yaml:"dns"`
	Kubernetes           kubernetes           `yaml:"kubernetes"`
	Network              network              `yaml:"network"`
	Storage              storage              `yaml:"storage"`
	Registry             registry             `yaml:"registry"`
	Addons               []addon              `yaml:"addons"`
	KubeSphere           any                  `yaml:"kubesphere"`
}

type host struct {
	Name            string            `yaml:"name"`
	Address         string            `yaml:"address"`
	InternalAddress string            `yaml:"internalAddress"`
	Port            int               `yaml:"port"`
	User            string            `yaml:"user"`
	Password        string            `yaml:"password"`
	PrivateKey      string            `yaml:"privateKey"`
	PrivateKeyPath  string            `yaml:"privateKeyPath"`
	Arch            string            `yaml:"arch"`
	Timeout         int64             `yaml:"timeout"` // seconds
	Labels          map[string]string `yaml:"labels"`
	ID              any               `yaml:"id"` // v1alpha1
}

type controlPlaneEndpoint struct {
	InternalLoadbalancer string  `yaml:"internalLoadbalancer"`
	Domain               string  `yaml:"domain"`
	ExternalDNS          bool    `yaml:"externalDNS"`
	Address              string  `yaml:"address"`
	Port                 int     `yaml:"port"`
	KubeVip              kubeVip `yaml:"kubevip"`
}

type kubeVip struct {
	Mode string `yaml:"mode"`
}

type kubernetes struct {
	Type                     string          `yaml:"type"`
	Version                  string          `yaml:"version"`
	ClusterName              string          `yaml:"clusterName"`
	DNSDomain                string          `yaml:"dnsDomain"`
	DisableKubeProxy         any             `yaml:"disableKubeProxy"`
	MasqueradeAll            bool            `yaml:"masqueradeAll"`
	MaxPods                  int             `yaml:"maxPods"`
	PodPidsLimit             int64           `yaml:"podPidsLimit"`
	NodeCidrMaskSize         int             `yaml:"nodeCidrMaskSize"`
	NodeCidrMaskSizeIPv6     any             `yaml:"nodeCidrMaskSizeIPv6"`
	ApiserverCertExtraSans   []string        `yaml:"apiserverCertExtraSans"`
	ProxyMode                string          `yaml:"proxyMode"`
	AutoRenewCerts           any             `yaml:"autoRenewCerts"`
	Nodelocaldns             any             `yaml:"nodelocaldns"`
	ContainerManager         string          `yaml:"containerManager"`
	ContainerRuntimeEndpoint any             `yaml:"containerRuntimeEndpoint"`
	NodeFeatureDiscovery     any             `yaml:"nodeFeatureDiscovery"`
	Kata                     any             `yaml:"kata"`
	APIServerArgs            []string        `yaml:"apiserverArgs"`
	ControllerManagerArgs    []string        `yaml:"controllerManagerArgs"`
	SchedulerArgs            []string        `yaml:"schedulerArgs"`
	KubeletArgs              []string        `yaml:"kubeletArgs"`
	KubeProxyArgs            []string        `yaml:"kubeProxyArgs"`
	FeatureGates             map[string]bool `yaml:"featureGates"`
	KubeletConfiguration     map[string]any  `yaml:"kubeletConfiguration"`
	KubeProxyConfiguration   map[string]any  `yaml:"kubeProxyConfiguration"`
	Audit                    any             `yaml:"audit"`
	NvidiaRuntime            any             `yaml:"nvidiaRuntime"`

	// Of v1alpha1 only.
	ImageRepo        any `yaml:"imageRepo"`
	EtcdBackupDir    any `yaml:"etcdBackupDir"`
	EtcdBackupPeriod any `yaml:"etcdBackupPeriod"`
	KeepBackupNumber any `yaml:"keepBackupNumber"`
	EtcdBackupScript any `yaml:"etcdBackupScript"`
}

type etcd struct {
	Type                    string   `yaml:"type"`
	External                any      `yaml:"external"`
	Port                    any      `yaml:"port"`
	PeerPort                any      `yaml:"peerPort"`
	ExtraArgs               []string `yaml:"extraArgs"`
	BackupDir               any      `yaml:"backupDir"`
	BackupPeriod            any      `yaml:"backupPeriod"`
	KeepBackupNumber        any      `yaml:"keepBackupNumber"`
	BackupScript            any      `yaml:"backupScript"`
	DataDir                 string   `yaml:"dataDir"`
	HeartbeatInterval       int64    `yaml:"heartbeatInterval"` // milliseconds
	ElectionTimeout         int64    `yaml:"electionTimeout"`   // milliseconds
	SnapshotCount           int64    `yaml:"snapshotCount"`
	AutoCompactionRetention int64    `yaml:"autoCompactionRetention"` // hours
	Metrics                 string   `yaml:"metrics"`
	QuotaBackendBytes       int64    `yaml:"quotaBackendBytes"`
	MaxRequestBytes         int64    `yaml:"maxRequestBytes"`
	MaxSnapshots            int      `yaml:"maxSnapshots"`
	MaxWals                 int      `yaml:"maxWals"`
	LogLevel                string   `yaml:"logLevel"`
}

type network struct {
	Plugin          string         `yaml:"plugin"`
	KubePodsCIDR    string         `yaml:"kubePodsCIDR"`
	KubeServiceCIDR string         `yaml:"kubeServiceCIDR"`
	Calico          map[string]any `yaml:"calico"`
	Flannel         flannel        `yaml:"flannel"`
	Kubeovn         map[string]any `yaml:"kubeovn"`
	Hybridnet       map[string]any `yaml:"hybridnet"`
	Cilium          map[string]any `yaml:"cilium"`
	MultusCNI       any            `yaml:"multusCNI"`

	// What the ranges were called before KubeKey 1.0.
	PodNetworkCidr     string `yaml:"podNetworkCidr"`
	ServiceNetworkCidr string `yaml:"serviceNetworkCidr"`
}

type flannel struct {
	BackendMode   string `yaml:"backendMode"`
	DirectRouting bool   `yaml:"directRouting"`
}

type storage struct {
	OpenEBS openEBS `yaml:"openebs"`

	// Of v1alpha1 only.
	DefaultStorageClass any `yaml:"defaultStorageClass"`
	LocalVolume         any `yaml:"localVolume"`
	NFSClient           any `yaml:"nfsClient"`
	RBD                 any `yaml:"rbd"`
	GlusterFS           any `yaml:"glusterfs"`
}

type openEBS struct {
	BasePath any `yaml:"basePath"`
}

type registry struct {
	Type               any             `yaml:"type"`
	RegistryMirrors    []string        `yaml:"registryMirrors"`
	InsecureRegistries []string        `yaml:"insecureRegistries"`
	PrivateRegistry    string          `yaml:"privateRegistry"`
	NamespaceOverride  any             `yaml:"namespaceOverride"`
	Auths              map[string]auth `yaml:"auths"`
	DataRoot           any             `yaml:"dataRoot"`
	ContainerdDataDir  any             `yaml:"containerdDataDir"`
	DockerDataDir      any             `yaml:"dockerDataDir"`
	RegistryDataDir    any             `yaml:"registryDataDir"`
	BridgeIP           any             `yaml:"bridgeIP"`
	Port               any             `yaml:"port"`
	NamespaceRewrite   any             `yaml:"namespaceRewrite"`
	RemoteMirrors      any             `yaml:"remoteMirrors"`
}

type auth struct {
	Username      any  `yaml:"username"`
	Password      any  `yaml:"password"`
	SkipTLSVerify bool `yaml:"skipTLSVerify"`
	PlainHTTP     bool `yaml:"plainHTTP"`
	CertsPath     any  `yaml:"certsPath"`
}

type system struct {
	NTPServers         any      `yaml:"ntpServers"`
	Timezone           any      `yaml:"timezone"`
	RPMs               any      `yaml:"rpms"`
	Debs               any      `yaml:"debs"`
	PreInstall         []script `yaml:"preInstall"`
	PostClusterInstall []script `yaml:"postClusterInstall"`
	PostInstall        []script `yaml:"postInstall"`
	SkipConfigureOS    bool     `yaml:"skipConfigureOS"`
}

type script struct {
	Name      string `yaml:"name"`
	Bash      any    `yaml:"bash"`
	Role      any    `yaml:"role"`
	Materials any    `yaml:"materials"`
}

type dns struct {
	DNSEtcHosts  any          `yaml:"dnsEtcHosts"`
	NodeEtcHosts any          `yaml:"nodeEtcHosts"`
	CoreDNS      coreDNS      `yaml:"coredns"`
	NodeLocalDNS nodeLocalDNS `yaml:"nodelocaldns"`
}

type coreDNS struct {
	AdditionalConfigs  any `yaml:"additionalConfigs"`
	ExternalZones      any `yaml:"externalZones"`
	RewriteBlock       any `yaml:"rewriteBlock"`
	UpstreamDNSServers any `yaml:"upstreamDNSServers"`
}

type nodeLocalDNS struct {
	ExternalZones any `yaml:"externalZones"`
}

type addon struct {
	Name        string `yaml:"name"`
	Namespace   any    `yaml:"namespace"`
	PreInstall  any    `yaml:"preInstall"`
	PostInstall any    `yaml:"postInstall"`
	Sources     any    `yaml:"sources"`
	Retries     any    `yaml:"retries"`
	Delay       any    `yaml:"delay"`
}
