package planner_test

import (
	"archive/tar"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/kube/kubetest"
	"github.com/quorate/quorate/internal/pki"
)

// run stands in for the programs that steps run.
func (m *machine) run(argv []string, stdin []byte) protocol.RunReply {
	fail := func(format string, args ...any) protocol.RunReply {
		return protocol.RunReply{ExitCode: 1, Stderr: fmt.Appendf(nil, format, args...)}
	}
	m.ran = append(m.ran, argv)
	program := argv[0][strings.LastIndexByte(argv[0], '/')+1:]
	if strings.HasPrefix(argv[0], "/usr/local/") && !m.has(argv[0]) {
		return fail("%s is not installed", argv[0])
	}
	switch program {
	case "modprobe":
		m.modules[argv[1]] = true
	case "sysctl":
		for line := range strings.Lines(string(m.files[argv[3]].content)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
			m.sysctls[name] = value
		}
	case "swapoff":
		m.base.Swap = nil
	case "haproxy", "keepalived", "nginx":
		if m.packages[program] == "" {
			return fail("%s is not installed", program)
		}
		if program == "keepalived" {
			if twice := routerIDTwice(string(m.files[strings.TrimPrefix(argv[len(argv)-1], "--use-file=")].content)); twice != "" {
				return fail("VRID %s is that of two instances", twice)
			}
		}
	case "ss":
		m.cut = append(m.cut, argv[len(argv)-1])
	case "systemd-run": // in a root file system of its own
		for _, arg := range argv {
			if root, ok := strings.CutPrefix(arg, "--property=RootDirectory="); ok && !m.has(root+"/usr/sbin/haproxy") {
				return fail("there is no HAProxy in %s", root)
			}
		}
	case "getent":
		if at := m.world.resolve(m.hostsFile(), argv[2]); at != "" {
			return protocol.RunReply{Stdout: []byte(at + " STREAM " + argv[2] + "\n")}
		}
		return protocol.RunReply{ExitCode: 2}
	case "journalctl":
		return protocol.RunReply{Stdout: []byte("the last words\n")}
	case "ctr":
		switch strings.Join(argv[3:5], " ") {
		case "containers list":
			return m.sandboxes(argv[6])
		case "tasks list":
			return m.tasks()
		}
		if argv[4] == "pull" {
			m.images[argv[len(argv)-1]] = "sha256:pulled"
			return protocol.RunReply{}
		}
		return m.importImages(stdin)
	case "etcdctl":
		return m.etcdctl(argv[13:])
	case "kubeadm":
		if err := m.kubeadm(argv[1:]); err != nil {
			return fail("%v", err)
		}
	default:
		return fail("the machine of the test has no %s", program)
	}
	return protocol.RunReply{}
}

func (m *machine) importImages(archive []byte) protocol.RunReply {
	if !m.units["containerd.service"].Running() {
		return protocol.RunReply{ExitCode: 1, Stderr: []byte("containerd does not answer")}
	}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err != nil {
			return protocol.RunReply{ExitCode: 1, Stderr: []byte(err.Error())}
		}
		if h.Name != "index.json" {
			continue
		}
		var index struct {
			Manifests []struct {
				Digest      string
				Annotations map[string]string
			}
		}
		text, err := io.ReadAll(r)
		if err == nil {
			err = json.Unmarshal(text, &index)
		}
		if err != nil {
			return protocol.RunReply{ExitCode: 1, Stderr: []byte(err.Error())}
		}
		for _, i := range index.Manifests {
			m.images[i.Annotations["io.containerd.image.name"]] = i.Digest
		}
		return protocol.RunReply{}
	}
}

// settings are what the test reads of a kubeadm configuration.
type settings struct {
	LocalAPIEndpoint struct {
		AdvertiseAddress string
		BindPort         int
	}
	NodeRegistration struct {
		Name             string
		Taints           *[]any
		KubeletExtraArgs []arg
	}
	Discovery struct {
		File struct{ KubeConfigPath string }
		// TLSBootstrapToken is the token that the worker shows.
		TLSBootstrapToken string
	}
	ControlPlaneEndpoint string
	Patches              struct{ Directory string }
	APIServer            struct {
		CertSANs  []string
		ExtraArgs []arg
	}
	ControllerManager struct{ ExtraArgs []arg }
	Scheduler         struct{ ExtraArgs []arg }
	Networking        struct{ ServiceSubnet, DNSDomain string }
	Etcd              struct {
		Local *struct {
			DataDir   string
			ExtraArgs []arg
		}
		External *struct{ Endpoints []string }
	}
}

