package kubekey

// inventoryFile is KubeKey 4's document of kind Inventory.
type inventoryFile struct {
	APIVersion string        `yaml:"apiVersion"`
	Kind       string        `yaml:"kind"`
	Metadata   metadata      `yaml:"metadata"`
	Spec       inventorySpec `yaml:"spec"`
	Status     any           `yaml:"status"`
}

type inventorySpec struct {
	Hosts  map[string]inventoryHost  `yaml:"hosts"`
	Groups map[string]inventoryGroup `yaml:"groups"`
	Vars   any                       `yaml:"vars"`
}

type inventoryHost struct {
	Connector    connector         `yaml:"connector"`
	InternalIPv4 string            `yaml:"internal_ipv4"`
	InternalIPv6 string            `yaml:"internal_ipv6"`
	Arch         string            `yaml:"arch"`
	Labels       map[string]string `yaml:"labels"`
	Storage      any               `yaml:"storage"`
	Kubernetes   any               `yaml:"kubernetes"`
}

type connector struct {
	Type              string `yaml:"type"`
	Host              string `yaml:"host"`
	Port              int    `yaml:"port"`
	User              string `yaml:"user"`
	Password          string `yaml:"password"`
	PrivateKey        string `yaml:"private_key"` // a path
	PrivateKeyContent string `yaml:"private_key_content"`
}

type inventoryGroup struct {
	Groups []string `yaml:"groups"`
	Hosts  []string `yaml:"hosts"`
	Vars   any      `yaml:"vars"`
}
