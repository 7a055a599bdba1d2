package config

import (
	"time"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

func (c *converter) etcd(p strict.Path, e *v1alpha1.Etcd) cluster.Etcd {
	out := cluster.Etcd{
		Mode:                    cluster.EtcdMode(c.oneOf(p.Key("mode"), "etcd.mode", e.Mode, string(cluster.EtcdExternal), string(cluster.EtcdStacked))),
		DataDir:                 c.dataDir(p.Key("dataDir"), e.DataDir),
		Heartbeat:               e.Heartbeat,
		Election:                e.Election,
		QuotaBackendBytes:       e.QuotaBackendBytes,
		SnapshotCount:           e.SnapshotCount,
		AutoCompactionRetention: e.AutoCompactionRetention,
		MaxRequestBytes:         e.MaxRequestBytes,
		MaxSnapshots:            e.MaxSnapshots,
		MaxWALs:                 e.MaxWALs,
	}
	c.timings(p, e)
	const smallest, largest = 64 << 20, 64 << 30
	c.tell(p.Key("quotaBackendBytes"), Rule{Bounded: true, Least: smallest, Most: largest})
	if q := e.QuotaBackendBytes; q < smallest || q > largest {
		c.Errorf(p.Key("quotaBackendBytes"), "etcd's own is 2147483648 (2 GiB), and more than 8589934592 (8 GiB) is seldom wise",
			"etcd.quotaBackendBytes %d is not between %d (64 MiB) and %d (64 GiB)", q, smallest, int64(largest))
	}
	// What is not given is etcd's own.
	const fewest, most = 100, 10_000_000
	c.tell(p.Key("snapshotCount"), Rule{Bounded: true, Least: fewest, Most: most})
	if c.Given(p.Key("snapshotCount")) && (e.SnapshotCount < fewest || e.SnapshotCount > most) {
		c.Errorf(p.Key("snapshotCount"), "etcd's own is 10000", "etcd.snapshotCount %d is not between %d and %d", e.SnapshotCount, fewest, most)
	}
	if c.Given(p.Key("autoCompactionRetention")) && (e.AutoCompactionRetention < time.Minute || e.AutoCompactionRetention%time.Second != 0) {
		c.Errorf(p.Key("autoCompactionRetention"), "such as 8h", "etcd.autoCompactionRetention %v is not a whole number of seconds from 1m on", e.AutoCompactionRetention)
	}
	const leastRequest, mostRequest = 64 << 10, 64 << 20
	c.tell(p.Key("maxRequestBytes"), Rule{Bounded: true, Least: leastRequest, Most: mostRequest})
	if c.Given(p.Key("maxRequestBytes")) && (e.MaxRequestBytes < leastRequest || e.MaxRequestBytes > mostRequest) {
		c.Errorf(p.Key("maxRequestBytes"), "etcd's own is 1572864 (1.5 MiB)", "etcd.maxRequestBytes %d is not between %d (64 KiB) and %d (64 MiB)", e.MaxRequestBytes, leastRequest, mostRequest)
	}
	if c.Given(p.Key("maxSnapshots")) {
		c.number(p.Key("maxSnapshots"), "etcd.maxSnapshots", e.MaxSnapshots, 1, 100)
	}
	if c.Given(p.Key("maxWALs")) {
		c.number(p.Key("maxWALs"), "etcd.maxWALs", e.MaxWALs, 1, 100)
	}
	if e.Metrics != "" || c.Given(p.Key("metrics")) {
		out.Metrics = c.oneOf(p.Key("metrics"), "etcd.metrics", e.Metrics, "basic", "extensive")
	}
	if e.LogLevel != "" || c.Given(p.Key("logLevel")) {
		out.LogLevel = c.oneOf(p.Key("logLevel"), "etcd.logLevel", e.LogLevel, "debug", "info", "warn", "error", "panic", "fatal")
	}
	return out
}

// timings checks etcd's heartbeat and election timeout by etcd's own rules.
func (c *converter) timings(p strict.Path, e *v1alpha1.Etcd) {
	const least, most = 10 * time.Millisecond, 50 * time.Second
	switch {
	case e.Heartbeat < least || e.Heartbeat > most:
		c.Errorf(p.Key("heartbeat"), "", "etcd.heartbeat %v is not between %v and %v", e.Heartbeat, least, most)
	case e.Election > most:
		c.Errorf(p.Key("election"), "", "etcd.election %v is longer than %v, which etcd refuses", e.Election, most)
	case e.Election < 5*e.Heartbeat:
		at := p.Key("election")
		if !c.Given(at) {
			at = p.Key("heartbeat")
		}
		c.Errorf(at, "ten heartbeats are usual", "etcd.election %v is shorter than five heartbeats of %v, which etcd refuses", e.Election, e.Heartbeat)
	}
}
