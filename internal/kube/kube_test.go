package kube

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/kube/kubetest"
	"github.com/quorate/quorate/internal/pki"
	"github.com/quorate/quorate/internal/state"
)

// machine is a host of whose agent only what this package asks works: reading
// admin.conf, and connecting to the API server.
type machine struct {
	adminConf string // empty: there is none
	manifest  string // of its API server; empty: there is none
	server    *httptest.Server
	hangs     bool

	mu      sync.Mutex
	dialled []string
}

func (m *machine) RoundTrip(r *http.Request) (*http.Response, error) {
	reply := func(status int, body io.ReadCloser) *http.Response {
		return &http.Response{StatusCode: status, Status: fmt.Sprint(status), ProtoMajor: 2, Header: http.Header{}, Request: r, ContentLength: -1, Body: body}
	}
	fail := func(kind protocol.Kind, message string) (*http.Response, error) {
		text, err := json.Marshal(protocol.Error{Kind: kind, Message: message})
		return reply(http.StatusInternalServerError, io.NopCloser(bytes.NewReader(text))), err
	}
	switch r.URL.Path {
	case "/v1/read":
		asked, err := base64.StdEncoding.DecodeString(r.Header.Get(protocol.ArgsHeader))
		if err != nil {
			return nil, err
		}
		if m.adminConf == "" || strings.Contains(string(asked), APIServerManifest) && m.manifest == "" {
			return fail(protocol.KindNotExist, "no such file or directory")
		}
		if strings.Contains(string(asked), APIServerManifest) {
			return reply(http.StatusOK, io.NopCloser(strings.NewReader(m.manifest))), nil
		}
		return reply(http.StatusOK, io.NopCloser(strings.NewReader(m.adminConf))), nil
	case "/v1/connect":
		text, err := base64.StdEncoding.DecodeString(r.Header.Get(protocol.ArgsHeader))
		if err != nil {
			return nil, err
		}
		var request protocol.ConnectRequest
		if err := json.Unmarshal(text, &request); err != nil {
			return nil, err
		}
		m.mu.Lock()
		m.dialled = append(m.dialled, request.Address)
		m.mu.Unlock()
		if m.hangs {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		if m.server == nil {
			return fail(protocol.KindOther, "connection refused")
		}
		conn, err := net.Dial("tcp", m.server.Listener.Addr().String())
		if err != nil {
			return nil, err
		}
		go func() {
			_, _ = io.Copy(conn, r.Body)
			conn.Close()
		}()
		return reply(http.StatusOK, conn), nil
	}
	return fail(protocol.KindInvalid, "unknown operation "+r.URL.Path)
}

const domain = "api.example"

// authority makes an authority, and a kubeconfig that trusts it.
func authority(t *testing.T) (pki.Pair, string) {
	t.Helper()
	ca, err := pki.NewAuthority("kubernetes", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certificate, key := administrator(t, ca)
	return ca, fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: "https://elsewhere:7443", certificate-authority-data: %s}}], users: [{name: u, user: {client-certificate-data: %s, client-key-data: %s}}]}`,
		base64.StdEncoding.EncodeToString(ca.Cert), certificate, key)
}

// serve runs an API server with a certificate for the endpoint's name.
func serve(t *testing.T, ca pki.Pair, handler http.Handler) *httptest.Server {
	t.Helper()
	pair, err := pki.Sign(ca, pki.Leaf{CommonName: "kube-apiserver", Names: []string{domain}, Server: true}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = nil
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func endpoint() EndpointInfo {
	return EndpointInfo{Name: domain, Addresses: map[string]string{"cp-1": "10.0.0.1", "cp-2": "10.0.0.2", "cp-3": "10.0.0.3"}, Port: 6443}
}

// ready makes a server and a client of it.
func ready(t *testing.T) (*kubetest.Server, *Client, *machine) {
	t.Helper()
	ca, conf := authority(t)
	api := kubetest.New()
	m := &machine{adminConf: conf, server: serve(t, ca, api)}
	c, err := First(t.Context(), []*host.Host{host.New("cp-1", m, nil)}, endpoint())
	if err != nil {
		t.Fatal(err)
	}
	return api, c, m
}

func TestEndpoint(t *testing.T) {
	c := &cluster.Cluster{Kubernetes: cluster.Kubernetes{APIServerPort: 6443}, Endpoint: cluster.Endpoint{Domain: domain, Port: 6443}, Hosts: []cluster.Host{
		{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}, Address: "bastion.example", InternalAddress: netip.MustParseAddr("10.0.0.1")},
		{Name: "node-1", Roles: []cluster.Role{cluster.RoleWorker}, InternalAddress: netip.MustParseAddr("10.0.0.4")},
	}}
	want := EndpointInfo{Name: "kubernetes", Addresses: map[string]string{"cp-1": "10.0.0.1"}, Port: 6443}
	if d := cmp.Diff(want, Endpoint(c)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestFirstTakesTheOneThatIsReady(t *testing.T) {
	ca, conf := authority(t)
	api := kubetest.New()
	good := &machine{adminConf: conf, server: serve(t, ca, api)}
	unwell := kubetest.New()
	unwell.Unready("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n")
	for name, other := range map[string]*machine{
		"hangs": {adminConf: conf, hangs: true}, "refuses": {adminConf: conf},
		"is not ready": {adminConf: conf, server: serve(t, ca, unwell)}, "has no admin.conf": {},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			c, err := First(t.Context(), []*host.Host{host.New("cp-1", other, nil), host.New("cp-2", good, nil)}, endpoint())
			if err != nil || c.Via() != "cp-2" {
				t.Fatalf("via %v, %v; want cp-2", c, err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("it took %s, though cp-2 answered at once", took)
			}
		})
	}
	good.mu.Lock()
	defer good.mu.Unlock()
	// Its admin.conf names the endpoint's port, which may be another one.
	if want := "10.0.0.2:6443"; !slices.Contains(good.dialled, want) {
		t.Errorf("dialled %v, want %s: the host's own server, on the API servers' port", good.dialled, want)
	}
}

// An API server that was told another port than the cluster file's is asked there, so that
// one who is to change the file is told what there is.
func TestClientGoesByTheManifestsPort(t *testing.T) {
	ca, conf := authority(t)
	m := &machine{adminConf: conf, server: serve(t, ca, kubetest.New()), manifest: "    - --secure-port=8443\n"}
	c, err := New(t.Context(), host.New("cp-1", m, nil), endpoint())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Ready(t.Context())
	if want := []string{"10.0.0.1:8443"}; len(m.dialled) == 0 || m.dialled[0] != want[0] {
		t.Errorf("dialled %v, want %v", m.dialled, want)
	}
}

func TestFirstNamesEveryReason(t *testing.T) {
	ca, conf := authority(t)
	stranger, _ := authority(t)
	unwell := kubetest.New()
	unwell.Unready("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n")
	hosts := []*host.Host{
		host.New("cp-1", &machine{adminConf: conf, server: serve(t, stranger, kubetest.New())}, nil),
		host.New("cp-2", &machine{adminConf: conf, server: serve(t, ca, unwell)}, nil),
		host.New("cp-3", &machine{}, nil),
	}
	_, err := First(t.Context(), hosts, endpoint())
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"cp-1", "unknown authority", "cp-2", "etcd", "cp-3", "admin.conf"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not tell of %s", err, want)
		}
	}
	if _, err := First(t.Context(), nil, endpoint()); err == nil {
		t.Error("without any host there is no error")
	}
}

// An API server that answers 401 is there: it is not "not ready".
func TestUnauthorizedIsNotSilence(t *testing.T) {
	for _, c := range []struct {
		reasons []error
		want    string
		refused bool
	}{
		{[]error{errors.New("cp-1: connection refused")}, "no API server answers: cp-1: connection refused", false},
		{
			[]error{errors.New("cp-1: connection refused"), fmt.Errorf("asking: %w", &UnauthorizedError{Host: "cp-2", Reason: "Unauthorized"})},
			"no API server lets Quorate ask: cp-1: connection refused; asking: cp-2: the API server does not take the credentials in /etc/kubernetes/admin.conf: Unauthorized", true,
		},
	} {
		err := NoneAnswers(c.reasons)
		if _, refused := errors.AsType[*UnauthorizedError](err); err.Error() != c.want || refused != c.refused {
			t.Errorf("got %q (refused: %v), want %q (%v)", err, refused, c.want, c.refused)
		}
	}
}

func TestFailedChecks(t *testing.T) {
	for body, want := range map[string]string{
		"[+]ping ok\n[-]etcd failed: reason withheld\n[-]poststarthook/x failed: y\nreadyz check failed\n": "etcd, poststarthook/x",
		`{"kind":"Status","message":"Unauthorized","code":401}`:                                            "Unauthorized",
		"something else\nmore": "something else",
		"":                     "",
	} {
		if got := FailedChecks(body); got != want {
			t.Errorf("FailedChecks(%q) = %q, want %q", body, got, want)
		}
	}
}

func TestObserve(t *testing.T) {
	api, c, _ := ready(t)
	renewed := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	type o = kubetest.Object
	api.Put("/api/v1/nodes/cp-1", o{"apiVersion": "v1", "kind": "Node", "metadata": o{"name": "cp-1", "labels": o{"a": "b"}},
		"spec": o{"unschedulable": true, "taints": []any{o{"key": "k", "effect": "NoSchedule"}}},
		"status": o{
			"nodeInfo": o{"kubeletVersion": "v1.37.1"}, "conditions": []any{o{"type": "MemoryPressure", "status": "False"}, o{"type": "PIDPressure", "status": "Unknown"},
				o{"type": "DiskPressure", "status": "True", "message": "kubelet has disk pressure"}, o{"type": "Ready", "status": "False", "message": "no network"}},
			"addresses": []any{o{"type": "Hostname", "address": "cp-1"}, o{"type": "InternalIP", "address": "10.0.0.1"}, o{"type": "InternalIP", "address": "fd00::1"}},
		}})
	api.Put("/api/v1/nodes/new", o{"apiVersion": "v1", "kind": "Node", "metadata": o{"name": "new"}})
	api.Put("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler", o{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
		"metadata": o{"name": "kube-scheduler"}, "spec": o{"holderIdentity": "cp-2_1-2-3", "renewTime": renewed.Format("2006-01-02T15:04:05.000000Z")}})
	api.Put("/api/v1/namespaces/kube-system/configmaps/quorate", o{"apiVersion": "v1", "kind": "ConfigMap", "data": o{"flannel": "d1"}})
	api.Put("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy", o{"apiVersion": "apps/v1", "kind": "DaemonSet",
		"status": o{"desiredNumberScheduled": 6, "numberReady": 5, "updatedNumberScheduled": 4}})
	api.Put("/apis/apps/v1/namespaces/kube-system/deployments/coredns", o{"apiVersion": "apps/v1", "kind": "Deployment",
		"spec": o{"replicas": 2}, "status": o{"readyReplicas": 2, "updatedReplicas": 2}})
	pod := func(name, node, ready string) {
		api.Put("/api/v1/namespaces/kube-system/pods/"+name, o{"apiVersion": "v1", "kind": "Pod", "metadata": o{"name": name, "namespace": "kube-system", "labels": o{"k8s-app": "kube-dns"}},
			"spec": o{"nodeName": node}, "status": o{"conditions": []any{o{"type": "Ready", "status": ready}}}})
	}
	pod("coredns-1-a", "cp-1", "True")
	pod("coredns-1-b", "cp-1", "True")
	pod("coredns-1-c", "cp-2", "False") // one that does not serve
	pod("somebody-elses", "cp-3", "True")
	got, err := c.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := &state.API{
		Version: "v1.37.1", Via: "cp-1",
		Nodes: map[string]state.Node{
			"cp-1": {Reason: "no network", Kubelet: "v1.37.1", InternalIP: "10.0.0.1", Labels: map[string]string{"a": "b"}, Taints: []string{"k:NoSchedule"}, Unschedulable: true,
				Troubles: map[string]string{"DiskPressure": "kubelet has disk pressure"}},
			"new": {Reason: "the kubelet has not reported yet"},
		},
		Leases:    map[string]state.Lease{"kube-scheduler": {Holder: "cp-2", Renewed: renewed}},
		Record:    map[string]string{"flannel": "d1"},
		Workloads: map[string]state.Workload{"DaemonSet/kube-system/kube-proxy": {Desired: 6, Ready: 5, Updated: 4}, "Deployment/kube-system/coredns": {Desired: 2, Ready: 2, Updated: 2, Together: "cp-1"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	pod("coredns-1-c", "cp-2", "True")
	if got, err = c.Observe(t.Context()); err != nil || got.Workloads["Deployment/kube-system/coredns"].Together != "" {
		t.Errorf("on two nodes: %+v, %v", got, err)
	}
}

func TestApplyIsServerSide(t *testing.T) {
	api, c, _ := ready(t)
	manifest := `apiVersion: v1