// arg is a flag in a kubeadm configuration.
type arg struct{ Name, Value string }

// kubeadm does what kubeadm's phases leave behind.
func (m *machine) kubeadm(args []string) error {
	path := ""
	for i, a := range args {
		switch {
		case a == "--config":
			path = args[i+1]
		case strings.HasPrefix(a, "--") && a != "--skip-phases":
			return fmt.Errorf("can not mix '--config' with arguments [%s]", a)
		}
	}
	if strings.Join(args, " ") == "upgrade node phase kubelet-config" {
		return m.fetchKubeletConfig()
	}
	if !m.has(path) {
		return fmt.Errorf("%s is not there", path)
	}
	var s settings
	for document := range strings.SplitSeq(string(m.files[path].content), "\n---\n") {
		if err := yaml.Unmarshal([]byte(document), &s); err != nil {
			return err
		}
	}
	if args[0] == "join" {
		return m.join(s)
	}
	kubelet := documentOf(string(m.files[path].content), "KubeletConfiguration")
	switch args[2] { // init phase X
	case "certs":
		return m.certs(s)
	case "kubeconfig":
		return m.kubeconfigs(s)
	case "kubelet-start":
		m.kubeadmWrites("/var/lib/kubelet/config.yaml", kubelet, 0o644)
		m.writeFlags(s)
		return m.startKubelet()
	case "control-plane":
		for _, pod := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
			if args[3] == "all" || "kube-"+args[3] == pod {
				m.kubeadmWrites(manifests+pod+".yaml", m.manifestOf(pod, s), 0o600)
			}
		}
		return nil
	case "kubelet-finalize":
		return m.finalizeKubelet()
	case "etcd":
		m.kubeadmWrites(manifests+"etcd.yaml", m.manifestOf("etcd", s), 0o600)
		return nil
	}
	if why := m.unready(); why != "" {
		return fmt.Errorf("the API server of %s: %s", m.name, why)
	}
	m.world.api.Forbid(false) // the phases that use the API give the administrator his rights first
	switch args[2] {
	case "mark-control-plane":
		return m.mark(s)
	case "addon":
		m.world.addons[args[3]] = true
		if args[3] == "kube-proxy" {
			m.world.storeProxyConfig(documentOf(string(m.files[path].content), "KubeProxyConfiguration"), s.ControlPlaneEndpoint)
		}
	case "upload-config":
		m.world.uploads++
		m.world.kubeletConfig = kubelet
	case "bootstrap-token":
	default:
		return fmt.Errorf("the kubeadm of the test does not know %q", args)
	}
	return nil
}

// kubeadmWrites writes a file as kubeadm does: it is not on disk before it is synced.
func (m *machine) kubeadmWrites(path, content string, mode fs.FileMode) {
	m.write(path, content, mode)
	m.unsynced[path] = true
}

func (m *machine) startKubelet() error {
	restarts := m.units["kubelet.service"].Restarts
	_, err := m.unit(protocol.UnitRequest{Name: "kubelet.service", Verb: "restart", Enable: "enable"})
	u := m.units["kubelet.service"]
	u.Restarts = restarts // systemd forgets them by reset-failed alone, which kubeadm does not say
	m.units["kubelet.service"] = u
	return err
}

