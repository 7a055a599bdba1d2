package controlplane

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/kube"
)

// readyTimeout bounds the start of an API server: its image is there, etcd
// answers, but a small host starts everything at once.
const readyTimeout = 4 * time.Minute

// Check implements component.Op.
func (o runStaticPods) Check(context.Context, *component.Runtime) (bool, error) { return false, nil }

// Apply implements component.Op.
func (o runStaticPods) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	if len(o.pods) == len(ownPods()) {
		return o.makePods(ctx, rt, o.pods, "control-plane", "all")
	}
	for _, pod := range o.pods {
		if err := o.makePods(ctx, rt, []staticPod{pod}, "control-plane", pod.phase()); err != nil {
			return err
		}
	}
	return nil
}

// makePods runs a phase that writes the manifests of static pods, annotated.
func (h host) makePods(ctx context.Context, rt *component.Runtime, pods []staticPod, phase ...string) error {
	var patches []component.File
	for _, pod := range pods {
		patches = append(patches, pod.patch())
	}
	if _, err := component.WriteFiles(ctx, rt, h.name, patches); err != nil {
		return err
	}
	return h.phase(ctx, rt, append(phase, "--patches", patchesDir)...)
}

// Verify implements component.Op: the host's own API server must be ready, and
// where pods ran before, all must run with the new settings: until the kubelet
// has taken a manifest in, the old API server answers as ever. Then the settings
// are recorded.
func (o runStaticPods) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := o.ready(ctx, rt, say); err != nil {
		return err
	}
	if o.restarts {
		for _, pod := range o.pods {
			if err := o.replaced(ctx, rt, pod, say); err != nil {
				return err
			}
		}
		if err := o.ready(ctx, rt, say); err != nil {
			return err
		}
	}
	_, err := component.WriteFiles(ctx, rt, o.name, []component.File{o.record})
	return err
}

// ready waits until the host's own API server is.
func (o runStaticPods) ready(ctx context.Context, rt *component.Runtime, say func(string)) error {
	handle, err := rt.Host(o.name)
	if err != nil {
		return err
	}
	query := protocol.FactsRequest{Brief: true, LocalHTTP: []protocol.HTTPQuery{{
		URL:    "https://" + net.JoinHostPort(o.address.String(), fmt.Sprint(o.port)) + "/readyz?verbose",
		CAFile: component.KubernetesPKI + "/ca.crt", TimeoutMillis: 2000,
	}}}
	return component.Until(ctx, readyTimeout, "the API server of "+o.name, say, func(ctx context.Context) error {
		facts, err := handle.Facts(ctx, query)
		if err != nil {
			return err
		}
		reply := facts.LocalHTTP[0]
		switch {
		case reply.Status == 200:
			return nil
		case reply.Error != "":
			return fmt.Errorf("%s", reply.Error)
		}
		return fmt.Errorf("it is not ready: %s", kube.FailedChecks(reply.Body))
	})
}

// replaced waits until the kubelet runs a static pod with its new settings. What
// ran before has ended by then: the kubelet runs one pod of a name at a time.
func (h host) replaced(ctx context.Context, rt *component.Runtime, pod staticPod, say func(string)) error {
	return component.Until(ctx, readyTimeout, pod.name+" of "+h.name+" to run with its new settings", say, func(ctx context.Context) error {
		client, err := rt.Kube(ctx)
		if err != nil {
			return err
		}
		is, err := client.Pod(ctx, "kube-system", pod.name+"-"+h.name)
		switch {
		case err != nil:
			return err
		case is.Annotations[annotation] != pod.digest:
			return fmt.Errorf("the kubelet still runs it as it was")
		case !is.Ready:
			return fmt.Errorf("it is not ready: %s", is.Reason)
		}
		return nil
	})
}
