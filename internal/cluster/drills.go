package cluster

import "time"

// DrillBudget is what a drill may cost; what is 0 is not said.
type DrillBudget struct {
	Drill                         string // empty for all
	Gap                           time.Duration
	Read, KeepAlive, Write, Watch time.Duration
	Disturbed, Recovery, Moved    time.Duration
}

// DrillNames are the names of all drills, which package drill describes.
func DrillNames() []string {
	return []string{
		"nothing",
		"apiserver-killed", "apiserver-hung", "scheduler-killed", "scheduler-hung",
		"controller-manager-killed", "controller-manager-hung",
		"etcd-killed", "etcd-hung", "etcd-stopped",
		"kubelet-killed", "kubelet-hung", "kubelet-stopped",
		"containerd-killed", "containerd-hung", "containerd-stopped",
		"haproxy-killed", "haproxy-hung", "haproxy-stopped",
		"keepalived-killed", "keepalived-hung", "keepalived-stopped",
		"host-rebooted", "host-reset", "host-off", "host-frozen",
		"network-cut", "network-cut-peers", "network-cut-in", "network-cut-out",
		"network-lossy", "network-slow", "network-delayed",
		"node-lost", "etcd-data-lost", "certificate-expired", "clock-ahead", "clock-behind",
		"etcd-majority-cut", "disk-full",
	}
}
