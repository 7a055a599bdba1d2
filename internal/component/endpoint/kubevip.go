package endpoint

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/plan"
)

const (
	kubeVIPFile = component.ManifestsDir + "/kube-vip.yaml"
	// kubeVIPImage is what runs unless the cluster file names another.
	kubeVIPImage = "ghcr.io/kube-vip/kube-vip:v1.0.3"
	// stepVIPImage is the subject of the step that brings the image.
	stepVIPImage = "endpoint/vip-image"

	pullTimeout = 5 * time.Minute
	// vipTimeout bounds the way of the address to a host: kube-vip starts, and
	// one of them takes the lease.
	vipTimeout = 3 * time.Minute
)

// imageOfKubeVIP is kube-vip's image for a cluster.
func imageOfKubeVIP(c *cluster.Cluster) string {
	if image := c.Endpoint.LoadBalancer.KubeVIP.Image; image != "" {
		return image
	}
	return kubeVIPImage
}

// kubeVIPManifest is kube-vip's static pod on a host.
//
// Since Kubernetes 1.29 admin.conf has no rights until kubeadm has bound its
// group to a role, and those who start kube-vip before that give it
// super-admin.conf, which no authorization ever holds back, and change it later.
// Here nothing needs the address before workers join: each control-plane host
// uses its own API server. So kube-vip starts once the role is bound, and
// super-admin.conf stays with kubeadm.
//
// It reads the client certificate in admin.conf when it starts; client is the digest
// of that, so that another one makes another pod.
func kubeVIPManifest(c *cluster.Cluster, h *cluster.Host, iface, client string) component.File {
	lb := &c.Endpoint.LoadBalancer
	return component.File{Path: kubeVIPFile, Mode: 0o600, Content: component.Render(templates, "kube-vip.yaml.tmpl", struct {
		Image, Node, Interface, Kubeconfig string
		ClientLabel, Client                string
		VIP, Address                       netip.Addr
		Port                               int
		AS                                 uint32
		Peers                              []cluster.BGPPeer
	}{
		Image: imageOfKubeVIP(c), Node: h.Name, Interface: iface, Kubeconfig: component.AdminConf,
		ClientLabel: component.ClientLabel, Client: component.LabelValue(client),
		VIP: lb.VIP, Address: h.InternalAddress, Port: apiPort(c), AS: lb.KubeVIP.AS, Peers: lb.KubeVIP.Peers,
	})}
}

// queryKubeVIP asks for what planKubeVIP compares.
func queryKubeVIP(q *protocol.FactsRequest) {
	component.AskFiles(q, kubeVIPFile)
	q.Files = append(q.Files, adminQuery())
}

func adminQuery() protocol.FileQuery {
	return protocol.FileQuery{Path: component.AdminConf, Certificate: true}
}

var kubeVIPClient = regexp.MustCompile(`(?m)^ *` + regexp.QuoteMeta(component.ClientLabel) + `: "([0-9a-f]+)"$`)

// kubeVIPChanges compares a host's kube-vip with what it is to be.
func kubeVIPChanges(facts *protocol.Facts, manifest func(client string) component.File, remade bool) (why string, changes []plan.Change) {
	client := component.ClientIn(facts.Files[component.AdminConf])
	_, changes = component.FileChanges(facts, []component.File{manifest(client)})
	why = component.WhyOf(changes)
	found := kubeVIPClient.FindStringSubmatch(facts.Files[kubeVIPFile].Content)
	if found == nil {
		return why, changes
	}
	_, others := component.FileChanges(facts, []component.File{manifest(found[1])})
	switch again := []plan.Change{{What: kubeVIPFile, Action: "update"}}; {
	case others != nil:
		return why, changes
	case remade:
		return "kube-vip goes by " + component.AdminConf + ", which is made anew", again
	case len(changes) > 0:
		return "kube-vip runs with a client certificate that was replaced in " + component.AdminConf, again
	}
	return "", nil
}

// remade reports whether a plan makes one of kubeadm's kubeconfigs on a host anew.
func remade(out *component.Output, host, path string) bool {
	return slices.ContainsFunc(out.Steps, func(s plan.Step) bool {
		return s.ID == plan.On(component.StepCertificates, host) && slices.ContainsFunc(s.Changes, func(c plan.Change) bool { return c.What == path })
	})
}