// certs makes the leaves that are missing, as `kubeadm init phase certs all`.
func (m *machine) certs(s settings) error {
	const dir = "/etc/kubernetes/pki/"
	leaf := func(name, authority string, l pki.Leaf) error {
		if crt, key := dir+name+".crt", dir+name+".key"; m.has(crt) || m.has(key) {
			if _, err := tls.X509KeyPair(m.files[crt].content, m.files[key].content); err != nil {
				return fmt.Errorf("failure loading %s certificate: %w", name, err)
			}
			return nil
		}
		if !m.has(dir + authority + ".key") {
			return fmt.Errorf("%s has no %s to sign %s with", m.name, authority, name)
		}
		pair, err := pki.Sign(pki.Pair{Cert: m.files[dir+authority+".crt"].content, Key: m.files[dir+authority+".key"].content}, l, m.now())
		if err != nil {
			return err
		}
		m.kubeadmWrites(dir+name+".crt", string(pair.Cert), 0o644)
		m.kubeadmWrites(dir+name+".key", string(pair.Key), 0o600)
		return nil
	}
	server := pki.Leaf{CommonName: "kube-apiserver", Server: true}
	service := netip.MustParsePrefix(s.Networking.ServiceSubnet).Addr().Next()
	names := append(s.APIServer.CertSANs, m.name, s.LocalAPIEndpoint.AdvertiseAddress, service.String(),
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc."+s.Networking.DNSDomain)
	for _, n := range names {
		if a, err := netip.ParseAddr(n); err == nil {
			server.Addresses = append(server.Addresses, a)
		} else {
			server.Names = append(server.Names, n)
		}
	}
	client := pki.Leaf{CommonName: "client", Client: true}
	type wanted struct {
		name, authority string
		leaf            pki.Leaf
	}
	list := []wanted{{"apiserver", "ca", server}, {"apiserver-kubelet-client", "ca", client}, {"front-proxy-client", "front-proxy-ca", client}}
	if s.Etcd.Local != nil {
		for _, name := range []string{"apiserver-etcd-client", "etcd/server", "etcd/peer", "etcd/healthcheck-client"} {
			list = append(list, wanted{name, "etcd/ca", client})
		}
	}
	for _, c := range list {
		if err := leaf(c.name, c.authority, c.leaf); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) kubeconfigs(s settings) error {
	const dir = "/etc/kubernetes/pki/"
	ca := pki.Pair{Cert: m.files[dir+"ca.crt"].content, Key: m.files[dir+"ca.key"].content}
	for _, name := range []string{"admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf", "kubelet.conf"} {
		if m.has("/etc/kubernetes/" + name) {
			if len(m.files["/etc/kubernetes/"+name].content) == 0 {
				return fmt.Errorf("failed to find CurrentContext in Contexts of the kubeconfig file /etc/kubernetes/%s", name)
			}
			continue
		}
		pair, err := pki.Sign(ca, pki.Leaf{CommonName: name, Client: true}, m.now())
		if err != nil {
			return err
		}
		server := s.ControlPlaneEndpoint
		if name == "controller-manager.conf" || name == "scheduler.conf" { // they go by the host's own API server
			server = fmt.Sprintf("%s:%d", s.LocalAPIEndpoint.AdvertiseAddress, s.LocalAPIEndpoint.BindPort)
		}
		encode := base64.StdEncoding.EncodeToString
		m.kubeadmWrites("/etc/kubernetes/"+name, fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: c
  cluster:
    server: https://%s
    certificate-authority-data: %s
users: [{name: u, user: {client-certificate-data: %s, client-key-data: %s}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, server, encode(ca.Cert), encode(pair.Cert), encode(pair.Key)), 0o600)
	}
	return nil
}

// mark gives a node the control plane's label and taint.
func (m *machine) mark(s settings) error {
	path := "/api/v1/nodes/" + m.name
	node := m.world.api.Get(path)
	if node == nil {
		return fmt.Errorf("node %s not found", m.name)
	}
	node["metadata"].(kubetest.Object)["labels"] = kubetest.Object{"node-role.kubernetes.io/control-plane": ""}
	node["spec"] = kubetest.Object{}
	if s.NodeRegistration.Taints == nil {
		node["spec"] = kubetest.Object{"taints": []any{kubetest.Object{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}}}
	}
	m.world.api.Put(path, node)
	return nil
}

// join joins a worker through the endpoint that its discovery file names.
func (m *machine) join(s settings) error {
	id, _, _ := strings.Cut(s.Discovery.TLSBootstrapToken, ".")
	secret := m.world.api.Get("/api/v1/namespaces/kube-system/secrets/bootstrap-token-" + id)
	data, _ := secret["stringData"].(map[string]any)
	expires, err := time.Parse(time.RFC3339, fmt.Sprint(data["expiration"]))
	switch {
	case !m.has(s.Discovery.File.KubeConfigPath):
		return fmt.Errorf("%s is not there", s.Discovery.File.KubeConfigPath)
	case secret == nil:
		return fmt.Errorf("the API does not know token %s", id)
	case m.world.tokens[id]:
		return fmt.Errorf("token %s has let somebody join before", id)
	case err != nil || expires.After(m.now().Add(15*time.Minute+time.Second)):
		return fmt.Errorf("token %s lives until %s, longer than 15 minutes from %s: %v", id, expires, m.now(), err)
	case m.world.uploads == 0:
		return fmt.Errorf("configmap kubeadm-config not found")
	}
	server := m.serverIn(s.Discovery.File.KubeConfigPath)
	if why := m.well(server, m.leads(server, m.hostsFile())); why != "" {
		return fmt.Errorf("the endpoint does not answer: %s", why)
	}
	if node := m.world.api.Get("/api/v1/nodes/" + m.name); node != nil && nodeReady(node) {
		return fmt.Errorf("a Node with name %q and status \"Ready\" already exists in the cluster", m.name)
	}
	pair, err := m.world.signClient("system:node:" + m.name)
	if err != nil {
		return err
	}
	m.world.tokens[id] = true
	m.joined = string(m.files["/etc/quorate/join/join.yaml"].content) + "--- discovery\n" + string(m.files[s.Discovery.File.KubeConfigPath].content)
	if ca := authorityIn.FindStringSubmatch(string(m.files[s.Discovery.File.KubeConfigPath].content)); ca != nil && !m.has("/etc/kubernetes/pki/ca.crt") {
		cert, err := base64.StdEncoding.DecodeString(ca[1])
		if err != nil {
			return err
		}
		m.write("/etc/kubernetes/pki/ca.crt", string(cert), 0o644)
	}
	m.write(kubeletClient, string(pair.Cert)+string(pair.Key), 0o600) // the kubelet syncs
	m.kubeadmWrites("/etc/kubernetes/kubelet.conf", fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: c
  cluster:
    server: https://%s
users:
- name: u
  user:
    client-certificate: %s
    client-key: %s
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, server, kubeletClient, kubeletClient), 0o600)
	m.kubeadmWrites("/var/lib/kubelet/config.yaml", m.world.kubeletConfig, 0o644)
	m.writeFlags(s)
	return m.startKubelet()
}

// writeFlags writes what kubeadm gives the kubelet, once.
func (m *machine) writeFlags(s settings) {
	flags := ""
	for _, a := range s.NodeRegistration.KubeletExtraArgs {
		flags += " --" + a.Name + "=" + a.Value
	}
	m.kubeadmWrites("/var/lib/kubelet/instance-config.yaml", "containerRuntimeEndpoint: x\n", 0o644)
	m.kubeadmWrites("/var/lib/kubelet/kubeadm-flags.env", `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///run/containerd/containerd.sock`+flags+"\"\n", 0o644)
}

// kubeletClient is where kubelets keep the certificates that they renew.
const kubeletClient = "/var/lib/kubelet/pki/kubelet-client-current.pem"

// signClient signs a client certificate as a control plane does.
func (w *world) signClient(name string) (pki.Pair, error) {
	for _, m := range w.machines {
		if ca := "/etc/kubernetes/pki/ca."; m.has(ca + "key") {
			return pki.Sign(pki.Pair{Cert: m.files[ca+"crt"].content, Key: m.files[ca+"key"].content}, pki.Leaf{CommonName: name, Client: true}, m.now())
		}
	}
	return pki.Pair{}, errors.New("no machine has the CA")
}

// fetchKubeletConfig writes the settings that are stored in the cluster, as a
// node reads them with its own kubeconfig.
func (m *machine) fetchKubeletConfig() error {
	ready := slices.ContainsFunc(m.world.machines, func(o *machine) bool { return o.unready() == "" })
	switch {
	case m.clientFault() != "":
		return fmt.Errorf("%s cannot ask: %s", m.name, m.clientFault())
	case !ready, m.world.uploads == 0:
		return fmt.Errorf("configmap kubelet-config not found")
	}
	m.kubeadmWrites("/var/lib/kubelet/config.yaml", m.world.kubeletConfig, 0o644)
	return nil
}

// documentOf is a document of a kubeadm configuration.
func documentOf(text, kind string) string {
	for document := range strings.SplitSeq(text, "\n---\n") {
		if strings.Contains(document, "kind: "+kind+"\n") {
			return strings.TrimSpace(document) + "\n"
		}
	}
	return ""
}
