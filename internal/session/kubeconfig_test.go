package session

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/kube"
	"github.com/quorate/quorate/internal/plan"
)

func TestOperatorKubeconfig(t *testing.T) {
	credentials := kube.Credentials{Authority: []byte("authority"), Certificate: []byte("certificate"), Key: []byte("key")}
	c := &cluster.Cluster{Name: "prod", Kubernetes: cluster.Kubernetes{APIServerPort: 6443}, Endpoint: cluster.Endpoint{Domain: "lb.example"}}
	for i, name := range []string{"cp-1", "cp-2"} {
		c.Hosts = append(c.Hosts, cluster.Host{Name: name, Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}).String(), Roles: []cluster.Role{cluster.RoleControlPlane}})
	}
	for _, tt := range []struct {
		name     string
		port     int
		balancer cluster.LoadBalancer
		want     map[string]string
	}{
		{"localhost", 6443, cluster.LoadBalancer{}, map[string]string{"prod": "https://10.0.0.1:6443", "prod-cp-2": "https://10.0.0.2:6443"}},
		{"an address", 6443, cluster.LoadBalancer{VIP: netip.MustParseAddr("10.0.0.100")}, map[string]string{
			"prod": "https://10.0.0.100:6443", "prod-cp-1": "https://10.0.0.1:6443", "prod-cp-2": "https://10.0.0.2:6443",
		}},
		{"a name", 6443, cluster.LoadBalancer{VIPHost: "lb.example"}, map[string]string{
			"prod": "https://lb.example:6443", "prod-cp-1": "https://10.0.0.1:6443", "prod-cp-2": "https://10.0.0.2:6443",
		}},
		// API servers do not have the endpoint's port.
		{"localhost, on another port", 8443, cluster.LoadBalancer{}, map[string]string{"prod": "https://10.0.0.1:6443", "prod-cp-2": "https://10.0.0.2:6443"}},
		{"an address, on another port", 443, cluster.LoadBalancer{VIP: netip.MustParseAddr("10.0.0.100")}, map[string]string{
			"prod": "https://10.0.0.100:443", "prod-cp-1": "https://10.0.0.1:6443", "prod-cp-2": "https://10.0.0.2:6443",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.Endpoint.Port, c.Endpoint.LoadBalancer = tt.port, tt.balancer
			config := operatorKubeconfig(credentials, c)
			want := map[string]*clientcmdapi.AuthInfo{"prod-admin": {ClientCertificateData: []byte("certificate"), ClientKeyData: []byte("key")}}
			if diff := cmp.Diff(want, config.AuthInfos); diff != "" {
				t.Errorf("the user holds more or less than a certificate and its key (-want +got):\n%s", diff)
			}
			got := map[string]string{}
			for name, context := range config.Contexts {
				server := config.Clusters[context.Cluster]
				got[name] = server.Server
				if server.TLSServerName != "lb.example" || string(server.CertificateAuthorityData) != "authority" {
					t.Errorf("%s: %+v", name, server)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || config.CurrentContext != "prod" {
				t.Errorf("current %s (-want +got):\n%s", config.CurrentContext, diff)
			}
		})
	}
}

// A run that failed in its last step left no kubeconfig, when it was needed most.
func TestKubeconfigIsWrittenWithTheFirstAPIServer(t *testing.T) {
	written := 0
	e := &earlyKubeconfig{write: func() { written++ }}
	ids := []plan.ID{"os/packages@cp-1", plan.On(component.StepControlPlane, "cp-1"), plan.On(component.StepControlPlane, "cp-2")}
	for _, id := range ids {
		e.send(event.Event{Body: event.StepStarted{ID: id}})
	}
	e.wait()
	if written != 0 {
		t.Error("written before there was an API server")
	}
	for _, id := range ids {
		e.send(event.Event{Body: event.StepDone{ID: id}})
	}
	e.wait()
	if written != 1 {
		t.Errorf("written %d times", written)
	}
}
