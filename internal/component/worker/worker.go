// Package worker joins nodes that are not control plane: all at the same
// time, each with a token of its own that lives for minutes, and with the
// cluster's authority pinned.
package worker

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/kube"
	"github.com/quorate/quorate/internal/plan"
)

//go:embed join.yaml.tmpl discovery.conf.tmpl
var templates embed.FS

const (
	joinDir       = component.QuorateDir + "/join"
	joinFile      = joinDir + "/join.yaml"
	discoveryFile = joinDir + "/discovery.conf"

	// tokenLife is how long a join token works. A join takes seconds; the rest
	// is for a slow host.
	tokenLife   = 15 * time.Minute
	joinTimeout = 5 * time.Minute

	kubeletUnit = "kubelet.service"
)

// Query asks for what Plan compares.
func Query(h *cluster.Host, q *protocol.FactsRequest) {
	if h.IsNode() && !h.Has(cluster.RoleControlPlane) {
		component.AskKubelet(q)
	}
}

// Plan makes the steps for every worker that has not joined.
func Plan(in component.Input, out *component.Output) {
	for _, h := range in.Cluster.Workers() {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		op := join{host: h.Name, address: h.InternalAddress.String(), record: component.KubeletSettings(in.Cluster, in.Snapshot)}
		step := plan.Step{
			ID: plan.On(component.StepJoin, h.Name), Host: h.Name, Title: "join as a worker", Why: "not part of the cluster",
			Needs: []plan.ID{
				component.StepClusterInit, plan.On(component.StepProxy, h.Name),
				plan.On(component.StepSettings, h.Name), plan.On(component.StepRuntime, h.Name),
				plan.On(component.StepImages, h.Name), plan.On(component.StepBinaries, h.Name), plan.On(component.StepKubelet, h.Name),
			},
			// Any of the hosts that carry the endpoint's address will do.
			NeedsAny: component.Each(component.StepVIP, in.Cluster.VIPCarriers()),
			Changes:  []plan.Change{{What: "node " + h.Name, Action: "create"}, {What: "kubelet.service", Action: "start"}},
		}
		if facts.Files[component.KubeletConf].Exists || facts.Files[component.KubeletConfig].Exists {
			fault := cmp.Or(component.KubeletFault(facts), component.KubeletFilesFault(facts))
			if fault == "" {
				continue
			}
			op.again = true
			step.Title, step.Why = "join as a worker anew", fault
			step.Changes = []plan.Change{{What: component.KubeletConf, Action: "update"}, {What: kubeletUnit, Action: "start"}}
			if facts.Units[kubeletUnit].Up(facts.Time) {
				step.Impact, step.Changes[1].Action = plan.ImpactRestart, "restart"
			}
		}
		out.Add(step, op)
	}
}

// join is the work of joining a worker.
type join struct {
	host    string
	address string
	record  component.File // of the settings that its kubelet is given
	again   bool           // it has joined before, and cannot go on as it is
}

// Apply implements component.Op.
func (o join) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	client, err := rt.Kube(ctx)
	if err != nil {
		return err
	}
	if o.again {
		if err := o.leave(ctx, rt, h, say); err != nil {
			return err
		}
	}
	now, err := component.Now(ctx, h)
	if err != nil {
		return err
	}
	token, err := newToken()
	if err != nil {
		return err
	}
	if err := client.CreateSecret(ctx, token.secret(o.host, now.Add(tokenLife))); err != nil {
		return fmt.Errorf("making a join token for %s: %w", o.host, err)
	}
	defer o.forget(ctx, h, client, token)
	if err := o.writeFiles(ctx, rt, token); err != nil {
		return err
	}
	say("kubeadm join")
	// kubeadm's preflight is skipped: every host was checked before anything was changed.
	return component.RunKubeadm(ctx, h, joinTimeout, "join", "--config", joinFile, "--skip-phases", "preflight")
}

// leaveTimeout bounds how long the cluster may take to notice that a kubelet was
// stopped: 40 to 50 seconds, as it is set up.
const leaveTimeout = 2 * time.Minute

