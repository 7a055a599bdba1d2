package config

import (
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

const listenersPath = strict.Path("spec.endpoint.listeners")

// checkListeners checks that no listener has a name or a port that is taken.
func checkListeners(r *strict.Report, c *cluster.Cluster) {
	if len(c.Endpoint.Listeners) > 0 && c.Endpoint.LoadBalancer.Mode != cluster.BalancerManaged {
		r.Warnf(listenersPath, "write mode: managed, or have your own balancer carry them",
			"endpoint.listeners has no effect in mode %s", c.Endpoint.LoadBalancer.Mode)
		return
	}
	names, ports := map[string]bool{}, map[int]string{c.Endpoint.Port: "endpoint.port"}
	for i, l := range c.Endpoint.Listeners {
		at := listenersPath.Index(i)
		if l.Name != "" && names[l.Name] {
			r.Errorf(at.Key("name"), "give each its own", "two listeners are called %s", l.Name)
		}
		names[l.Name] = true
		if l.Port == 0 {
			continue // told already
		}
		if by, taken := ports[l.Port]; taken {
			r.Errorf(at.Key("port"), "", "listener %s: port %d is that of %s", l.Name, l.Port, by)
		}
		ports[l.Port] = "listener " + l.Name
		for _, h := range c.Balancers() {
			by := takenOn(h, l.Port)
			if h.Has(cluster.RoleControlPlane) && l.Port == c.Kubernetes.APIServerPort {
				by = "the API server"
			}
			if by != "" && l.Port != c.Endpoint.Port {
				r.Errorf(at.Key("port"), "give another port", "listener %s: port %d is that of %s, on host %s", l.Name, l.Port, by, h.Name)
			}
		}
	}
}

// checkManagedOnly warns of what only managed load balancers have.
func checkManagedOnly(r *strict.Report, c *cluster.Cluster) {
	lb := &c.Endpoint.LoadBalancer
	if lb.Mode != cluster.BalancerKubeVIP && r.Given(balancerPath.Key("kubeVIP")) {
		r.Warnf(balancerPath.Key("kubeVIP"), "remove kubeVIP", "loadBalancer.kubeVIP has no effect in mode %s", lb.Mode)
	}
	if lb.Mode == cluster.BalancerManaged {
		return
	}
	for _, field := range []struct {
		key   string
		given bool
	}{
		{"preempt", lb.Preempt},
		{"virtualRouterID", lb.VirtualRouterID != 0},
		{"interface", lb.Interface != "" && lb.Mode != cluster.BalancerKubeVIP},
	} {
		if field.given {
			r.Warnf(balancerPath.Key(field.key), "remove "+field.key, "loadBalancer.%s has no effect in mode %s", field.key, lb.Mode)
		}
	}
}

// checkSharedPort checks that an API server lets a load balancer beside it have
// the port on the VIP.
func checkSharedPort(r *strict.Report, c *cluster.Cluster) {
	if !c.SharesAPIPort() {
		return
	}
	for i, arg := range c.Kubernetes.APIServerArgs {
		if arg.Name == "permit-port-sharing" && arg.Value != "true" {
			r.Errorf(strict.Path("spec.kubernetes.apiServer.extraArgs").Index(i), "remove it",
				"the load balancers run beside the API servers, which must share their port (permit-port-sharing)")
		}
	}
}
