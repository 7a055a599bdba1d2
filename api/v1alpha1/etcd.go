package v1alpha1

import "time"

// Etcd holds the settings of the etcd cluster.
type Etcd struct {
	// Mode is external (systemd units on the hosts of role etcd) or stacked
	// (static pods on the control-plane hosts). In mode external, when no host
	// has the role etcd, the control-plane hosts get it.
	//
	// Example: stacked
	Mode string `yaml:"mode,omitempty"`
	// DataDir is where members keep their data; best on a disk of its own.
	//
	// Example: /data/etcd
	DataDir string `yaml:"dataDir,omitempty"`
	// Heartbeat is how often the leader says it is alive, such as 100ms; near
	// the round-trip time between members. From 10ms to 50s.
	//
	// Example: 200ms
	Heartbeat time.Duration `yaml:"heartbeat,omitempty"`
	// Election is how long members wait for a heartbeat before they elect
	// another leader; at least five heartbeats, at most 50s.
	//
	// Example: 2s
	Election time.Duration `yaml:"election,omitempty"`
	// QuotaBackendBytes is the size in bytes at which etcd refuses further
	// writes; more than 8 GiB is seldom wise.
	//
	// Example: 8589934592
	QuotaBackendBytes int64 `yaml:"quotaBackendBytes,omitempty"`
	// SnapshotCount is after how many writes a member saves a snapshot and
	// shortens its log. Default: etcd's own, 10000.
	//
	// Example: 10000
	SnapshotCount int64 `yaml:"snapshotCount,omitempty"`
	// AutoCompactionRetention is how old history may become before it is
	// dropped, such as 8h. Default: only Kubernetes' own compaction, every 5m.
	//
	// Example: 8h
	AutoCompactionRetention time.Duration `yaml:"autoCompactionRetention,omitempty"`
	// MaxRequestBytes is the largest write in bytes. Default: etcd's own, 1.5 MiB.
	//
	// Example: 4194304
	MaxRequestBytes int64 `yaml:"maxRequestBytes,omitempty"`
	// MaxSnapshots is how many snapshot files are kept. Default: etcd's own, 5.
	//
	// Example: 5
	MaxSnapshots int `yaml:"maxSnapshots,omitempty"`
	// MaxWALs is how many log files are kept. Default: etcd's own, 5.
	//
	// Example: 5
	MaxWALs int `yaml:"maxWALs,omitempty"`
	// Metrics is how much etcd measures: basic or extensive. Default: etcd's own, basic.
	//
	// Example: extensive
	Metrics string `yaml:"metrics,omitempty"`
	// LogLevel is debug, info, warn, error, panic or fatal. Default: etcd's own, info.
	//
	// Example: warn
	LogLevel string `yaml:"logLevel,omitempty"`
}