// leave stops the kubelet of a node that is to join anew, and takes off what it
// could no longer prove itself with. kubeadm joins no host whose node is still
// Ready. Its pods run on.
func (o join) leave(ctx context.Context, rt *component.Runtime, h *host.Host, say func(string)) error {
	if _, err := h.Unit(ctx, protocol.UnitRequest{Name: kubeletUnit, Verb: "stop"}); err != nil {
		return err
	}
	for _, path := range []string{component.KubeletConf, component.KubeletClient, component.KubernetesPKI + "/ca.crt"} {
		if err := h.Remove(ctx, path); err != nil {
			return err
		}
	}
	return component.Until(ctx, leaveTimeout, "the cluster to notice that the kubelet of "+o.host+" was stopped", say, func(ctx context.Context) error {
		client, err := rt.Kube(ctx)
		if err != nil {
			return err
		}
		node, err := client.Node(ctx, o.host)
		if err == nil && node.Ready {
			return errors.New("its node still is Ready")
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}

func (o join) writeFiles(ctx context.Context, rt *component.Runtime, t token) error {
	var controlPlanes []string
	for _, cp := range rt.Cluster.ControlPlanes() {
		controlPlanes = append(controlPlanes, cp.Name)
	}
	ca, _, err := component.ReadSame(ctx, rt, component.KubernetesPKI+"/ca.crt", controlPlanes)
	if err != nil {
		return err
	}
	e := rt.Cluster.Endpoint
	data := map[string]string{
		"Name": o.host, "Address": o.address, "Token": t.String(), "Discovery": discoveryFile,
		"Endpoint": net.JoinHostPort(e.Domain, strconv.Itoa(e.Port)), "CA": base64.StdEncoding.EncodeToString(ca),
	}
	_, err = component.WriteFiles(ctx, rt, o.host, []component.File{
		{Path: discoveryFile, Mode: 0o600, Content: component.Render(templates, "discovery.conf.tmpl", data)},
		{Path: joinFile, Mode: 0o600, Content: component.Render(templates, "join.yaml.tmpl", data)},
	})
	return err
}

// forget removes the token from the host and from the cluster, also when the
// run was interrupted. What cannot be removed ends by itself.
func (o join) forget(ctx context.Context, h *host.Host, client *kube.Client, t token) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = h.RemoveAll(ctx, joinDir)
	_ = client.DeleteSecret(ctx, t.secretName())
}

// Verify implements component.Verifier.
func (o join) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := component.NodeReady(ctx, rt, o.host, say); err != nil {
		return err
	}
	if err := component.NoteWritten(ctx, rt, o.host, component.KubeletConfig); err != nil {
		return err
	}
	return component.RecordKubelet(ctx, rt, o.host, o.record)
}

// token is a bootstrap token (kubernetes.io, Authenticating with Bootstrap
// Tokens): six and sixteen characters of a–z and 0–9.
type token struct{ id, secretPart string }

func newToken() (token, error) {
	id, err := randomWord(6)
	if err != nil {
		return token{}, err
	}
	secret, err := randomWord(16)
	return token{id, secret}, err
}

func randomWord(n int) (string, error) {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	word := make([]byte, 0, n)
	for len(word) < n {
		var b [64]byte
		if _, err := rand.Read(b[:]); err != nil {
			return "", fmt.Errorf("making a token: %w", err)
		}
		for _, x := range b {
			// Bytes beyond the last whole multiple would favour some letters.
			if x < 252 && len(word) < n {
				word = append(word, alphabet[int(x)%len(alphabet)])
			}
		}
	}
	return string(word), nil
}

func (t token) String() string     { return t.id + "." + t.secretPart }
func (t token) secretName() string { return "bootstrap-token-" + t.id }

func (t token) secret(hostName string, expires time.Time) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: t.secretName(), Namespace: metav1.NamespaceSystem},
		Type:       corev1.SecretTypeBootstrapToken,
		StringData: map[string]string{
			"description":                    "quorate: join of " + hostName,
			"token-id":                       t.id,
			"token-secret":                   t.secretPart,
			"expiration":                     expires.UTC().Format(time.RFC3339),
			"usage-bootstrap-authentication": "true",
			"auth-extra-groups":              "system:bootstrappers:kubeadm:default-node-token",
		},
	}
}
