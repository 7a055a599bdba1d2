package controlplane

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/quorate/quorate/internal/component"
)

// digests identify the settings that things were made with, each of those that
// concern it alone: a flag of the scheduler is no reason to restart an API
// server. Names in certificates and the first membership of stacked etcd are in
// none of them: they are no reason to run anything else than the phase that
// uses them.
type digests struct {
	cluster   string            // all that is stored in the cluster
	kubeProxy string            // kube-proxy and its settings
	coreDNS   string            // CoreDNS
	pods      map[string]string // static pods, by name
}

func (s settings) digests() digests {
	s.EtcdInitialCluster, s.EtcdInitialState = "", ""
	whole := component.RenderPart(templates, "kubeadm.yaml.tmpl", "cluster", s)
	s.SANs = nil
	text := component.RenderPart(templates, "kubeadm.yaml.tmpl", "cluster", s)
	var all map[string]any
	if err := yaml.Unmarshal(text, &all); err != nil {
		panic(fmt.Sprintf("controlplane: the embedded template renders no YAML: %v", err))
	}
	common := maps.Clone(all)
	endpoint := all["controlPlaneEndpoint"]
	for _, section := range []string{"apiServer", "controllerManager", "scheduler", "etcd", "controlPlaneEndpoint"} {
		delete(common, section)
	}
	return digests{
		cluster:   digestOf(string(whole), s.Kubelet(), s.KubeProxy()),
		kubeProxy: digestOf(common, endpoint, s.KubeProxy()),
		coreDNS:   digestOf(common),
		pods: map[string]string{
			// Where the API server listens and which members it asks is in its flags.
			podAPIServer:         digestOf(common, all["apiServer"], all["etcd"].(map[string]any)["external"], s.Address, s.Port),
			podControllerManager: digestOf(common, all["controllerManager"]),
			podScheduler:         digestOf(common, all["scheduler"]),
			podEtcd:              digestOf(all["kubernetesVersion"], all["etcd"], s.Name, s.Address),
		},
	}
}

// digestOf is the hex sha256 of plain data.
func digestOf(parts ...any) string {
	text, err := json.Marshal(parts)
	if err != nil {
		panic(fmt.Sprintf("controlplane: settings are plain data and must marshal: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// recordOf is the record of static pods that were made of this: a line each.
func recordOf(path string, pods map[string]made) component.File {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(pods)) {
		b.WriteString(strings.TrimSpace(name+" "+pods[name].settings+" "+pods[name].client) + "\n")
	}
	return component.File{Path: path, Content: []byte(b.String()), Mode: 0o644}
}

// without is a record as it is while these pods are made: until they were seen to
// run with their settings, nobody knows which they have. Otherwise one who goes
// back to the settings of before, after a change that failed, would find them
// recorded still.
func without(record map[string]made, pods []staticPod) map[string]made {
	left := maps.Clone(record)
	for _, pod := range pods {
		delete(left, pod.name)
	}
	return left
}

// recorded reads a record: what pods were made of, by their names.
func recorded(content string) map[string]made {
	out := map[string]made{}
	for line := range strings.Lines(content) {
		switch f := strings.Fields(line); len(f) {
		case 2:
			out[f[0]] = made{settings: f[1]}
		case 3:
			out[f[0]] = made{settings: f[1], client: f[2]}
		}
	}
	return out
}
