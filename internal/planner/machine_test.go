package planner_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// machine is a host that lives in memory: it answers the agent's operations
// as a real one would, as far as the observer and the steps can see. Its
// world's lock guards it.
type machine struct {
	ran   [][]string    // the programs that steps have run
	stand chan net.Conn // what stands in for its API server; nil for nothing
	world *world
	name  string

	base     protocol.Facts // what is always reported
	clock    time.Duration  // ahead of the test's own clock
	off      bool           // has no power
	files    map[string]file
	unsynced map[string]bool // files that a power cut would empty
	units    map[string]protocol.Unit
	packages map[string]string
	sources  map[string]bool // what its package sources have; nil for everything
	images   map[string]string
	modules  map[string]bool
	sysctls  map[string]string
	starts   map[string]int // how often a unit was started or restarted, a static pod made
	reloads  map[string]int
	loaded   map[string]string // digest of the settings that a unit runs with
	joined   string            // what kubeadm joined it with
	pods     map[string]*staticPod
	read     map[string]string // the settings that a unit runs with
	unheard  int               // how often its kube-proxy still does not know that its own API server is back
	notFound map[string]int    // how often its HAProxy still says of an API server that was restarted that it is not ready

	peer  string // the peer URL that its etcd member was first started with
	apart bool   // its member was restored into an etcd cluster of its own

	cut     []string // addresses whose connections were cut
	address string
	served  *tls.Certificate // what its API server proves itself with
	// servedFiles are the certificate and key that served was made of.
	servedFiles string
	// agent is its kubelet as a client of the API, clients the pods on its own
	// network, by their workloads' names.
	agent *client
	// unregistered is set once its Node was deleted: a kubelet that runs does not
	// make it anew.
	unregistered bool
	clients      map[string]*podClient
}

type file struct {
	content []byte
	mode    fs.FileMode
}

func newMachine(w *world, name string) *machine {
	return &machine{
		world: w, name: name,
		base: protocol.Facts{
			Hostname: name, MachineID: "machine-" + name, BootID: "boot-" + name,
			OS:     protocol.OS{ID: "debian", Version: "12", PrettyName: "Debian GNU/Linux 12 (bookworm)"},
			Kernel: "6.1.0", Arch: "amd64", CPUs: 4, MemoryBytes: 8 << 30, Cgroup: "v2", Capabilities: 1<<41 - 1,
			PackageTool: "apt",
			Disks: map[string]protocol.Disk{
				"/": {MountPoint: "/", Type: "ext4", Size: 40 << 30, Available: 30 << 30}, "/var/lib": {MountPoint: "/", Type: "ext4", Size: 40 << 30, Available: 30 << 30},
			},
		},
		files: map[string]file{
			"/etc/hosts": {[]byte("127.0.0.1 localhost\n"), 0o644},
			"/etc/fstab": {[]byte("/dev/sda1 / ext4 defaults 0 1\n"), 0o644},
			"/proc/sys/net/netfilter/nf_conntrack_max": {[]byte("262144\n"), 0o644},
			"/proc/net/arp": {[]byte("IP address HW type Flags HW address Mask Device\n"), 0o444},
		},
		unsynced: map[string]bool{}, units: map[string]protocol.Unit{}, packages: map[string]string{}, images: map[string]string{},
		modules: map[string]bool{}, sysctls: map[string]string{}, starts: map[string]int{}, reloads: map[string]int{}, loaded: map[string]string{},
		pods: map[string]*staticPod{}, read: map[string]string{}, clients: map[string]*podClient{},
	}
}

// offers reports whether the machine's package sources have a package.
func (m *machine) offers(name string) bool { return m.sources == nil || m.sources[name] }

func (m *machine) has(path string) bool { _, ok := m.files[path]; return ok }

func (m *machine) write(path string, content string, mode fs.FileMode) {
	m.files[path] = file{[]byte(content), mode}
	delete(m.unsynced, path)
}

// removeAll removes a path and all below it.
func (m *machine) removeAll(path string) {
	maps.DeleteFunc(m.files, func(p string, _ file) bool { return p == path || strings.HasPrefix(p, path+"/") })
}

