package agent

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/quorate/quorate/internal/agent/protocol"
)

const showOutput = `MainPID=0
NRestarts=0
Result=success
LoadState=not-found
ActiveState=inactive
SubState=dead
FragmentPath=
UnitFileState=
NeedDaemonReload=no
ActiveEnterTimestamp=

MainPID=812
NRestarts=2
Result=success
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/lib/systemd/system/containerd.service
UnitFileState=enabled
NeedDaemonReload=yes
ActiveEnterTimestamp=Sat 2026-11-21 07:18:04 UTC
`

func TestParseUnits(t *testing.T) {
	got := parseUnits([]string{"kubelet", "containerd"}, showOutput)
	want := map[string]protocol.Unit{
		"kubelet": {Load: "not-found", Active: "inactive", Sub: "dead", Result: "success"},
		"containerd": {
			Load: "loaded", Active: "active", Sub: "running", Enabled: "enabled", MainPID: 812, NeedsReload: true,
			ActiveSince: time.Date(2026, 11, 21, 7, 18, 4, 0, time.UTC).Unix(), Restarts: 2, Result: "success",
			FragmentPath: "/lib/systemd/system/containerd.service",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseUnits(f *testing.F) {
	f.Add(showOutput)
	f.Add("\n\n\n=\nActiveState")
	f.Fuzz(func(t *testing.T, text string) {
		if got := parseUnits([]string{"a", "b"}, text); len(got) > 2 {
			t.Errorf("%d units from two names", len(got))
		}
	})
}

const procNetTCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23456 1 0000000000000000 100 0 0 10 0
   1: 0200A8C0:0016 0100A8C0:D0C8 01 00000000:00000000 02:000A7D8F 00000000     0        0 23999 2 0000000000000000 20 4 30 10 -1
`

const procNetTCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 17001 1 0000000000000000 100 0 0 10 0
   1: B80D01200000000000000000DC000000:2CA2 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 17002 1 0000000000000000 100 0 0 10 0
`

func TestParseListening(t *testing.T) {
	got := append(parseSockets(procNetTCP, stateListen), parseSockets(procNetTCP6, stateListen)...)
	want := []socket{
		{netip.MustParseAddrPort("127.0.0.1:6443"), netip.MustParseAddrPort("0.0.0.0:0"), "23456"},
		{netip.MustParseAddrPort("[::]:22"), netip.MustParseAddrPort("[::]:0"), "17001"},
		{netip.MustParseAddrPort("[2001:db8::dc]:11426"), netip.MustParseAddrPort("[::]:0"), "17002"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(socket{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseConnections(t *testing.T) {
	want := []socket{{netip.MustParseAddrPort("192.168.0.2:22"), netip.MustParseAddrPort("192.168.0.1:53448"), "23999"}}
	if diff := cmp.Diff(want, parseSockets(procNetTCP, stateEstablished), cmp.AllowUnexported(socket{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseListening(f *testing.F) {
	f.Add(procNetTCP)
	f.Add(procNetTCP6)
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range parseSockets(text, stateListen) {
			if !s.address.IsValid() {
				t.Errorf("an invalid address from %q", text)
			}
		}
	})
}

func TestParseOSRelease(t *testing.T) {
	got := parseOSRelease("PRETTY_NAME=\"Rocky \\\"Linux\\\" 9.4\"\n# comment\nID='rocky'\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=9.4\nBROKEN\n")
	want := protocol.OS{ID: "rocky", Version: "9.4", IDLike: []string{"rhel", "centos", "fedora"}, PrettyName: `Rocky "Linux" 9.4`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Family() != "rhel" {
		t.Errorf("family %q", got.Family())
	}
}

func FuzzParseOSRelease(f *testing.F) {
	f.Add("ID=debian\nVERSION_ID=\"12\"\n")
	f.Add("ID=\"\\")
	f.Fuzz(func(t *testing.T, text string) { parseOSRelease(text) })
}

const imagesTable = `REF                                TYPE                                                 DIGEST                                                                  SIZE      PLATFORMS   LABELS
registry.k8s.io/pause:3.10.1       application/vnd.oci.image.manifest.v1+json           sha256:aaaa 311.6 KiB linux/amd64 io.cri-containerd.image=managed
registry.k8s.io/etcd:3.6.8-0       application/vnd.docker.distribution.manifest.v2+json sha256:bbbb 20.1 MiB  linux/amd64 -
`

func TestParseImages(t *testing.T) {
	want := map[string]string{"registry.k8s.io/pause:3.10.1": "sha256:aaaa", "registry.k8s.io/etcd:3.6.8-0": "sha256:bbbb"}
	if diff := cmp.Diff(want, parseImages(imagesTable)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseImages(f *testing.F) {
	f.Add(imagesTable)
	f.Fuzz(func(t *testing.T, text string) {
		for name, digest := range parseImages(text) {
			if name == "" || len(digest) < len("sha256:") {
				t.Errorf("%q: %q", name, digest)
			}
		}
	})
}

func TestParseMounts(t *testing.T) {
	got := parseMounts(`36 35 98:0 /mnt1 /mnt/with\040space rw,noatime master:1 shared:3 - ext4 /dev/root rw
25 30 0:23 / /run rw,nosuid - tmpfs tmpfs rw
broken line
`)
	want := []mount{
		{"36", "35", "/mnt1", "/mnt/with space", "ext4", "/dev/root"}, {"25", "30", "/", "/run", "tmpfs", "tmpfs"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mount{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add(`36 35 98:0 /mnt1 /mnt/with\040space rw master:1 - ext4 /dev/root rw`)
	f.Fuzz(func(t *testing.T, text string) { parseMounts(text) })
}

func TestParseDefaultRoute(t *testing.T) {
	const table = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	0101A8C0	0003	0	0	600	00000000	0	0	0
eth0	00000000	0100A8C0	0003	0	0	100	00000000	0	0	0
eth0	0000A8C0	00000000	0001	0	0	0	0000FFFF	0	0	0
`
	if got := parseDefaultRoute(table); got != "eth0" {
		t.Errorf("got %q", got)
	}
}

func TestSysctlPath(t *testing.T) {
	for name, want := range map[string]string{
		"net.ipv4.ip_forward":                "/proc/sys/net/ipv4/ip_forward",
		"net.ipv4.conf.eth0/1.forwarding":    "/proc/sys/net/ipv4/conf/eth0.1/forwarding",
		"net/ipv4/conf/eth0.1/forwarding":    "/proc/sys/net/ipv4/conf/eth0.1/forwarding",
		"net.bridge.bridge-nf-call-iptables": "/proc/sys/net/bridge/bridge-nf-call-iptables",
	} {
		if got, ok := sysctlPath(name); !ok || got != want {
			t.Errorf("%s: %s, %v", name, got, ok)
		}
	}
	if path, ok := sysctlPath("../../etc/shadow"); ok {
		t.Errorf("climbed out to %s", path)
	}
}

func TestParseSmallFiles(t *testing.T) {
	if got := parseMemTotal("MemTotal:        8000000 kB\nMemFree: 1 kB\n"); got != 8000000<<10 {
		t.Errorf("memory %d", got)
	}
	if got := parseCapBnd("Name:\tx\nCapBnd:\t000001ffffffffff\n"); got != 0x1ffffffffff {
		t.Errorf("capabilities %x", got)
	}
	if diff := cmp.Diff([]string{"/dev/sda2", "/swap file"}, parseSwaps("Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 1 0 -2\n/swap\\040file file 1 0 -3\n")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"10.0.0.1", "fe80::1%eth0"}, parseResolv("# x\nnameserver 10.0.0.1\nsearch a b\nnameserver fe80::1%eth0\n")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"haproxy": "2.6.12-1"}, parseInstalled("installed\thaproxy\t2.6.12-1\nnot-installed\tnginx\t\nconfig-files\tkeepalived\t1\npackage x is not installed\n")); diff != "" {
		t.Error(diff)
	}
}

func TestDebOfName(t *testing.T) {
	for name, want := range map[string]deb{
		"/p/conntrack_1%3a1.4.7-1+b2_amd64.deb": {"/p/conntrack_1%3a1.4.7-1+b2_amd64.deb", "conntrack", "1:1.4.7-1+b2"},
		"/p/netbase_6.4_all.deb":                {"/p/netbase_6.4_all.deb", "netbase", "6.4"},
	} {
		if got, ok := debOfName(name); !ok || got != want {
			t.Errorf("debOfName(%q) = %v, %v; want %v", name, got, ok, want)
		}
	}
	for _, name := range []string{"/p/haproxy.deb", "/p/a_b.deb", "/p/_1_all.deb", "/p/a_1_all", "/p/a_b_c_d.deb"} {
		if got, ok := debOfName(name); ok {
			t.Errorf("debOfName(%q) = %v; want none", name, got)
		}
	}
}
