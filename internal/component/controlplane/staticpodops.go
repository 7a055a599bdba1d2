package controlplane

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	remote "github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/kube"
)

// readyTimeout bounds the start of an API server: its image is there, etcd
// answers, but a small host starts everything at once.
const readyTimeout = 4 * time.Minute

// Apply implements component.Op.
func (o runStaticPods) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	files := append([]component.File{recordOf(podRecord, without(o.record, o.pods))}, o.files...)
	if _, err := component.WriteFiles(ctx, rt, o.name, files); err != nil {
		return err
	}
	pods, err := o.withClients(ctx, rt)
	if err != nil {
		return err
	}
	if len(pods) == len(ownPods()) {
		return o.makePods(ctx, rt, pods, "control-plane", "all")
	}
	for _, pod := range pods {
		if err := o.makePods(ctx, rt, []staticPod{pod}, "control-plane", pod.phase()); err != nil {
			return err
		}
	}
	return nil
}

// withClients are the pods with the client certificates that they will go by.
func (o runStaticPods) withClients(ctx context.Context, rt *component.Runtime) ([]staticPod, error) {
	handle, err := rt.Host(o.name)
	if err != nil {
		return nil, err
	}
	q := protocol.FactsRequest{Brief: true}
	for _, pod := range o.pods {
		if path := pod.kubeconfig(); path != "" {
			q.Files = append(q.Files, protocol.FileQuery{Path: path, Certificate: true})
		}
	}
	facts, err := handle.Facts(ctx, q)
	if err != nil {
		return nil, err
	}
	pods := slices.Clone(o.pods)
	for i, pod := range pods {
		pods[i].client = component.ClientIn(facts.Files[pod.kubeconfig()])
	}
	return pods, nil
}

// makePods runs a phase that writes the manifests of static pods, labelled.
func (h host) makePods(ctx context.Context, rt *component.Runtime, pods []staticPod, phase ...string) error {
	var patches []component.File
	for _, pod := range pods {
		patches = append(patches, pod.patch())
	}
	if _, err := component.WriteFiles(ctx, rt, h.name, patches); err != nil {
		return err
	}
	return h.phase(ctx, rt, phase...)
}

// Verify implements component.Verifier: the host's own API server must be ready, and
// where pods ran before, all must have been replaced first: until the kubelet has
// taken a manifest in, the old API server answers as ever. Then the settings are
// recorded.
func (o runStaticPods) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	pods, err := o.withClients(ctx, rt)
	if err != nil {
		return err
	}
	if o.restarts {
		for _, pod := range pods {
			if err := o.replaced(ctx, rt, pod, say); err != nil {
				return err
			}
		}
	}
	if err := o.ready(ctx, rt, say); err != nil {
		return err
	}
	if o.restarts {
		if err := o.listen(ctx, rt, say); err != nil {
			return err
		}
		if err := o.lead(ctx, rt, say); err != nil {
			return err
		}
	}
	record := maps.Clone(o.record)
	var manifests []string
	for _, pod := range pods {
		record[pod.name] = pod.made
		manifests = append(manifests, manifest(pod.name))
	}
	return o.note(ctx, rt, recordOf(podRecord, record), manifests...)
}

// note records that static pods were seen to run as they were made: their manifests
// as kubeadm wrote them, and what they were made of.
func (h host) note(ctx context.Context, rt *component.Runtime, record component.File, manifests ...string) error {
	if len(manifests) > 0 {
		if err := component.NoteWritten(ctx, rt, h.name, manifests...); err != nil {
			return err
		}
	}
	_, err := component.WriteFiles(ctx, rt, h.name, []component.File{record})
	return err
}