// RoundTrip makes the machine a transport of package host.
func (m *machine) RoundTrip(r *http.Request) (*http.Response, error) {
	op := strings.TrimPrefix(r.URL.Path, "/v1/")
	args := []byte(nil)
	if header := r.Header.Get(protocol.ArgsHeader); header != "" {
		var err error
		if args, err = base64.StdEncoding.DecodeString(header); err != nil {
			return nil, err
		}
	}
	switch op {
	case protocol.OpConnect:
		return m.connect(r, args)
	case protocol.OpListen:
		m.world.mu.Lock()
		defer m.world.mu.Unlock()
		return m.listen(r)
	}
	var body []byte
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	if args == nil {
		args = body
	}
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	if err := m.world.interrupt(m, op, args); err != nil {
		return nil, err
	}
	if op != protocol.OpFacts && op != protocol.OpRead {
		m.world.last = fmt.Sprintf("%s %s on %s", op, args[:min(len(args), 100)], m.name)
	}
	if m.off {
		return nil, errors.New("no route to host")
	}
	reply, err := m.do(op, args, body)
	m.world.settle()
	if err != nil {
		wire, ok := errors.AsType[*protocol.Error](err)
		if !ok {
			return nil, err
		}
		text, err := json.Marshal(wire)
		if err != nil {
			return nil, err
		}
		return respond(r, http.StatusInternalServerError, text), nil
	}
	if raw, ok := reply.([]byte); ok {
		return respond(r, http.StatusOK, raw), nil
	}
	text, err := json.Marshal(reply)
	if err != nil {
		return nil, err
	}
	return respond(r, http.StatusOK, text), nil
}

func respond(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		Status: fmt.Sprint(status), StatusCode: status, Proto: "HTTP/2.0", ProtoMajor: 2, Header: http.Header{}, Request: r,
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
	}
}

// connect opens a stream to the API server of the address asked for.
func (m *machine) connect(r *http.Request, args []byte) (*http.Response, error) {
	var request protocol.ConnectRequest
	if err := json.Unmarshal(args, &request); err != nil {
		return nil, err
	}
	m.world.mu.Lock()
	off, listener := m.off, m.listening(request.Address)
	m.world.mu.Unlock()
	if off || listener == nil {
		r.Body.Close()
		text, err := json.Marshal(protocol.Failure(protocol.KindOther, "dial tcp %s: connection refused", request.Address))
		return respond(r, http.StatusBadGateway, text), err
	}
	near, far := net.Pipe()
	select {
	case listener <- far:
	case <-m.world.over:
		return nil, net.ErrClosed
	}
	go func() {
		_, _ = io.Copy(near, r.Body)
		near.Close()
	}()
	response := respond(r, http.StatusOK, nil)
	response.ContentLength, response.Body = -1, near
	return response, nil
}

func (m *machine) do(op string, args, body []byte) (any, error) {
	switch op {
	case protocol.OpFacts:
		return with(args, m.facts)
	case protocol.OpRead:
		return with(args, func(q protocol.ReadRequest) (any, error) {
			if !m.has(q.Path) {
				return nil, protocol.Failure(protocol.KindNotExist, "open %s: no such file or directory", q.Path)
			}
			return m.files[q.Path].content, nil
		})
	case protocol.OpWrite:
		return with(args, func(q protocol.WriteRequest) (any, error) {
			old, ok := m.files[q.Path]
			changed := !ok || !bytes.Equal(old.content, body) || old.mode != fs.FileMode(q.Mode)
			m.write(q.Path, string(body), fs.FileMode(q.Mode))
			return protocol.WriteReply{Changed: changed, SHA256: digestOf(body)}, nil
		})
	case protocol.OpRemove:
		return with(args, func(q protocol.RemoveRequest) (any, error) {
			m.removeAll(q.Path)
			return protocol.ChangedReply{Changed: true}, nil
		})
	case protocol.OpSync:
		return with(args, func(q protocol.SyncRequest) (any, error) {
			maps.DeleteFunc(m.unsynced, func(path string, _ bool) bool {
				return slices.ContainsFunc(q.Paths, func(p string) bool { return p == path || strings.HasPrefix(path, p+"/") })
			})
			return protocol.ChangedReply{}, nil
		})
	case protocol.OpMkdir:
		return protocol.ChangedReply{}, nil
	case protocol.OpUnpack:
		return protocol.UnpackReply{}, m.unpack(body)
	case protocol.OpUnit:
		return with(args, m.unit)
	case protocol.OpPackages:
		return with(args, func(q protocol.PackagesRequest) (any, error) {
			for _, name := range q.Names {
				sent := slices.ContainsFunc(q.Files, func(path string) bool { return strings.HasSuffix(path, "/"+name+".deb") })
				if !sent && !m.offers(name) {
					return nil, protocol.Failure(protocol.KindOther, "unable to locate package %s", name)
				}
				m.packages[name] = "1.0"
			}
			return protocol.PackagesReply{Changed: q.Names}, nil
		})
	case protocol.OpRun:
		return with(args, func(q protocol.RunRequest) (any, error) { return m.run(q.Argv, body), nil })
	case protocol.OpExit:
		return protocol.ChangedReply{}, nil
	}
	return nil, protocol.Failure(protocol.KindInvalid, "the machine of the test does not know the operation %s", op)
}