// planKubeVIP plans a control-plane host's kube-vip.
func planKubeVIP(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	lb := &in.Cluster.Endpoint.LoadBalancer
	iface := "lo" // routers bring what is announced by BGP to the host
	if len(lb.KubeVIP.Peers) == 0 {
		var err error
		if iface, err = vipInterface(in.Cluster, h, facts); err != nil {
			out.Refuse("give a VIP in the subnet of the control-plane hosts, name loadBalancer.interface, or announce it by BGP (loadBalancer.kubeVIP.bgp)", "%v", err)
			return
		}
	}
	planKubeVIPImage(in, h, facts, out)
	manifest := func(client string) component.File { return kubeVIPManifest(in.Cluster, h, iface, client) }
	why, changes := kubeVIPChanges(facts, manifest, remade(out, h.Name, component.AdminConf))
	if len(changes) == 0 {
		return
	}
	s := plan.Step{
		ID: plan.On(component.StepVIP, h.Name), Host: h.Name, Title: "run kube-vip, which shares " + lb.VIP.String(),
		Why: why, Changes: changes,
		Needs: []plan.ID{component.StepClusterInit, plan.On(component.StepCertificates, h.Name), plan.On(stepVIPImage, h.Name)},
	}
	if !in.LeavesAPIPort() { // else the API servers run, and are restarted in the end
		s.Needs = append(s.Needs, plan.On(component.StepControlPlane, h.Name))
	}
	if facts.Files[kubeVIPFile].Exists {
		s.Impact = plan.ImpactRestart
		// One after another: those that are not being restarted hold the address.
		for _, before := range in.Cluster.ControlPlanes() {
			if before.Name == h.Name {
				break
			}
			s.Needs = append(s.Needs, plan.On(component.StepVIP, before.Name))
		}
	}
	out.Add(s, runKubeVIP{host: h.Name, manifest: manifest, url: "https://" + net.JoinHostPort(lb.VIP.String(), strconv.Itoa(in.Cluster.Endpoint.Port)) + "/readyz"})
}

// planKubeVIPImage plans where the image comes from: the bundle, where it has
// it, else a registry that the cluster file names. There is no other way to
// know that hosts can get it, and without it the cluster has no endpoint.
func planKubeVIPImage(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	image := imageOfKubeVIP(in.Cluster)
	if _, ok := facts.Images[image]; ok {
		return
	}
	s := plan.Step{
		ID: plan.On(stepVIPImage, h.Name), Host: h.Name, Title: "bring kube-vip's image", Why: "the host does not have it",
		Needs: []plan.ID{plan.On(component.StepRuntime, h.Name)}, Changes: []plan.Change{{What: image, Action: "install"}},
	}
	switch {
	case in.Artefacts != nil && in.Artefacts.ImageDigest(image) != "":
		out.Add(s, component.Images{Host: h.Name, Names: []string{image}})
	case in.Cluster.Endpoint.LoadBalancer.KubeVIP.Image != "":
		s.Title = "pull kube-vip's image"
		out.Add(s, pullImage{host: h.Name, image: image})
	default:
		out.Refuse("name a registry that the control-plane hosts reach and that has it, with endpoint.loadBalancer.kubeVIP.image; or use mode managed with the role load-balancer on the control-plane hosts, which needs no image and fails over faster",
			"kube-vip's image %s is neither in the bundle nor on all control-plane hosts, and no registry is named for it", image)
	}
}

// pullImage is the work of pulling an image from its registry.
type pullImage struct{ host, image string }

// Apply implements component.Op.
func (o pullImage) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	say("pulling " + o.image)
	_, err = h.Run(ctx, host.Command{
		Argv:    []string{component.Ctr, "--namespace", "k8s.io", "images", "pull", "--local", "--hosts-dir", "/etc/containerd/certs.d", o.image},
		Timeout: pullTimeout,
	})
	if err != nil {
		return fmt.Errorf("%s cannot pull kube-vip's image %s; name another with endpoint.loadBalancer.kubeVIP.image, or import it there with `ctr --namespace k8s.io images import`: %w", o.host, o.image, err)
	}
	return nil
}

// Verify implements component.Verifier.
func (o pullImage) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	return component.Images{Host: o.host, Names: []string{o.image}}.Verify(ctx, rt, say)
}

// runKubeVIP is the work of running kube-vip on a host.
type runKubeVIP struct {
	host     string
	manifest func(client string) component.File
	url      string // of the API under the shared address
}

// Apply implements component.Op: the kubelet runs what is in the folder. The client
// certificate may have been made by this plan.
func (o runKubeVIP) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	facts, err := h.Facts(ctx, protocol.FactsRequest{Brief: true, Files: []protocol.FileQuery{adminQuery()}})
	if err != nil {
		return err
	}
	_, err = component.WriteFiles(ctx, rt, o.host, []component.File{o.manifest(component.ClientIn(facts.Files[component.AdminConf]))})
	return err
}

// Verify implements component.Verifier: an API server must answer under the shared
// address, whoever has it.
func (o runKubeVIP) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	query := protocol.FactsRequest{Brief: true, LocalHTTP: []protocol.HTTPQuery{{URL: o.url, CAFile: authorityFile, TimeoutMillis: 2000}}}
	return component.Until(ctx, vipTimeout, "an API server to answer under the shared address", say, func(ctx context.Context) error {
		facts, err := h.Facts(ctx, query)
		if err != nil {
			return err
		}
		switch r := facts.LocalHTTP[0]; {
		case r.Status == 200:
			return nil
		case r.Error != "":
			return fmt.Errorf("%s (on %s, /var/log/pods/kube-system_kube-vip-* tells more)", r.Error, o.host)
		default:
			return fmt.Errorf("it answers %d", r.Status)
		}
	})
}