// ready waits until the host's own API server is.
func (o runStaticPods) ready(ctx context.Context, rt *component.Runtime, say func(string)) error {
	handle, err := rt.Host(o.name)
	if err != nil {
		return err
	}
	query := protocol.FactsRequest{Brief: true}
	ask := func(port int, path string) {
		query.LocalHTTP = append(query.LocalHTTP, protocol.HTTPQuery{
			URL:    "https://" + net.JoinHostPort(o.address.String(), fmt.Sprint(port)) + path,
			CAFile: component.KubernetesPKI + "/ca.crt", TimeoutMillis: 2000,
		})
	}
	ask(o.port, "/readyz?verbose")
	if o.endpoint != 0 {
		ask(o.endpoint, "/readyz")
	}
	crash := crashWatch{host: handle, pod: podAPIServer}
	return component.Until(ctx, readyTimeout, "the API server of "+o.name, say, func(ctx context.Context) error {
		if err := crash.look(ctx); err != nil {
			return err
		}
		facts, err := handle.Facts(ctx, query)
		if err != nil {
			return err
		}
		reply := facts.LocalHTTP[0]
		switch {
		case reply.Status == 200 && o.endpoint != 0 && facts.LocalHTTP[1].Status != 200:
			return fmt.Errorf("it is ready, and the proxy of %s on port %d has not found it: %s", o.name, o.endpoint, facts.LocalHTTP[1].Error)
		case reply.Status == 200:
			return nil
		case reply.Error != "":
			return fmt.Errorf("%s", reply.Error)
		}
		return fmt.Errorf("it is not ready: %s", kube.FailedChecks(reply.Body))
	})
}

// listen waits until what else was replaced listens, as it does once it works.
func (o runStaticPods) listen(ctx context.Context, rt *component.Runtime, say func(string)) error {
	handle, err := rt.Host(o.name)
	if err != nil {
		return err
	}
	watches := map[string]*crashWatch{}
	for _, pod := range o.pods {
		watches[pod.name] = &crashWatch{host: handle, pod: pod.name}
	}
	return component.Until(ctx, readyTimeout, "the controller manager and scheduler of "+o.name, say, func(ctx context.Context) error {
		facts, err := handle.Facts(ctx, protocol.FactsRequest{})
		if err != nil {
			return err
		}
		for _, pod := range o.pods {
			port, known := o.ports[pod.name]
			if known && !slices.ContainsFunc(facts.Listening, func(l protocol.Listener) bool { return l.Port == port }) {
				if err := watches[pod.name].look(ctx); err != nil {
					return err
				}
				return fmt.Errorf("%s does not listen on port %d", pod.name, port)
			}
		}
		return nil
	})
}

// lead waits until, of those that were replaced, some host's holds the lease and
// renews it: those that lost their API server for a while have to be elected anew.
func (o runStaticPods) lead(ctx context.Context, rt *component.Runtime, say func(string)) error {
	first := map[string]time.Time{}
	return component.Until(ctx, readyTimeout, "a controller manager and a scheduler to lead", say, func(ctx context.Context) error {
		client, err := rt.Kube(ctx)
		if err != nil {
			return err
		}
		for _, pod := range o.pods {
			if o.ports[pod.name] == 0 {
				continue // none leads among the API servers
			}
			lease, ok, err := client.Lease(ctx, pod.name)
			if apierrors.IsForbidden(err) {
				// A run was cut off before the cluster had settings, and with them
				// its administrator rights: nobody depends on who leads yet.
				return nil
			}
			if err != nil {
				return err
			}
			seen, looked := first[pod.name]
			if ok && !looked {
				first[pod.name] = lease.Renewed
			}
			if !looked || !lease.Renewed.After(seen) {
				return fmt.Errorf("no %s has renewed its lease", pod.name)
			}
		}
		return nil
	})
}

// replaced waits until the container runtime runs a static pod with its new
// settings. What ran before has ended by then: the kubelet runs one pod of a name
// at a time. The API would tell so late, and not at all while it is restarted.
func (h host) replaced(ctx context.Context, rt *component.Runtime, pod staticPod, say func(string)) error {
	handle, err := rt.Host(h.name)
	if err != nil {
		return err
	}
	return component.Until(ctx, readyTimeout, pod.name+" of "+h.name+" to run with its new settings", say, func(ctx context.Context) error {
		filter := fmt.Sprintf(`labels."component"==%s`, pod.name)
		for _, label := range slices.Sorted(maps.Keys(pod.labels())) {
			filter += fmt.Sprintf(`,labels.%q==%s`, label, pod.labels()[label])
		}
		if _, running, err := containers(ctx, handle, filter); err != nil || running {
			return err
		}
		return errors.New("the kubelet still runs it as it was")
	})
}

// ctr asks the container runtime of a host about Kubernetes' containers.
func ctr(ctx context.Context, h *remote.Host, args ...string) (string, error) {
	reply, err := h.Run(ctx, remote.Command{Argv: append([]string{component.Ctr, "--namespace", "k8s.io"}, args...), Timeout: 30 * time.Second})
	if err != nil {
		return "", err
	}
	return string(reply.Stdout), nil
}
