package kubelet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/plan"
)

// stepSettings gives a kubelet that runs the cluster's present settings.
const stepSettings = "kubernetes/kubelet-settings"

// planSettings plans what a node that has joined does when the settings that all
// kubelets share differ from those that it was last given: it takes them from
// the cluster, where they were stored before, after the node of the step before.
// The last such step is returned.
func planSettings(in component.Input, h *cluster.Host, facts *protocol.Facts, before plan.ID, out *component.Output) plan.ID {
	config := facts.Files[component.KubeletConfig]
	if component.KubeletFault(facts) != "" || component.KubeletFilesFault(facts) != "" || h.Has(cluster.RoleControlPlane) && !config.Holds() {
		return before // kubeadm will give it the settings when it joins, or starts it
	}
	record := component.KubeletSettings(in.Cluster, in.Snapshot)
	differ, changes := component.FileChanges(facts, []component.File{record})
	edited := component.Edited(facts, component.KubeletConfig)
	if len(differ) == 0 && !edited && config.Holds() {
		return before
	}
	step := plan.Step{
		ID: plan.On(stepSettings, h.Name), Host: h.Name, Title: "give the kubelet the cluster's settings",
		Why: "it was given others", Impact: plan.ImpactRestart,
		Needs: []plan.ID{component.StepClusterInit, plan.On(component.StepKubelet, h.Name), plan.On(component.StepRegister, h.Name), before},
	}
	switch {
	case !config.Holds():
		step.Why = component.KubeletConfig + " is empty"
	case !facts.Files[component.KubeletRecord].Exists:
		step.Why = "it is not known which it has"
	case edited && len(differ) == 0:
		step.Why = component.KubeletConfig + " was edited by hand: apply makes it as the cluster file says"
	}
	// API servers are not restarted while kubelets are.
	step.Needs = append(step.Needs, component.Each(component.StepControlPlane, in.Cluster.ControlPlanes())...)
	// Nor while nodes are given another way to them.
	step.Needs = append(step.Needs, component.Each(component.StepMove, in.Cluster.Nodes())...)
	step.Changes = append([]plan.Change{{What: component.KubeletConfig, Action: "update"}, {What: unit, Action: "restart"}}, changes...)
	service := component.Service{Host: h.Name, Unit: unit, Prepare: func(ctx context.Context, rt *component.Runtime, say func(string)) error {
		return fetch(ctx, rt, h.Name, say)
	}}
	out.Add(step, restart{Service: service, health: healthOf(in), node: true, record: &record})
	return step.ID
}

// fetchTimeout bounds kubeadm's reading of the settings from the API.
const fetchTimeout = time.Minute

// fetch makes kubeadm write the settings that are stored in the cluster. It asks the
// API once, and gives up where it meets an API server that ends: so it is run again.
func fetch(ctx context.Context, rt *component.Runtime, hostName string, say func(string)) error {
	h, err := rt.Host(hostName)
	if err != nil {
		return err
	}
	// Until it was seen to run with them, nobody knows which settings it has.
	if err := h.Remove(ctx, component.KubeletRecord); err != nil {
		return err
	}
	return component.Until(ctx, fetchTimeout, "the kubelet's settings from the API", say, func(ctx context.Context) error {
		err := component.RunKubeadm(ctx, h, 0, "upgrade", "node", "phase", "kubelet-config")
		if exit := (*host.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			return component.Final{Err: err}
		}
		return err
	})
}

// restart is the work of restarting a kubelet that runs, and the proof that it
// took what it was restarted for.
type restart struct {
	component.Service
	health string // the URL of its health; empty where it shows none
	node   bool   // the API tells how its node is
	record *component.File
}

// healthTimeout bounds a kubelet's start.
const healthTimeout = 2 * time.Minute

// Verify implements component.Verifier.
func (r restart) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(r.Host)
	if err != nil {
		return err
	}
	request := protocol.FactsRequest{Brief: true, Units: []string{unit}}
	if r.health != "" {
		request.LocalHTTP = []protocol.HTTPQuery{{URL: r.health, TimeoutMillis: 2000}}
	}
	crash := component.CrashWatch{Unit: unit}
	err = component.Until(ctx, healthTimeout, "the kubelet of "+r.Host, say, func(ctx context.Context) error {
		facts, err := h.Facts(ctx, request)
		if err != nil {
			return err
		}
		u := facts.Units[unit]
		if err := crash.Look(ctx, h, u); err != nil {
			return err
		}
		switch {
		case !u.Up(facts.Time):
			return component.NotUp(unit, u)
		case r.health == "":
			return nil
		case facts.LocalHTTP[0].Error != "":
			return fmt.Errorf("%s", facts.LocalHTTP[0].Error)
		case facts.LocalHTTP[0].Status != 200:
			return fmt.Errorf("it is not healthy: %s", facts.LocalHTTP[0].Body)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if r.node {
		if err := component.NodeReady(ctx, rt, r.Host, say); err != nil {
			return err
		}
	}
	if r.record == nil {
		return nil
	}
	if err := component.NoteWritten(ctx, rt, r.Host, component.KubeletConfig); err != nil {
		return err
	}
	return component.RecordKubelet(ctx, rt, r.Host, *r.record)
}

// healthOf is where kubelets with the cluster's settings tell their health;
// empty where the user switched that off.
func healthOf(in component.Input) string {
	address, port := "127.0.0.1", int64(10248)
	settings := in.Cluster.Kubernetes.KubeletConfiguration
	if a, ok := settings["healthzBindAddress"].(string); ok && a != "0.0.0.0" && a != "::" {
		address = a
	}
	if p, ok := settings["healthzPort"].(int64); ok {
		port = p
	}
	if port == 0 {
		return ""
	}
	return "http://" + net.JoinHostPort(address, strconv.FormatInt(port, 10)) + "/healthz"
}