kind: Namespace
metadata: {name: net}
---
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: d, namespace: net}
spec: {x: 1}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: r}
`
	if err := c.Apply(t.Context(), []byte(manifest)); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, r := range api.Requests() {
		if r.Method != http.MethodPatch {
			continue
		}
		paths = append(paths, r.Path)
		q, err := url.ParseQuery(r.Query)
		if err != nil || q.Get("fieldManager") != "quorate" || q.Get("force") != "true" {
			t.Errorf("%s is applied with %q, want the field manager quorate, and force", r.Path, r.Query)
		}
	}
	want := []string{"/api/v1/namespaces/net", "/apis/apps/v1/namespaces/net/daemonsets/d", "/apis/rbac.authorization.k8s.io/v1/clusterroles/r"}
	if d := cmp.Diff(want, paths); d != "" {
		t.Errorf("applied, in order (-want +got):\n%s", d)
	}
	if err := c.Apply(t.Context(), []byte("apiVersion: v1\nkind: Nonsense\nmetadata: {name: x}\n")); err == nil || !strings.Contains(err.Error(), "nonsense x") {
		t.Errorf("error %v, want one that names the object", err)
	}
	if err := c.Apply(t.Context(), []byte("\t:")); err == nil {
		t.Error("what is no YAML is no error")
	}
}

// Notes of different subjects have owners of their own.
func TestRecord(t *testing.T) {
	api, c, _ := ready(t)
	if got, err := c.Records(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("nothing noted: %v, %v", got, err)
	}
	for _, subject := range []string{"flannel", "kube-proxy"} {
		if err := c.Record(t.Context(), subject, "digest of "+subject); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"flannel": "digest of flannel", "kube-proxy": "digest of kube-proxy"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	managers := map[string]bool{}
	for _, r := range api.Requests() {
		if r.Method == http.MethodPatch {
			q, err := url.ParseQuery(r.Query)
			if err != nil {
				t.Fatal(err)
			}
			managers[q.Get("fieldManager")] = true
		}
	}
	if !managers["quorate-flannel"] || !managers["quorate-kube-proxy"] {
		t.Errorf("field managers %v", managers)
	}
}

// Of a workload's pods, those of one node are found, and a pod is deleted, not its
// successor of the same name.
func TestPodsOn(t *testing.T) {
	api, c, _ := ready(t)
	const path = "/api/v1/namespaces/kube-system/pods/"
	put := func(name, node, owner, ready string) {
		api.Put(path+name, kubetest.Object{
			"apiVersion": "v1", "kind": "Pod", "metadata": kubetest.Object{
				"name": name, "namespace": "kube-system", "uid": "uid-" + name, "ownerReferences": []any{kubetest.Object{"kind": "DaemonSet", "name": owner}},
			},
			"spec": kubetest.Object{"nodeName": node}, "status": kubetest.Object{"conditions": []any{kubetest.Object{"type": "Ready", "status": ready}}},
		})
	}
	put("kube-proxy-a", "node-1", "kube-proxy", "True")
	put("kube-proxy-b", "node-2", "kube-proxy", "True")
	put("other", "node-1", "other", "True")
	put("kube-proxy-c", "node-1", "kube-proxy", "False")
	got, err := c.PodsOn(t.Context(), "DaemonSet/kube-system/kube-proxy", "node-1")
	want := []Pod{
		{Namespace: "kube-system", Name: "kube-proxy-a", UID: "uid-kube-proxy-a", Ready: true},
		{Namespace: "kube-system", Name: "kube-proxy-c", UID: "uid-kube-proxy-c"},
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Fatalf("%v (-want +got):\n%s", err, d)
	}
	for range 2 { // a missing one is no error
		if err := c.DeletePod(t.Context(), got[0]); err != nil || api.Get(path+"kube-proxy-a") != nil {
			t.Errorf("%v, left %v", err, api.Get(path+"kube-proxy-a"))
		}
	}
	requests := api.Requests()
	if body := string(requests[len(requests)-1].Body); !strings.Contains(body, "uid-kube-proxy-a") {
		t.Errorf("the deletion is of whatever has the name: %s", body)
	}
}

// A node that never renewed its lease is told from one that did.
func TestNodeRenewed(t *testing.T) {
	api, c, _ := ready(t)
	if at, err := c.NodeRenewed(t.Context(), "node-1"); err != nil || !at.IsZero() {
		t.Errorf("%v, %v", at, err)
	}
	api.Put("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-1", kubetest.Object{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": kubetest.Object{"name": "node-1"},
		"spec": kubetest.Object{"renewTime": "2026-11-20T10:00:00.000000Z"},
	})
	if at, err := c.NodeRenewed(t.Context(), "node-1"); err != nil || !at.Equal(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %v", at, err)
	}
}

func TestSecrets(t *testing.T) {
	api, c, _ := ready(t)
	const path = "/api/v1/namespaces/kube-system/secrets/bootstrap-token-x"
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-x"}, Type: corev1.SecretTypeBootstrapToken, StringData: map[string]string{"token-id": "x"}}
	if err := c.CreateSecret(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got := api.Get(path); got["kind"] != "Secret" || got["type"] != string(corev1.SecretTypeBootstrapToken) {
		t.Errorf("stored %v", got)
	}
	for range 2 { // a missing one is no error
		if err := c.DeleteSecret(t.Context(), s.Name); err != nil || api.Get(path) != nil {
			t.Errorf("%v, left %v", err, api.Get(path))
		}
	}
}

// Of CoreDNS' pods, one is made anew where all that serve are on one node, and none
// where they are not: a cluster that resolves names goes on to.
func TestSpreadDNS(t *testing.T) {
	const path = "/api/v1/namespaces/kube-system/pods/"
	for _, tt := range []struct {
		what string
		pods [][3]string // name, node, ready
		left string
	}{
		{"on one node", [][3]string{{"coredns-1", "cp-1", "True"}, {"coredns-2", "cp-1", "True"}}, "coredns-1"},
		{"on two", [][3]string{{"coredns-1", "cp-1", "True"}, {"coredns-2", "cp-2", "True"}}, "coredns-1 coredns-2"},
		{"one of two serves", [][3]string{{"coredns-1", "cp-1", "True"}, {"coredns-2", "cp-1", "False"}}, "coredns-1 coredns-2"},
		{"others beside one", [][3]string{{"coredns-1", "cp-1", "True"}, {"own-dns", "cp-1", "True"}}, "coredns-1 own-dns"},
		{"none", nil, ""},
	} {
		api, c, _ := ready(t)
		for _, p := range tt.pods {
			api.Put(path+p[0], kubetest.Object{"apiVersion": "v1", "kind": "Pod",
				"metadata": kubetest.Object{"name": p[0], "namespace": "kube-system", "uid": "uid-" + p[0], "labels": kubetest.Object{"k8s-app": "kube-dns"}},
				"spec":     kubetest.Object{"nodeName": p[1]}, "status": kubetest.Object{"conditions": []any{kubetest.Object{"type": "Ready", "status": p[2]}}},
			})
		}
		if err := c.SpreadDNS(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, p := range tt.pods {
			if api.Get(path+p[0]) != nil {
				left = append(left, p[0])
			}
		}
		if got := strings.Join(left, " "); got != tt.left {
			t.Errorf("%s: left %q, want %q", tt.what, got, tt.left)
		}
	}
}
