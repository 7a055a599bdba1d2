package config

import (
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

// checkDomain checks that the endpoint's name is nobody else's: every host
// resolves it by an entry in its own hosts file.
func checkDomain(r *strict.Report, c *cluster.Cluster) {
	const at = strict.Path("spec.endpoint.domain")
	domain := c.Endpoint.Domain
	if domain == "" {
		return
	}
	if domain == "localhost" || strings.HasPrefix(domain, "localhost.") || strings.HasSuffix(domain, ".localhost") {
		r.Errorf(at, "choose a name of its own, such as "+defaultDomain, "endpoint.domain %s is every host's name for itself", domain)
		return
	}
	for i := range c.Hosts {
		if h := &c.Hosts[i]; strings.EqualFold(h.Name, domain) || strings.EqualFold(h.Address, domain) {
			r.Errorf(at, "choose a name of its own, such as "+defaultDomain,
				"endpoint.domain %s is the name of host %s: who looks for the one would find the other", domain, h.Name)
		}
	}
	inside := c.Kubernetes.DNSDomain
	switch {
	case inside == "":
	case domain == inside || strings.HasSuffix(domain, "."+inside):
		r.Errorf(at, "choose a name outside of it, such as "+defaultDomain,
			"endpoint.domain %s is in the cluster's own domain %s, whose names only its DNS server answers: pods could not resolve it", domain, inside)
	case strings.HasSuffix(inside, "."+domain):
		r.Warnf("spec.kubernetes.dnsDomain", "", "the cluster's domain %s is below endpoint.domain %s", inside, domain)
	}
}
