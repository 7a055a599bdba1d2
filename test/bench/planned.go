package main

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/component/containerd"
	"github.com/quorate/quorate/internal/component/kubelet"
	podnetwork "github.com/quorate/quorate/internal/component/network"
	"github.com/quorate/quorate/internal/state"
)

// planned are the units and settings that quorate's own plan writes on a bare host: the
// reference has the very same, whatever becomes of their templates.
func (s *staging) planned(h *cluster.Host) []component.File {
	snapshot := &state.Snapshot{Hosts: map[string]*state.Host{
		h.Name: {Name: h.Name, Facts: &protocol.Facts{Capabilities: s.capabilities}},
	}}
	in := component.Input{Cluster: s.cluster, Snapshot: snapshot, Release: s.release}
	var out component.Output
	for _, plan := range []func(component.Input, *component.Output){containerd.Plan, kubelet.Plan, podnetwork.Plan} {
		plan(in, &out)
	}
	var files []component.File
	for _, step := range out.Steps {
		switch op := step.Op.(type) {
		case component.Service:
			files = append(files, op.Files...)
		case component.PlainFiles:
			files = append(files, op.Files...)
		}
	}
	return files
}

// needed are what the script relies on that quorate writes.
var needed = []string{
	"/etc/containerd/config.toml", "/etc/systemd/system/containerd.service", "/etc/systemd/system/kubelet.service",
	"/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", "/etc/cni/net.d/10-flannel.conflist",
}

// missing says which files a host would be without.
func missing(files []component.File) error {
	for _, path := range needed {
		if !slices.ContainsFunc(files, func(f component.File) bool { return f.Path == path && len(f.Content) > 0 }) {
			return fmt.Errorf("quorate's plan writes no %s any more, which the reference needs", path)
		}
	}
	return nil
}
