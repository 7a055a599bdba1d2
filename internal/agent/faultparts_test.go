package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// fakeClock is a clock and an uptime that go only when they are told to.
type fakeClock struct {
	t    time.Time
	up   time.Duration
	boot string
}

func (c *fakeClock) now() time.Time                         { return c.t }
func (c *fakeClock) uptime() (time.Duration, string, error) { return c.up, c.boot, nil }
func (c *fakeClock) set(t time.Time) error                  { c.t = t; return nil }
func (c *fakeClock) pass(d time.Duration)                   { c.t, c.up = c.t.Add(d), c.up+d }

func TestClockIsSetBack(t *testing.T) {
	begin := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for name, x := range map[string]struct {
		shift time.Duration
		mend  func(*fakeClock) // what happened meanwhile
		want  time.Duration    // where the clock stands in the end
	}{
		"ahead":             {10 * time.Minute, func(*fakeClock) {}, 20 * time.Second},
		"behind":            {-10 * time.Minute, func(*fakeClock) {}, 20 * time.Second},
		"put right already": {10 * time.Minute, func(c *fakeClock) { c.t = begin.Add(c.up - time.Hour) }, 20 * time.Second},
		"set by somebody":   {10 * time.Minute, func(c *fakeClock) { c.t = begin.Add(3 * time.Hour) }, 3 * time.Hour},
		"started anew":      {10 * time.Minute, func(c *fakeClock) { c.t, c.up, c.boot = begin.Add(time.Minute), time.Second, "b" }, time.Minute},
	} {
		c := &fakeClock{t: begin, up: time.Hour, boot: "a"}
		file := filepath.Join(t.TempDir(), clockFile)
		if err := shiftClock(c, file, protocol.ClockFault{ShiftMillis: x.shift.Milliseconds()}); err != nil {
			t.Fatal(err)
		}
		if got := c.t.Sub(begin); got != x.shift {
			t.Errorf("%s: shifted by %s", name, got)
		}
		c.pass(20 * time.Second)
		x.mend(c)
		if err := unshiftClock(c, file); err != nil {
			t.Fatal(err)
		}
		if got := c.t.Sub(begin); got != x.want {
			t.Errorf("%s: the clock stands at %s, want %s", name, got, x.want)
		}
	}
	if err := unshiftClock(&fakeClock{}, filepath.Join(t.TempDir(), clockFile)); err != nil {
		t.Errorf("a clock that was not shifted: %v", err)
	}
	if up, boot, err := (kernelClock{}).uptime(); err != nil || up <= 0 || boot == "" {
		t.Errorf("this machine is up for %s since %q: %v", up, boot, err)
	}
}

