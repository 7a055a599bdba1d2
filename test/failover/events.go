package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/internal/cluster"
)

// event is something that is done to the endpoint.
type event struct {
	name string
	what string
	goal string // in words, of Quorate's side
	// target chooses the host that it is done to.
	target func(*bench, context.Context) (string, error)
	do     func(b *bench, ctx context.Context, host string) error
	undo   func(b *bench, ctx context.Context, host string) error // nil: it ends by itself
}

func (e event) id() string { return e.name }

func allEvents() []event {
	holder, follower := (*bench).holder, (*bench).follower
	return []event{
		{"proxy-stop", "haproxy stopped on the VIP holder", "gap ≤ 0.3 s", holder, (*bench).stopProxy, (*bench).startProxy},
		{"proxy-kill", "haproxy killed on the VIP holder", "gap ≤ 0.3 s", holder, kill("KILL", "haproxy"), nil},
		{"proxy-hang", "haproxy hung (SIGSTOP) on the VIP holder", "gap ≤ 2 s", holder, kill("STOP", "haproxy"), kill("CONT", "haproxy")},
		{"lb-off", "VIP holder powered off", "gap ≤ 0.8 s", holder, off, on},
		{"lb-freeze", "VIP holder frozen", "gap ≤ 1 s", holder, freeze, thaw},
		{"lb-cut", "cable of the VIP holder cut", "gap ≤ 0.8 s", holder, cut, heal},
		{"lb-restart", "all load balancers restarted in turn", "gap ≤ 0.8 s", all, (*bench).rebootBalancers, nil},
		{"api-kill", "API server process killed", "0 without a server", follower, kill("KILL", "kube-apiserver"), nil},
		{"api-none", "all API servers killed at once", "refused at once", all, (*bench).killAPIServers, nil},
		{"api-restart", "all API servers restarted in turn", "0 failed", all, (*bench).restartAPIServers, nil},
		{"cp-off", "control-plane host powered off (no etcd leader)", "gap ≤ 1 s", follower, off, on},
		{"cp-freeze", "control-plane host frozen (no etcd leader)", "gap ≤ 2 s, stuck ≤ 3 s", follower, freeze, thaw},
	}
}

func all(*bench, context.Context) (string, error) { return "all", nil }

func off(b *bench, ctx context.Context, host string) error    { return b.l.Off(ctx, host) }
func on(b *bench, ctx context.Context, host string) error     { return b.l.On(ctx, host) }
func freeze(b *bench, ctx context.Context, host string) error { return b.l.Freeze(ctx, host) }
func thaw(b *bench, ctx context.Context, host string) error   { return b.l.Thaw(ctx, host) }
func cut(b *bench, ctx context.Context, host string) error    { return b.l.Cut(ctx, host) }
func heal(b *bench, ctx context.Context, host string) error   { return b.l.Heal(ctx, host) }

// kill sends all processes of a name a signal.
func kill(sig, process string) func(*bench, context.Context, string) error {
	return func(b *bench, ctx context.Context, host string) error {
		_, err := b.run(ctx, host, "pkill", "-"+sig, "-x", process)
		return err
	}
}

func (b *bench) stopProxy(ctx context.Context, host string) error {
	_, err := b.run(ctx, host, "systemctl", "stop", b.now.proxy)
	return err
}

func (b *bench) startProxy(ctx context.Context, host string) error {
	_, err := b.run(ctx, host, "systemctl", "start", b.now.proxy)
	return err
}

// rebootBalancers restarts the load balancers as their owner would, each when
// the one before works again.
func (b *bench) rebootBalancers(ctx context.Context, _ string) error {
	for _, h := range b.cluster.Balancers() {
		if err := b.l.Reboot(ctx, h.Name); err != nil {
			return err
		}
		if err := b.steady(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) killAPIServers(ctx context.Context, _ string) error {
	var group errgroup.Group
	for _, h := range b.cluster.ControlPlanes() {
		group.Go(func() error { return kill("KILL", "kube-apiserver")(b, ctx, h.Name) })
	}
	return group.Wait()
}

// restartAPIServers gives each API server's static pod another label, as a
// change of its settings would, and waits for each before the next.
func (b *bench) restartAPIServers(ctx context.Context, _ string) error {
	b.touched++
	for _, h := range b.cluster.ControlPlanes() {
		if err := b.restartAPIServer(ctx, h); err != nil {
			return fmt.Errorf("restarting the API server of %s: %w", h.Name, err)
		}
	}
	return nil
}

const manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"

func (b *bench) restartAPIServer(ctx context.Context, h *cluster.Host) error {
	edit := `/^    bench: /d; s/^  labels:$/&\n    bench: "` + strconv.Itoa(b.touched) + `"/`
	// In one step, as kubeadm writes it.
	if _, err := b.run(ctx, h.Name, "sh", "-c", "sed -e '"+edit+"' "+manifest+" >/run/bench.yaml && cp /run/bench.yaml /etc/kubernetes/bench.yaml && chmod 600 /etc/kubernetes/bench.yaml && mv /etc/kubernetes/bench.yaml "+manifest); err != nil {
		return err
	}
	err := b.await(ctx, "the old one to end", func(ctx context.Context) error {
		if b.ready(ctx, h) == nil {
			return errors.New("it serves")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.await(ctx, "the new one to be ready", func(ctx context.Context) error { return b.ready(ctx, h) })
}
