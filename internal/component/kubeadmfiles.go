package component

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/pki"
)

// What kubeadm writes for a kubelet, besides KubeletConf.
const (
	KubeletFlags    = KubeletDir + "/kubeadm-flags.env"
	KubeletInstance = KubeletDir + "/instance-config.yaml"
	// clientCA is what a kubelet knows API servers by.
	clientCA = KubernetesPKI + "/ca.crt"
	// KubeletClient is where a kubelet keeps the client certificate that it renews
	// by itself, with its key.
	KubeletClient = KubeletDir + "/pki/kubelet-client-current.pem"
)

// RunKubeadm runs kubeadm on a host and has what it wrote on disk before it
// returns. kubeadm does not sync: a host that loses its power just then would come
// back with empty files.
func RunKubeadm(ctx context.Context, h *host.Host, timeout time.Duration, args ...string) error {
	if _, err := h.Run(ctx, host.Command{Argv: append([]string{Kubeadm}, args...), Timeout: timeout}); err != nil {
		return err
	}
	return h.Sync(ctx, KubernetesDir, KubeletConfig, KubeletInstance, KubeletFlags, path.Dir(KubeletClient))
}

// writtenFile holds the digest of a file as kubeadm wrote it, in the form that
// sha256sum checks: another digest tells that somebody else wrote it since.
func writtenFile(name string) string {
	return QuorateDir + "/written/" + path.Base(name) + ".sha256"
}

// AskWritten asks for what Edited compares.
func AskWritten(q *protocol.FactsRequest, names ...string) {
	for _, name := range names {
		q.Files = append(q.Files, protocol.FileQuery{Path: name, Digest: true})
		AskFiles(q, writtenFile(name))
	}
}

// Edited reports whether a file of kubeadm's is not as kubeadm wrote it. Where it
// was not noted what it wrote, that is not known.
func Edited(facts *protocol.Facts, name string) bool {
	digest, _, noted := strings.Cut(facts.Files[writtenFile(name)].Content, " ")
	is := facts.Files[name]
	return noted && is.SHA256 != "" && is.SHA256 != digest
}

// NoteWritten notes how files are that kubeadm has just written.
func NoteWritten(ctx context.Context, rt *Runtime, hostName string, names ...string) error {
	h, err := rt.Host(hostName)
	if err != nil {
		return err
	}
	q := protocol.FactsRequest{Brief: true}
	for _, name := range names {
		q.Files = append(q.Files, protocol.FileQuery{Path: name, Digest: true})
	}
	facts, err := h.Facts(ctx, q)
	if err != nil {
		return err
	}
	var notes []File
	for _, name := range names {
		f := facts.Files[name]
		if !f.Holds() || f.SHA256 == "" {
			return fmt.Errorf("%s: kubeadm left no %s", hostName, name)
		}
		notes = append(notes, File{Path: writtenFile(name), Content: []byte(f.SHA256 + "  " + name + "\n"), Mode: 0o644})
	}
	_, err = WriteFiles(ctx, rt, hostName, notes)
	return err
}

// AskKubelet asks for what KubeletFault and KubeletFilesFault judge.
func AskKubelet(q *protocol.FactsRequest) {
	for _, name := range []string{KubeletConf, KubeletClient} {
		q.Files = append(q.Files, protocol.FileQuery{Path: name, Certificate: true, Key: name})
	}
	AskWritten(q, KubeletConfig)
	for _, name := range []string{KubeletInstance, KubeletFlags, clientCA} {
		q.Files = append(q.Files, protocol.FileQuery{Path: name})
	}
}

// KubeletFault tells why a node's kubelet cannot prove itself to API servers:
// such a node has not joined, or has to do so anew. It is empty where it can.
func KubeletFault(facts *protocol.Facts) string {
	reason, _ := pki.KubeletFault(facts.Files[KubeletConf], facts.Files[KubeletClient], facts.Time)
	if reason == "" {
		return ""
	}
	return KubeletConf + " " + reason
}

// KubeletFilesFault tells which of the files that a kubelet is started with kubeadm
// must make anew; empty for none. Settings that are empty are not among them where
// the node can take them from the cluster again (see component/kubelet).
func KubeletFilesFault(facts *protocol.Facts) string {
	for _, name := range []string{KubeletConfig, KubeletFlags} {
		if !facts.Files[name].Exists {
			return name + " missing"
		}
	}
	for _, name := range []string{KubeletFlags, KubeletInstance, clientCA} {
		if f := facts.Files[name]; f.Exists && f.Size == 0 {
			return name + " is empty"
		}
	}
	return ""
}

// CanStart reports whether a node's kubelet has all that it is started with.
func CanStart(facts *protocol.Facts) bool {
	return KubeletFault(facts) == "" && KubeletFilesFault(facts) == "" && facts.Files[KubeletConfig].Holds()
}
