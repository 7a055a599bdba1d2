package controlplane

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/kube"
)

// phaseTimeout bounds one kubeadm phase. Those that wait for an API server
// wait for themselves with deadlines of their own.
const phaseTimeout = 3 * time.Minute

// phase runs one of kubeadm's init phases with this host's settings, which it
// writes first.
func (h host) phase(ctx context.Context, rt *component.Runtime, args ...string) error {
	handle, err := rt.Host(h.name)
	if err != nil {
		return err
	}
	if _, err := component.WriteFiles(ctx, rt, h.name, []component.File{h.config}); err != nil {
		return err
	}
	if err := handle.Mkdir(ctx, patchesDir, 0o755); err != nil {
		return err
	}
	return component.RunKubeadm(ctx, handle, phaseTimeout, slices.Concat([]string{"init", "phase"}, args, []string{"--config", h.config.Path})...)
}

// apiServerCertificate is what an API server proves itself with.
const apiServerCertificate = component.KubernetesPKI + "/apiserver.crt"

// certificates is the work of making a host's certificates and kubeconfigs.
type certificates struct {
	host
	replace  []string // files to make anew
	address  netip.Addr
	port     int
	restarts bool // an API server may run with the certificate of before
}

// Apply implements component.Op.
func (o certificates) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	handle, err := rt.Host(o.name)
	if err != nil {
		return err
	}
	// The file says which names the new ones have, should the run end in between.
	if _, err := component.WriteFiles(ctx, rt, o.name, []component.File{o.config}); err != nil {
		return err
	}
	for _, path := range o.replace {
		if err := handle.Remove(ctx, path); err != nil {
			return err
		}
	}
	if err := o.phase(ctx, rt, "certs", "all"); err != nil {
		return err
	}
	return o.phase(ctx, rt, "kubeconfig", "all")
}

// servedTimeout bounds how long an API server may take to prove itself with a new
// certificate: it sees at once that the file is another one, and looks every
// minute where it does not.
const servedTimeout = 2 * time.Minute

// Verify implements component.Verifier: an API server that runs proves itself with the
// certificate that is on disk, so that those who go by a new name come after it.
// One that does not answer reads it when it starts.
func (o certificates) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if !o.restarts || !slices.Contains(o.replace, apiServerCertificate) {
		return nil
	}
	handle, err := rt.Host(o.name)
	if err != nil {
		return err
	}
	query := protocol.FactsRequest{
		Brief: true, Files: []protocol.FileQuery{{Path: apiServerCertificate, Certificate: true}},
		LocalHTTP: []protocol.HTTPQuery{{
			URL:    "https://" + net.JoinHostPort(o.address.String(), fmt.Sprint(o.port)) + "/livez",
			CAFile: component.KubernetesPKI + "/ca.crt", TimeoutMillis: 2000,
		}},
	}
	return component.Until(ctx, servedTimeout, "the API server of "+o.name+" to prove itself with its new certificate", say, func(ctx context.Context) error {
		facts, err := handle.Facts(ctx, query)
		if err != nil {
			return err
		}
		block, _ := pem.Decode([]byte(facts.Files[apiServerCertificate].Certificates))
		if block == nil {
			return fmt.Errorf("%s holds no certificate", apiServerCertificate)
		}
		sum := sha256.Sum256(block.Bytes)
		if served := facts.LocalHTTP[0].PeerSHA256; served != "" && served != hex.EncodeToString(sum[:]) {
			return errors.New("it still has the old one")
		}
		return nil
	})
}

// startKubelet is the work of starting a control-plane host's kubelet.
type startKubelet struct {
	host
	record component.File // of the settings that kubeadm gives it
	// finalize has its kubeconfig name the file in which it renews its certificate.
	// On a new host that is done once its node is there (see mark).
	finalize bool
}

// Apply implements component.Op. kubeadm stops and starts it; one that ended again and
// again until now would be taken for one that still does.
func (o startKubelet) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	h, err := rt.Host(o.name)
	if err != nil {
		return err
	}
	if _, err := h.Unit(ctx, protocol.UnitRequest{Name: "kubelet.service", Verb: "reset-failed"}); err != nil {
		return err
	}
	return o.phase(ctx, rt, "kubelet-start")
}

// Verify implements component.Verifier.
func (o startKubelet) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := (component.Service{Host: o.name, Unit: "kubelet.service"}).Verify(ctx, rt, say); err != nil {
		return err
	}
	if o.finalize {
		if err := o.rotate(ctx, rt, say); err != nil {
			return err
		}
	}
	if err := component.NoteWritten(ctx, rt, o.name, component.KubeletConfig); err != nil {
		return err
	}
	return component.RecordKubelet(ctx, rt, o.name, o.record)
}