func with[Request any](args []byte, do func(Request) (any, error)) (any, error) {
	var request Request
	if err := json.Unmarshal(args, &request); err != nil {
		return nil, err
	}
	return do(request)
}

// now is what its clock says.
func (m *machine) now() time.Time { return time.Now().Add(m.clock) }

func (m *machine) facts(q protocol.FactsRequest) (any, error) {
	f := m.base
	f.Time = m.now()
	f.Files, f.Units, f.Packages = map[string]protocol.File{}, map[string]protocol.Unit{}, map[string]string{}
	f.Listening = append(slices.Clone(f.Listening), m.podPorts()...)
	f.Sysctls, f.Modules = map[string]string{}, map[string]bool{}
	for _, ask := range q.Files {
		f.Files[ask.Path] = m.describe(ask)
	}
	f.Dirs = map[string][]string{}
	for _, dir := range q.Dirs {
		if names := m.list(dir); names != nil {
			f.Dirs[dir] = names
		}
	}
	for _, name := range q.Units {
		if u, ok := m.units[name]; ok {
			if u.Restarts > 0 {
				u.ActiveSince = f.Time.Unix() // once more
			}
			f.Units[name] = u
		}
	}
	for _, name := range q.Packages {
		if v, ok := m.packages[name]; ok {
			f.Packages[name] = v
		}
	}
	f.Candidates = map[string]string{}
	for _, name := range q.Candidates[f.PackageTool] {
		if m.packages[name] == "" && m.offers(name) {
			f.Candidates[name] = "1.0"
		}
	}
	for _, name := range q.Sysctls {
		f.Sysctls[name] = m.sysctls[name]
	}
	for _, name := range q.Modules {
		f.Modules[name] = m.modules[name]
	}
	if q.Images && m.has(q.CtrPath) {
		f.Images = maps.Clone(m.images)
	}
	for _, ask := range q.LocalHTTP {
		f.LocalHTTP = append(f.LocalHTTP, m.ask(ask))
	}
	f.Interfaces = m.interfaces()
	if q.ConnectedTo > 0 {
		f.Connected = m.connected(q.ConnectedTo)
	}
	return f, nil
}

