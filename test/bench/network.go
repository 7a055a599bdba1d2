package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/lab"
	"github.com/quorate/quorate/test/hosts"
)

// The labs of the two sides. Only one of them is up at a time: a cluster that
// merely exists keeps a core busy.
const (
	labOurs   = "bench-a"
	labTheirs = "bench-b"
)

// refuseLeftovers makes sure that neither lab exists: the hosts must be fresh.
func refuseLeftovers() error {
	for _, name := range []string{labOurs, labTheirs} {
		if _, err := lab.DefaultStore().Open(name); !errors.Is(err, lab.ErrNotFound) {
			return fmt.Errorf("lab %s exists already, from another run of this benchmark or one that was killed; take it down: quorate lab down --name %[1]s", name)
		}
	}
	return nil
}

// withLab makes bare hosts for one side.
func withLab(ctx context.Context, o options, name string, do func(*lab.Lab) error) error {
	fmt.Fprintf(os.Stderr, "lab %s: making %d + %d fresh hosts\n", name, o.controlPlanes, o.workers)
	return hosts.WithLab(ctx, o.quorate, name, []string{
		"--hosts-only", "--control-planes", strconv.Itoa(o.controlPlanes), "--workers", strconv.Itoa(o.workers),
		"--kubernetes", o.kubernetes,
	}, do)
}

// settle writes what is dirty to disk, so that neither side pays for the
// writes of what came before it.
func settle() { syscall.Sync() }

// traffic is how many bytes went where.
type traffic struct {
	sent         int64 // by this machine into the lab's network
	controlPlane int64 // received by a control-plane host, mean; from other hosts as well
	worker       int64 // received by a worker, mean
}

// measureTraffic reads the counters of the network interfaces, which start at
// zero with the hosts.
func measureTraffic(ctx context.Context, l *lab.Lab) (traffic, error) {
	var t traffic
	uplink, err := uplinkOf(l)
	if err != nil {
		return t, err
	}
	if t.sent, err = readCounter(filepath.Join("/sys/class/net", uplink, "statistics/tx_bytes")); err != nil {
		return t, err
	}
	all, err := l.Hosts()
	if err != nil {
		return t, err
	}
	var controlPlanes, workers int64
	for _, h := range all {
		out, err := hosts.Run(ctx, l, h.Name, "cat", "/sys/class/net/eth0/statistics/rx_bytes")
		if err != nil {
			return t, err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
		if err != nil {
			return t, fmt.Errorf("the network counter of %s: %w", h.Name, err)
		}
		if isControlPlane(h) {
			t.controlPlane += n
			controlPlanes++
		} else {
			t.worker += n
			workers++
		}
	}
	t.controlPlane /= max(1, controlPlanes)
	t.worker /= max(1, workers)
	return t, nil
}

func isControlPlane(h lab.Host) bool { return strings.HasPrefix(h.Name, "cp-") }

// uplinkOf is this machine's network interface into a lab.
func uplinkOf(l *lab.Lab) (string, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile: not ours
		}
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && l.Subnet().String() == network(n) {
				return i.Name, nil
			}
		}
	}
	return "", fmt.Errorf("this machine has no interface into %s", l.Subnet())
}

// network is the network of an interface's address, "10.77.0.0/24".
func network(n *net.IPNet) string {
	return (&net.IPNet{IP: n.IP.Mask(n.Mask), Mask: n.Mask}).String()
}

func readCounter(path string) (int64, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
}

// allReadySince asks the API when the last node became Ready, by the node's
// own record, which has whole seconds. It fails unless all nodes are Ready.
func allReadySince(ctx context.Context, l *lab.Lab, want int) (time.Time, error) {
	out, err := hosts.Run(ctx, l, "cp-1", "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "get", "nodes", "-o", "json")
	if err != nil {
		return time.Time{}, err
	}
	return lastReady([]byte(out), want)
}

// lastReady is the latest time at which one of the listed nodes became Ready.
func lastReady(nodes []byte, want int) (time.Time, error) {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct {
				Conditions []struct {
					Type, Status       string
					LastTransitionTime time.Time
				}
			}
		}
	}
	if err := json.Unmarshal(nodes, &list); err != nil {
		return time.Time{}, fmt.Errorf("reading the list of nodes: %w", err)
	}
	var last time.Time
	ready := 0
	for _, node := range list.Items {
		for _, c := range node.Status.Conditions {
			if c.Type == "Ready" && c.Status == "True" {
				ready++
				if c.LastTransitionTime.After(last) {
					last = c.LastTransitionTime
				}
			}
		}
	}
	if ready != want {
		return time.Time{}, fmt.Errorf("%d of %d nodes are Ready", ready, want)
	}
	return last, nil
}