// rotate waits until the kubelet has put the certificate that it began with where it
// renews it, and makes its kubeconfig name that file.
func (o startKubelet) rotate(ctx context.Context, rt *component.Runtime, say func(string)) error {
	handle, err := rt.Host(o.name)
	if err != nil {
		return err
	}
	query := protocol.FactsRequest{Brief: true, Files: []protocol.FileQuery{{Path: component.KubeletClient}}}
	err = component.Until(ctx, time.Minute, "the kubelet of "+o.name+" to keep its client certificate", say, func(ctx context.Context) error {
		facts, err := handle.Facts(ctx, query)
		if err == nil && !facts.Files[component.KubeletClient].Holds() {
			err = errors.New("there is no " + component.KubeletClient)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := o.phase(ctx, rt, "kubelet-finalize", "all"); err != nil {
		return err
	}
	return (component.Service{Host: o.name, Unit: "kubelet.service"}).Verify(ctx, rt, say)
}

// mark is the work of giving a node its control-plane label and taint.
type mark struct {
	host
	tainted bool // whether pods of users are kept away
}

// Check implements component.Checker: the plan may have been made while no API
// server answered.
func (o mark) Check(ctx context.Context, rt *component.Runtime, _ func(string)) (bool, error) {
	client, err := rt.Kube(ctx)
	if err != nil {
		return false, nil
	}
	node, err := client.Node(ctx, o.name)
	return err == nil && node.Ready && marked(node, o.tainted), nil
}

// Apply implements component.Op.
func (o mark) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	client, err := rt.Kube(ctx)
	if err != nil {
		return err
	}
	err = component.Until(ctx, readyTimeout, "the kubelet of "+o.name+" to register its node", say, func(ctx context.Context) error {
		_, err := client.Node(ctx, o.name)
		return err
	})
	if err != nil {
		return err
	}
	if err := o.phase(ctx, rt, "mark-control-plane"); err != nil {
		return err
	}
	return o.phase(ctx, rt, "kubelet-finalize", "all")
}

// Verify implements component.Verifier.
func (o mark) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	return component.NodeReady(ctx, rt, o.name, say)
}

// clusterPhases is the work of phases that the cluster needs once. They run
// on the first of the candidates whose API server is ready, and the next one
// takes over when that host fails.
type clusterPhases struct {
	subject    string
	digest     string
	candidates []host
	phases     [][]string
	workload   string // whose pods must run then; empty for none
}

// Check implements component.Checker: the plan may have been made while no API
// server answered.
func (o clusterPhases) Check(ctx context.Context, rt *component.Runtime, say func(string)) (bool, error) {
	return component.Recorded(ctx, rt, say, o.subject, o.digest)
}

// Apply implements component.Op.
func (o clusterPhases) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	candidates, err := o.readyFirst(ctx, rt, say)
	if err != nil {
		return err
	}
	if err := component.RecordChanging(ctx, rt, o.subject, say); err != nil {
		return err
	}
	var failures []string
	for _, h := range candidates {
		err := o.on(ctx, rt, h, say)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		failures = append(failures, err.Error())
	}
	return fmt.Errorf("no control-plane host could do it: %s", strings.Join(failures, "; "))
}

// readyFirst waits until an API server is ready, which may take a while where
// the members of etcd, or the hosts, were only just started, and puts its host
// first: on one whose API server is not ready a phase hangs until it times out.
func (o clusterPhases) readyFirst(ctx context.Context, rt *component.Runtime, say func(string)) ([]host, error) {
	via := ""
	err := component.Until(ctx, readyTimeout, "an API server to be ready", say, func(ctx context.Context) error {
		client, err := rt.Kube(ctx)
		if err == nil {
			via = client.Via()
		}
		return err
	})
	candidates := slices.Clone(o.candidates)
	slices.SortStableFunc(candidates, func(a, b host) int {
		switch {
		case a.name == via && b.name != via:
			return -1
		case b.name == via && a.name != via:
			return 1
		}
		return 0
	})
	return candidates, err
}

func (o clusterPhases) on(ctx context.Context, rt *component.Runtime, h host, say func(string)) error {
	for _, phase := range o.phases {
		say(fmt.Sprintf("kubeadm %s on %s", phase[0], h.name))
		if err := h.phase(ctx, rt, phase...); err != nil {
			return err
		}
	}
	return nil
}

// kubeProxy is the work of running kube-proxy, whose pods read their settings
// when they start only.
type kubeProxy struct{ clusterPhases }

// Apply implements component.Op: pods that ran before the settings were stored
// are replaced, one after another.
func (o kubeProxy) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	// API servers may be restarted one after another meanwhile.
	insist := func(question func(context.Context, *kube.Client) error) error {
		return component.Until(ctx, time.Minute, "the API to answer for "+o.workload, say, func(ctx context.Context) error {
			client, err := rt.Kube(ctx)
			if err != nil {
				return err
			}
			return question(ctx, client)
		})
	}
	ran := false
	err := insist(func(ctx context.Context, c *kube.Client) (err error) {
		_, ran, err = c.Workload(ctx, o.workload)
		return err
	})
	if err != nil {
		return err
	}
	if err := o.clusterPhases.Apply(ctx, rt, say); err != nil || !ran {
		return err
	}
	return insist(func(ctx context.Context, c *kube.Client) error { return c.ReplacePods(ctx, o.workload, o.digest) })
}

// Verify implements component.Verifier: it records what was applied.
func (o clusterPhases) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if o.workload != "" {
		if err := component.WorkloadReady(ctx, rt, o.workload, say); err != nil {
			return err
		}
	}
	return component.RecordDone(ctx, rt, o.subject, o.digest, say)
}