// The machine's alarm is set before, read back, and never earlier than the
// machine could be off.
func TestMachineIsWoken(t *testing.T) {
	root := t.TempDir()
	a := New(Options{Root: root})
	defer a.Close()
	if err := a.wakes(); err == nil || !strings.Contains(err.Error(), "not switched off") {
		t.Errorf("a machine without an alarm: %v", err)
	}
	path := filepath.Join(root, wakeAlarm)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := a.wakes(); err != nil {
		t.Fatal(err)
	}
	if err := a.armWake(time.Second); err == nil {
		t.Error("an alarm of a clock that tells no time")
	}
	if err := os.WriteFile(filepath.Join(root, ownTime), []byte("1000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for lasts, want := range map[time.Duration]string{time.Second: "1030", time.Minute: "1060"} {
		if err := a.armWake(lasts); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != want {
			t.Errorf("to be off for %s the alarm is at %q: %v", lasts, text, err)
		}
	}
}

// authority makes an authority and a certificate of it, as files.
func authority(t *testing.T, dir, name string) (caFile, keyFile, leafFile string) {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	write := func(file, kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+file)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	caKey, leafKey := key(), key()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-3 * time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "kube-apiserver"}, DNSNames: []string{"cp-1"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	caFile = write(".crt", "CERTIFICATE", der, err)
	der, err = x509.MarshalECPrivateKey(caKey)
	keyFile = write(".key", "EC PRIVATE KEY", der, err)
	der, err = x509.CreateCertificate(rand.Reader, leaf, ca, &leafKey.PublicKey, caKey)
	return caFile, keyFile, write("-leaf.crt", "CERTIFICATE", der, err)
}

func TestCertificateThatExpired(t *testing.T) {
	dir := t.TempDir()
	ca, key, leaf := authority(t, dir, "kubernetes")
	fault := protocol.CertificateFault{File: leaf, Authority: ca, AuthorityKey: key, Program: "kube-apiserver"}
	text, err := expiredLike(fault, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	got, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	root, err := os.ReadFile(ca)
	if err != nil || !pool.AppendCertsFromPEM(root) {
		t.Fatal(err)
	}
	_, err = got.Verify(x509.VerifyOptions{Roots: pool, DNSName: "cp-1"})
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); !ok || invalid.Reason != x509.Expired {
		t.Errorf("it is refused as %v", err)
	}
	if _, err := got.Verify(x509.VerifyOptions{Roots: pool, DNSName: "cp-1", CurrentTime: time.Now().Add(-90 * time.Minute)}); err != nil {
		t.Errorf("before it expired it was no good either: %v", err)
	}
	old, err := readCertificate(leaf)
	if err != nil || !old.PublicKey.(*ecdsa.PublicKey).Equal(got.PublicKey) {
		t.Errorf("it is of another key: %v", err)
	}
	fault.Authority, fault.AuthorityKey, _ = authority(t, dir, "others")
	if _, err := expiredLike(fault, time.Now()); err == nil || !strings.Contains(err.Error(), "was not signed by") {
		t.Errorf("of another authority: %v", err)
	}
	fault.AuthorityKey = filepath.Join(dir, "none")
	if _, err := expiredLike(fault, time.Now()); err == nil {
		t.Error("an authority without a key makes certificates")
	}
}

// Only a unit that does not start without its data has it taken away.
func TestUnitsThatStartWithoutTheirData(t *testing.T) {
	for unit, safe := range map[string]bool{
		"[Unit]\nAssertPathExists=|!/etc/formed\nAssertPathExists=|/var/lib/etcd/member\n": true,
		"[Unit]\nAssertPathExists=/var/lib/etcd/member\n":                                  true,
		"[Unit]\nAssertPathExists=|/data/etcd/member\n":                                    false,
		"[Service]\nExecStart=/usr/bin/etcd\n":                                             false,
	} {
		a := New(Options{Root: t.TempDir(), Exec: func(_ context.Context, c Command) (protocol.RunReply, error) {
			if strings.Join(c.Argv, " ") != "systemctl cat -- etcd.service" {
				t.Errorf("%q", c.Argv)
			}
			return protocol.RunReply{Stdout: []byte(unit)}, nil
		}})
		_, err := a.fault(t.Context(), protocol.FaultRequest{ID: "a", LastsMillis: 1000, Try: true, Data: &protocol.DataFault{Unit: "etcd.service", Dir: "/var/lib/etcd", Holds: "member"}})
		if (err == nil) != safe {
			t.Errorf("%q: %v", unit, err)
		}
		a.Close()
	}
}

// To try does nothing, and says why it cannot be done.
func TestTrying(t *testing.T) {
	root := t.TempDir()
	a := New(Options{Root: root, Exec: func(_ context.Context, c Command) (protocol.RunReply, error) {
		if c.Argv[0] != "unshare" {
			t.Errorf("%q", c.Argv)
		}
		return protocol.RunReply{ExitCode: 2, Stderr: []byte("Error: Specified qdisc kind is unknown.")}, nil
	}})
	defer a.Close()
	delayed := protocol.FaultRequest{ID: "a", LastsMillis: 1000, Try: true, Network: &protocol.NetworkFault{Address: "127.0.0.1", DelayMillis: 100}}
	if _, err := a.fault(t.Context(), delayed); err == nil || !strings.Contains(err.Error(), "netem") {
		t.Errorf("a kernel without netem: %v", err)
	}
	delayed.Try = false
	if _, err := a.fault(t.Context(), delayed); err == nil || !strings.Contains(err.Error(), "netem") {
		t.Errorf("without being asked before: %v", err)
	}
	kill := protocol.FaultRequest{ID: "a", LastsMillis: 1000, Try: true, Process: &protocol.ProcessFault{Program: "no-such-program"}}
	if _, err := a.fault(t.Context(), kill); err != nil {
		t.Errorf("it was not only tried: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, protocol.FaultFolder)); !os.IsNotExist(err) {
		t.Errorf("something was made: %v", err)
	}
}

// A discipline of somebody else's is neither replaced nor taken off.
func TestForeignDelayStays(t *testing.T) {
	calls := fakePrograms(t, map[string]string{"tc": `case "$2" in
add) echo "Error: Exclusivity flag on, cannot modify."; exit 2;;
show) echo "qdisc netem 8001: dev lo root refcnt 2 limit 1000 delay 20ms";;
esac`})
	request := protocol.FaultRequest{ID: "x-1", LastsMillis: 1000, Network: &protocol.NetworkFault{Address: "127.0.0.1", DelayMillis: 100}}
	dir, err := began(t, request)
	if err == nil || !strings.Contains(err.Error(), "Exclusivity") {
		t.Errorf("a delay on top of another: %v", err)
	}
	if err := UndoFault(t.Context(), dir); err != nil {
		t.Error(err)
	}
	for _, call := range calls() {
		if strings.HasPrefix(call, "tc qdisc del") {
			t.Errorf("%q", call)
		}
	}
	calls = fakePrograms(t, map[string]string{"tc": `[ "$2" != show ] || printf 'qdisc noqueue 0: dev lo root refcnt 2\nqdisc netem ` + drillHandle("x-1") + ` dev eth7 root refcnt 2 limit 1000 delay 100ms\n'`})
	dir, err = began(t, request)
	if err == nil || !strings.Contains(err.Error(), "not started by systemd") {
		t.Error(err)
	}
	if err := UndoFault(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if got, want := calls(), "tc qdisc del dev eth7 root handle "+drillHandle("x-1")+"\n"; got[len(got)-1] != want {
		t.Errorf("%q, want %q in the end", got, want)
	}
}

// Each fault has a table of its own, and only that is deleted: where no rules were
// made, nothing is.
func TestOtherRulesStay(t *testing.T) {
	request := protocol.FaultRequest{ID: "x-1", LastsMillis: 1000, Network: &protocol.NetworkFault{Address: "127.0.0.1", In: true}}
	calls := fakePrograms(t, map[string]string{"nft": `cat >&2; exit 1`})
	dir, err := began(t, request)
	if err == nil || !strings.Contains(err.Error(), "table inet quorate_drill_x_1 {") {
		t.Errorf("rules that the kernel does not take: %v", err)
	}
	if err := UndoFault(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if got := calls(); !slices.Equal(got, []string{"nft --check --file -\n"}) {
		t.Errorf("%q", got)
	}
	fakePrograms(t, map[string]string{"nft": ""})
	dir, _ = began(t, request)
	fakePrograms(t, map[string]string{"nft": `cat >&2; exit 1`})
	if err := UndoFault(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "add table inet quorate_drill_x_1\ndelete table inet quorate_drill_x_1") {
		t.Errorf("undoing says %v", err)
	}
}