// list are the names in a folder; nil where it is not there.
func (m *machine) list(dir string) []string {
	var names []string
	for path := range m.files {
		if rest, ok := strings.CutPrefix(path, dir+"/"); ok {
			name, _, _ := strings.Cut(rest, "/")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (m *machine) describe(q protocol.FileQuery) protocol.File {
	if slices.ContainsFunc(slices.Collect(maps.Keys(m.files)), func(p string) bool { return strings.HasPrefix(p, q.Path+"/") }) {
		return protocol.File{Exists: true, Dir: true, Mode: 0o700}
	}
	f, ok := m.files[q.Path]
	if !ok {
		return protocol.File{}
	}
	out := protocol.File{Exists: true, Size: int64(len(f.content)), Mode: uint32(f.mode)}
	if q.Content && len(f.content) <= protocol.MaxContent {
		out.Content = string(f.content)
	}
	if q.Digest {
		out.SHA256 = digestOf(f.content)
	}
	if q.Certificate {
		certificates, _ := m.pairIn(f.content)
		out.Certificates = string(certificates)
		if q.Key != "" && out.Certificates != "" {
			_, key := m.pairIn(m.files[q.Key].content)
			if _, err := tls.X509KeyPair(certificates, key); err != nil {
				out.KeyError = strings.TrimPrefix(err.Error(), "tls: ")
			}
		}
	}
	return out
}

// pairIn finds certificates and keys as the agent does.
func (m *machine) pairIn(content []byte) (certificates, keys []byte) {
	if config, err := clientcmd.Load(content); err == nil {
		for _, user := range config.AuthInfos {
			content = slices.Concat(user.ClientCertificateData, user.ClientKeyData, m.files[user.ClientCertificate].content)
		}
	}
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			certificates = append(certificates, pem.EncodeToMemory(block)...)
		} else {
			keys = append(keys, pem.EncodeToMemory(block)...)
		}
	}
	return certificates, keys
}

func (m *machine) unpack(stream []byte) error {
	files := map[string]file{}
	for r := tar.NewReader(bytes.NewReader(stream)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			maps.Copy(m.files, files)
			return nil
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if want := h.PAXRecords[protocol.PAXSHA256]; want != digestOf(content) {
			return protocol.Failure(protocol.KindDigest, "%s has the wrong digest", h.Name)
		}
		files[h.Name] = file{content, fs.FileMode(h.Mode)}
	}
}

func (m *machine) unit(q protocol.UnitRequest) (any, error) {
	if q.DaemonReload {
		maps.DeleteFunc(m.units, func(name string, u protocol.Unit) bool {
			return !u.Running() && !m.has("/etc/systemd/system/"+name) && m.packages[strings.TrimSuffix(name, ".service")] == ""
		})
	}
	if q.Name == "" {
		return protocol.UnitReply{}, nil
	}
	u := m.units[q.Name]
	if !m.has("/etc/systemd/system/"+q.Name) && m.packages[strings.TrimSuffix(q.Name, ".service")] == "" {
		return nil, protocol.Failure(protocol.KindOther, "Unit %s not found.", q.Name)
	}
	u.Load = "loaded"
	if u.Enabled == "" {
		u.Enabled, u.Active, u.Sub = "disabled", "inactive", "dead"
	}
	if q.Enable == "enable" {
		u.Enabled = "enabled"
	}
	switch {
	case q.Verb == "reset-failed":
		u.Restarts = 0
	case q.Verb == "stop":
		u.Active, u.Sub, u.Enabled, u.Restarts = "inactive", "dead", "disabled", 0
	case q.Verb == "reload-or-restart" && u.Running():
		m.reloads[q.Name]++
		m.load(q.Name)
	case q.Verb == "restart", q.Verb != "" && (u.Active != "active" || u.Restarts > 0):
		m.starts[q.Name]++
		m.load(q.Name)
		u.Active, u.Sub, u.Restarts = "active", "running", 0
		if q.Name == kubelet && m.kubeletFault() != "" {
			u.Active, u.Sub = "activating", "auto-restart"
		}
	}
	m.units[q.Name] = u
	return protocol.UnitReply{Unit: u, Changed: true}, nil
}

// load lets a unit read its settings.
func (m *machine) load(unit string) {
	m.loaded[unit] = m.settingsOf(unit)
	defer func() { m.watchBinds(m.read[unit]) }()
	switch unit {
	case haproxy:
		m.read[unit] = string(m.files["/etc/quorate/haproxy/haproxy.cfg"].content)
	case nginx:
		m.read[unit] = string(m.files["/etc/quorate/nginx/nginx.conf"].content)
	case keepalived:
		m.read[unit] = string(m.files["/etc/quorate/keepalived/keepalived.conf"].content)
	case kubelet:
		m.unregistered = false
		m.agent = m.startClient(m.kubeletServer(), m.hostsFile())
	}
}

// settingsOf is a digest of what a unit reads when it starts or reloads, and of
// the program that it runs.
func (m *machine) settingsOf(unit string) string {
	var text []byte
	paths := map[string][]string{
		"containerd.service":      {"/etc/containerd/config.toml"},
		"etcd.service":            {"/etc/etcd/etcd.yaml"},
		"kubelet.service":         {"/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", "/var/lib/kubelet/config.yaml"},
		"quorate-nginx.service":   {"/etc/quorate/nginx/nginx.conf"},
		"quorate-haproxy.service": {"/etc/quorate/haproxy/haproxy.cfg", "/etc/quorate/haproxy/ca.crt"},
		"quorate-keepalived.service": {
			"/etc/quorate/keepalived/keepalived.conf", "/etc/quorate/keepalived/check.sh", "/etc/quorate/keepalived/note.sh",
		},
	}[unit]
	for _, path := range append(paths, "/etc/systemd/system/"+unit, "/usr/local/bin/"+strings.TrimSuffix(unit, ".service")) {
		text = append(text, m.files[path].content...)
	}
	return digestOf(text)
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
