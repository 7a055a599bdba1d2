package v1alpha1

// Kubernetes holds the settings of Kubernetes itself.
type Kubernetes struct {
	// Version is the Kubernetes version, with or without the leading v, such
	// as v1.36.3.
	//
	// Example: v1.36.3
	Version string `yaml:"version,omitempty"`
	// DNSDomain is the domain of services inside the cluster.
	//
	// Example: cluster.local
	DNSDomain string `yaml:"dnsDomain,omitempty"`
	// MaxPods is how many pods a node takes.
	//
	// Example: 200
	MaxPods int `yaml:"maxPods,omitempty"`
	// NodeCIDRMaskSize is the prefix length of the part of the pod network
	// that each node gets: 24 is 254 pods a node.
	//
	// Example: 23
	NodeCIDRMaskSize int `yaml:"nodeCIDRMaskSize,omitempty"`
	// ProxyMode is kube-proxy's mode: nftables or iptables.
	//
	// Example: iptables
	ProxyMode string `yaml:"proxyMode,omitempty"`
	// ExtraSANs are more names and addresses that the API server's certificate
	// is valid for. The hosts' names and addresses, the endpoint's and the
	// service network's are in it anyway.
	//
	// Example: [api.example.com, 203.0.113.7]
	ExtraSANs []string `yaml:"extraSANs,omitempty"`
	// FeatureGates are switched on or off in all of Kubernetes' programs.
	//
	// Example: {UserNamespacesSupport: true}
	FeatureGates map[string]bool `yaml:"featureGates,omitempty"`
	// APIServer holds further settings of the API servers.
	APIServer APIServer `yaml:"apiServer,omitempty"`
	// ControllerManager holds further settings of the controller managers.
	ControllerManager Program `yaml:"controllerManager,omitempty"`
	// Scheduler holds further settings of the schedulers.
	Scheduler Program `yaml:"scheduler,omitempty"`
	// Kubelet holds further settings of the kubelets.
	Kubelet Kubelet `yaml:"kubelet,omitempty"`
	// KubeProxy holds further settings of kube-proxy.
	KubeProxy KubeProxy `yaml:"kubeProxy,omitempty"`
}

// APIServer holds further settings of the API servers.
type APIServer struct {
	// Port is the TCP port on which API servers listen. Clients go by
	// endpoint.port, which may be another one: what balances the endpoint carries
	// from the one to the other. It cannot be changed on a running cluster.
	//
	// Example: 6443
	Port int `yaml:"port,omitempty"`
	// ExtraArgs are flags, each as name=value without the leading dashes, such
	// as audit-log-maxage=30. They win over Quorate's own of the same name.
	//
	// Example: [audit-log-maxage=30]
	ExtraArgs []string `yaml:"extraArgs,omitempty"`
}

// Program holds further settings of one of the control plane's programs.
type Program struct {
	// ExtraArgs are flags, each as name=value without the leading dashes, such
	// as audit-log-maxage=30. They win over Quorate's own of the same name.
	//
	// Example: [profiling=false]
	ExtraArgs []string `yaml:"extraArgs,omitempty"`
}

// Kubelet holds further settings of the kubelets.
type Kubelet struct {
	// ExtraArgs are flags, each as name=value without the leading dashes.
	// What can be said in configuration is better said there.
	//
	// Example: [v=4]
	ExtraArgs []string `yaml:"extraArgs,omitempty"`
	// Configuration is laid over the KubeletConfiguration that Quorate writes
	// (kubelet.config.k8s.io/v1beta1).
	//
	// Example: {podPidsLimit: 4096}
	Configuration map[string]any `yaml:"configuration,omitempty"`
}

// KubeProxy holds further settings of kube-proxy.
type KubeProxy struct {
	// Configuration is laid over the KubeProxyConfiguration that Quorate writes
	// (kubeproxy.config.k8s.io/v1alpha1).
	//
	// Example: {conntrack: {maxPerCore: 65536}}
	Configuration map[string]any `yaml:"configuration,omitempty"`
}
