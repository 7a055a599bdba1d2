package component

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// header begins every unit file that Quorate writes.
const header = "# Written by quorate"

// The units and records by which a host that Quorate has worked on is known. The
// first of them are written before anything of Kubernetes is.
var (
	ownUnits   = []string{"/etc/systemd/system/containerd.service", "/etc/systemd/system/kubelet.service", "/etc/systemd/system/etcd.service"}
	ownRecords = []string{WayRecord, KubeletRecord, KubeadmConfig}
)

// AskBuilt asks for what Built and OwnUnit look at.
func AskBuilt(q *protocol.FactsRequest) {
	for _, path := range ownUnits {
		q.Files = append(q.Files, protocol.FileQuery{Path: path, Content: true})
	}
	for _, path := range ownRecords {
		q.Files = append(q.Files, protocol.FileQuery{Path: path})
	}
}

// Built reports whether Quorate has worked on a host: what is there of Kubernetes
// is its own then, and not another installer's.
func Built(facts *protocol.Facts) bool {
	return slices.ContainsFunc(ownUnits, func(path string) bool { return OwnUnit(facts, path) }) ||
		slices.ContainsFunc(ownRecords, func(path string) bool { return facts.Files[path].Exists })
}

// OwnUnit reports whether a unit file is one that Quorate wrote.
func OwnUnit(facts *protocol.Facts, path string) bool {
	return strings.HasPrefix(facts.Files[path].Content, header)
}
