package kubekey

import (
	"strings"
	"time"

	"github.com/quorate/quorate/internal/config/strict"
)

// KubeKey's kinds of etcd.
const (
	etcdKubeKey  = "kubekey"  // services on the hosts of group etcd
	etcdKubeadm  = "kubeadm"  // pods on the control-plane hosts
	etcdExternal = "external" // a cluster of the user's own
)

// theirElection is KubeKey's election timeout where a file says none.
const theirElection = 5 * time.Second

func (m *importer) etcd(e *etcd) {
	const from, to = strict.Path("spec.etcd"), strict.Path("spec.etcd")
	out := &m.doc.Spec.Etcd
	switch e.Type {
	case "":
	case etcdKubeKey:
		set(m, to.Key("mode"), &out.Mode, from.Key("type"), "external")
	case etcdKubeadm:
		set(m, to.Key("mode"), &out.Mode, from.Key("type"), "stacked")
	case etcdExternal:
		m.fail(from.Key("type"), "write type: kubekey and put the hosts in roleGroups.etcd: Quorate then runs etcd there",
			"etcd.type external is not supported: Quorate runs the cluster's etcd itself, and takes over none that is there")
	default:
		hint := strict.DidYouMean(e.Type, []string{etcdKubeKey, etcdKubeadm})
		m.fail(from.Key("type"), hint, "etcd.type must be kubekey or kubeadm, not %s", quote(e.Type))
	}
	set(m, to.Key("dataDir"), &out.DataDir, from.Key("dataDir"), e.DataDir)
	m.duration(to.Key("heartbeat"), &out.Heartbeat, from.Key("heartbeatInterval"), e.HeartbeatInterval, time.Millisecond)
	m.duration(to.Key("election"), &out.Election, from.Key("electionTimeout"), e.ElectionTimeout, time.Millisecond)
	if out.Heartbeat != 0 && out.Election == 0 && !m.theirs.Given(from.Key("electionTimeout")) {
		// KubeKey's own, which goes with such heartbeats where ours would not.
		set(m, to.Key("election"), &out.Election, from.Key("heartbeatInterval"), theirElection)
	}
	set(m, to.Key("snapshotCount"), &out.SnapshotCount, from.Key("snapshotCount"), e.SnapshotCount)
	m.duration(to.Key("autoCompactionRetention"), &out.AutoCompactionRetention, from.Key("autoCompactionRetention"), e.AutoCompactionRetention, time.Hour)
	set(m, to.Key("metrics"), &out.Metrics, from.Key("metrics"), e.Metrics)
	set(m, to.Key("quotaBackendBytes"), &out.QuotaBackendBytes, from.Key("quotaBackendBytes"), e.QuotaBackendBytes)
	set(m, to.Key("maxRequestBytes"), &out.MaxRequestBytes, from.Key("maxRequestBytes"), e.MaxRequestBytes)
	m.files(to.Key("maxSnapshots"), &out.MaxSnapshots, from.Key("maxSnapshots"), e.MaxSnapshots)
	m.files(to.Key("maxWALs"), &out.MaxWALs, from.Key("maxWals"), e.MaxWals)
	set(m, to.Key("logLevel"), &out.LogLevel, from.Key("logLevel"), e.LogLevel)
	for i, arg := range e.ExtraArgs {
		flag, _, _ := strings.Cut(strings.TrimLeft(strings.TrimSpace(arg), "-"), "=")
		m.warn(from.Key("extraArgs").Index(i), "what etcd's settings here have a name for can be written as dataDir, heartbeatInterval, quotaBackendBytes and so on",
			"etcd.extraArgs: the flag %s is not taken over: etcd runs with its own default", quote(flag))
	}
	var external []any
	if e.Type == etcdExternal {
		external = []any{e.External} // spoken about already
	}
	m.leaveOut(
		leftOut{from: from.Key("external"), value: e.External, harmless: external, follows: "it is for etcd.type external only", hint: "remove it"},
		leftOut{from: from.Key("port"), value: e.Port, harmless: []any{2379}, follows: "etcd's clients use port 2379", hint: "open port 2379 between the hosts"},
		leftOut{from: from.Key("peerPort"), value: e.PeerPort, harmless: []any{2380}, follows: "etcd's members use port 2380", hint: "open port 2380 between the etcd hosts"},
		leftOut{from: from.Key("backupDir"), value: e.BackupDir, follows: noBackups, hint: backUp, lost: lostBackups},
		leftOut{from: from.Key("backupPeriod"), value: e.BackupPeriod, follows: noBackups, hint: backUp, lost: lostBackups},
		leftOut{from: from.Key("keepBackupNumber"), value: e.KeepBackupNumber, follows: noBackups, hint: backUp, lost: lostBackups},
		leftOut{from: from.Key("backupScript"), value: e.BackupScript, follows: noBackups, hint: backUp, lost: lostBackups},
	)
}

// duration imports a time that KubeKey writes as a number of some unit.
func (m *importer) duration(to strict.Path, field *time.Duration, from strict.Path, value int64, unit time.Duration) {
	const longest = 10 * 365 * 24 * time.Hour
	if value < 0 || value > int64(longest/unit) {
		m.fail(from, "", "%s %d is no such time", name(from), value)
		m.ours.MarkBad(to)
		return
	}
	set(m, to, field, from, time.Duration(value)*unit)
}

// files imports how many files of a kind etcd keeps. KubeKey's 0 is "all of
// them", which ours has not.
func (m *importer) files(to strict.Path, field *int, from strict.Path, value int) {
	if value == 0 && m.theirs.Given(from) {
		m.warn(from, "write how many", "%s 0 is not taken over: etcd keeps 5, its own default, not all of them", name(from))
		return
	}
	set(m, to, field, from, value)
}
