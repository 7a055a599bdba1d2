package drill

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/quorate/quorate/internal/probe"
)

// SetUp makes what the load needs in the cluster, through a viewpoint.
func (l *Load) SetUp(ctx context.Context, view probe.Viewpoint) error {
	a := l.api(Eyes{Viewpoint: view})
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()
	return a.setUp(ctx)
}

// Pod starts a pod that does nothing on a node and gives its IP address: a
// place to look from as workloads do.
func (l *Load) Pod(ctx context.Context, node, image string) (string, error) {
	return l.api(l.Eyes[0]).pod(ctx, node, image)
}

// PodAddress is the address of the pod that Pod started, as it is now: with its
// node the pod starts anew, and gets another one.
func (l *Load) PodAddress(ctx context.Context) (string, error) {
	err := errors.New("nobody to ask")
	for _, a := range l.askers() {
		var address string
		if address, err = a.podAddress(ctx); err == nil {
			return address, nil
		}
	}
	return "", err
}

// CleanUp removes what SetUp made. What it cannot remove, the next run does.
func (l *Load) CleanUp(ctx context.Context) {
	if len(l.Eyes) == 0 {
		return
	}
	a := l.api(l.Eyes[0])
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()
	_ = poll(ctx, func() error { return a.removeNamespace(ctx, l.Namespace) })
	a.client.CloseIdleConnections()
}

// Abort ends clients that were started and are of no use.
func (l *Load) Abort() {
	if l.stop != nil {
		l.stop()
		l.wg.Wait()
	}
}

// Leases gives the hosts that hold the scheduler's and the controller
// manager's lease, from the first viewpoint that is told.
func (l *Load) Leases(ctx context.Context) (scheduler, manager string) {
	ask := func(name string) string {
		for _, a := range l.askers() {
			var lease struct {
				Spec struct{ HolderIdentity string }
			}
			err := a.call(ctx, http.MethodGet, "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/"+name, nil, &lease)
			if err == nil {
				host, _, _ := strings.Cut(lease.Spec.HolderIdentity, "_")
				return host
			}
		}
		return ""
	}
	var wg sync.WaitGroup
	wg.Go(func() { scheduler = ask("kube-scheduler") })
	wg.Go(func() { manager = ask("kube-controller-manager") })
	wg.Wait()
	return scheduler, manager
}

// askers are the viewpoints' clients that keep connections.
func (l *Load) askers() []api {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]api(nil), l.pooled...)
}
