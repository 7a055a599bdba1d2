package ansible

import (
	"regexp"
	"strconv"
	"time"

	"github.com/quorate/quorate/internal/config/strict"
)

const etcdPath = strict.Path("spec.etcd")

// theirElection is the installers' election timeout where a file says none.
const theirElection = 5 * time.Second

// etcd fills in etcd's settings.
func (m *importer) etcd() {
	e := &m.doc.Spec.Etcd
	m.etcdMode()
	m.text(etcdPath.Key("dataDir"), &e.DataDir, "etcd_data_dir")
	m.period(etcdPath.Key("heartbeat"), &e.Heartbeat, "etcd_heartbeat_interval", time.Millisecond)
	m.period(etcdPath.Key("election"), &e.Election, "etcd_election_timeout", time.Millisecond)
	if heartbeat := etcdPath.Key("heartbeat"); e.Heartbeat != 0 && !m.r.Given(etcdPath.Key("election")) {
		// The installers' own, which goes with such heartbeats where ours would not.
		m.r.Set(etcdPath.Key("election"), m.r.PlaceOf(heartbeat))
		e.Election = theirElection
	}
	m.period(etcdPath.Key("autoCompactionRetention"), &e.AutoCompactionRetention, "etcd_compaction_retention", time.Hour)
	for _, number := range []struct {
		key, name string
		field     *int64
	}{
		{"snapshotCount", "etcd_snapshot_count", &e.SnapshotCount},
		{"quotaBackendBytes", "etcd_quota_backend_bytes", &e.QuotaBackendBytes},
		{"maxRequestBytes", "etcd_max_request_bytes", &e.MaxRequestBytes},
	} {
		if s := m.cluster(number.name); s != nil && canonical(s.value) != "" {
			if value, ok := m.integer(etcdPath.Key(number.key), s); ok {
				*number.field = value
			}
		}
	}
	m.number(etcdPath.Key("maxSnapshots"), &e.MaxSnapshots, "etcd_max_snapshots")
	m.number(etcdPath.Key("maxWALs"), &e.MaxWALs, "etcd_max_wals")
	m.text(etcdPath.Key("metrics"), &e.Metrics, "etcd_metrics")
	m.text(etcdPath.Key("logLevel"), &e.LogLevel, "etcd_log_level")
	m.memberNames()
}

// etcdMode fills in who runs etcd.
func (m *importer) etcdMode() {
	e := &m.doc.Spec.Etcd
	p := etcdPath.Key("mode")
	if on, s := m.truth("etcd_kubeadm_enabled", false); on {
		m.r.Set(p, s.at)
		e.Mode = "stacked"
		m.handled["etcd_deployment_type"] = true
		return
	}
	s := m.cluster("etcd_deployment_type")
	if s == nil {
		return
	}
	value, ok := m.scalar(p, s)
	switch {
	case !ok:
	case value == "host":
		e.Mode = "external"
	case value == "kubeadm":
		e.Mode = "stacked"
	case value == "docker" || value == "containerd" || value == "rkt":
		e.Mode = "external"
		m.tell(s, "write host", "etcd_deployment_type %s: etcd runs as a systemd unit instead of in a container", value)
	default:
		m.r.Errorf(p, "write host or kubeadm", "etcd_deployment_type %s is not one that is known", quote(value))
	}
}

// period fills in a time that is written as a number of some unit.
func (m *importer) period(p strict.Path, field *time.Duration, name string, unit time.Duration) {
	s := m.cluster(name)
	if s == nil || canonical(s.value) == "0" { // 0 switches it off, as leaving it out does
		return
	}
	value, ok := m.scalar(p, s)
	if !ok {
		return
	}
	if n, err := strconv.ParseInt(value, 10, 32); err == nil {
		*field = time.Duration(n) * unit
		return
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		m.r.Errorf(p, "", "%s must be a number of %s", name, map[time.Duration]string{time.Millisecond: "milliseconds", time.Hour: "hours"}[unit])
		return
	}
	*field = d
}

// sampleMember is a name of a member as the installer's sample has it, which nobody chose.
var sampleMember = regexp.MustCompile(`^etcd-?[0-9]+$`)

// memberNames tells about names of etcd members, which are the hosts' own here.
func (m *importer) memberNames() {
	m.handled["etcd_member_name"] = true
	for _, h := range m.members {
		v := m.inv.lookup(h, "etcd_member_name")
		if v == nil {
			continue
		}
		_, isMember := h.isIn(groupEtcd)
		if sampleMember.MatchString(v.value.Value) {
			continue
		}
		if n, why := m.resolve(v.value, h); isMember && !isEmpty(v.value) && (why != nil || n.Value != h.name) {
			m.inv.warn(v.at, "", "etcd_member_name is not used: members have their hosts' names, here %s", quote(h.name))
			return
		}
	}
}
