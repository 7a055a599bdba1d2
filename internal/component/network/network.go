// Package network gives the cluster its pod network: flannel's CNI settings
// on every node, and its daemon as a DaemonSet.
package network

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

//go:embed 10-flannel.conflist flannel.yaml.tmpl
var templates embed.FS

// CNIFile tells containerd how pods get their network.
const CNIFile = "/etc/cni/net.d/10-flannel.conflist"

const subject = "flannel"

// Uses reports whether the cluster has a pod network of this package.
func Uses(c *cluster.Cluster) bool { return c.Network.Plugin == "flannel" }

// Query asks for what Plan compares.
func Query(c *cluster.Cluster, h *cluster.Host, q *protocol.FactsRequest) {
	if Uses(c) && h.IsNode() {
		component.AskFiles(q, CNIFile)
	}
}

// Plan makes the steps.
func Plan(in component.Input, out *component.Output) {
	if !Uses(in.Cluster) {
		return
	}
	for _, h := range in.Cluster.Nodes() {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		file := component.File{Path: CNIFile, Content: component.Render(templates, "10-flannel.conflist", nil), Mode: 0o644}
		if differ, changes := component.FileChanges(facts, []component.File{file}); len(differ) > 0 {
			out.Add(plan.Step{
				ID: plan.On("network/cni", h.Name), Host: h.Name, Title: "configure the pod network",
				Why: component.WhyOf(changes), Changes: changes,
			}, component.PlainFiles{Host: h.Name, Files: differ})
		}
	}
	manifest := Manifest(in.Cluster, in.Release)
	sum := sha256.Sum256(manifest)
	digest := hex.EncodeToString(sum[:])
	if in.Record(subject) == digest {
		return
	}
	impact := plan.ImpactNone
	if in.Unasked() || in.Record(subject) != "" {
		impact = plan.ImpactRestart // of its pods, one after another
	}
	op := flannel{manifest: manifest, digest: digest}
	if len(in.NewNodes()) > 0 {
		// The run's last step sees flannel run on every node; what waits for
		// this one can go on with the control planes'.
		op.enough = len(in.Cluster.ControlPlanes())
	}
	out.Add(plan.Step{
		ID: component.StepNetwork, Title: "run flannel on every node", Why: in.WhyRecord(subject, "not applied yet"), Impact: impact,
		// flannel goes by the endpoint's name: where that is a new one, every node must
		// know it, and be led somewhere by it.
		Needs:   append(component.Each(component.StepNames, in.Cluster.Nodes()), component.StepWay, component.StepClusterInit),
		Changes: []plan.Change{{What: "daemonset kube-flannel/kube-flannel-ds", Action: "update"}},
	}, op)
}

// Manifest are flannel's objects.
func Manifest(c *cluster.Cluster, r catalog.Release) []byte {
	n := c.Network
	return component.Render(templates, "flannel.yaml.tmpl", map[string]any{
		"PodCIDR": n.PodCIDR, "Backend": n.Flannel.Backend, "DirectRouting": n.Flannel.DirectRouting,
		"Settings": fmt.Sprintf("%s %s direct-routing=%t %s", n.PodCIDR, n.Flannel.Backend, n.Flannel.DirectRouting, c.Kubernetes.ProxyMode),
		"NFTables": c.Kubernetes.ProxyMode == "nftables", "Image": r.FlannelImage(),
		"Domain": c.Endpoint.Domain, "Port": c.Endpoint.Port,
	})
}

// flannel is the work of applying flannel's objects.
type flannel struct {
	manifest []byte
	digest   string
	enough   int // pods to wait for; 0 for all
}

// Check implements component.Checker: the plan may have been made while no API
// server answered.
func (o flannel) Check(ctx context.Context, rt *component.Runtime, say func(string)) (bool, error) {
	return component.Recorded(ctx, rt, say, subject, o.digest)
}

// Apply implements component.Op.
func (o flannel) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := component.RecordChanging(ctx, rt, subject, say); err != nil {
		return err
	}
	// API servers may be restarted one after another meanwhile.
	return component.Until(ctx, time.Minute, "the API to take flannel's objects", say, func(ctx context.Context) error {
		client, err := rt.Kube(ctx)
		if err != nil {
			return err
		}
		return client.Apply(ctx, o.manifest)
	})
}

// Verify implements component.Verifier.
func (o flannel) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := component.PodsReady(ctx, rt, component.Flannel, o.enough, say); err != nil {
		return err
	}
	return component.RecordDone(ctx, rt, subject, o.digest, say)
}
