package endpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/kube"
)

const (
	kubeletUnit    = "kubelet.service"
	superAdminConf = component.KubernetesDir + "/super-admin.conf"

	// moveTimeout bounds each part of a node's move.
	moveTimeout = 2 * time.Minute
)

// learnName is the work of adding the endpoint's name to a host's file beside the
// one from before.
type learnName struct {
	host string
	way  cluster.Way
}

// Apply implements component.Op.
func (o learnName) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	return editHosts(ctx, h, func(text string) string { return component.WithWay(o.way, text) })
}

// editHosts changes a host's hosts file as it is now.
func editHosts(ctx context.Context, h *host.Host, edit func(string) string) error {
	old, err := h.ReadFile(ctx, component.HostsFile)
	if err != nil {
		return err
	}
	_, err = h.WriteFile(ctx, component.HostsFile, []byte(edit(string(old))), 0o644)
	return err
}

// move is the work of giving a node that runs its way: its hosts file, its
// kubeconfigs, its kubelet, and the pods that go by the hosts file.
type move struct {
	host        string
	way, from   cluster.Way
	kubeconfigs []string // that may name another server
	clients     []hostClient

	leads []netip.Addr // where the name led when it was looked up last
}

// Apply implements component.Op.
func (o *move) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	// From here on, until both were seen to use it, nobody knows which way the
	// kubelet and kube-proxy use.
	if err := h.Remove(ctx, component.WayRecord); err != nil {
		return err
	}
	if err := o.lead(ctx, h, say); err != nil {
		return err
	}
	for _, path := range o.kubeconfigs {
		if err := o.point(ctx, h, path); err != nil {
			return err
		}
	}
	renewed, err := ask(ctx, rt, say, func(ctx context.Context, c *kube.Client) (time.Time, error) { return c.NodeRenewed(ctx, o.host) })
	if err != nil {
		return err
	}
	if _, err := h.Unit(ctx, protocol.UnitRequest{Name: kubeletUnit, Verb: "restart"}); err != nil {
		return err
	}
	if err := o.connected(ctx, h, "kubelet", say); err != nil {
		return err
	}
	err = component.Until(ctx, moveTimeout, "the kubelet of "+o.host+" to renew its node's lease", say, func(ctx context.Context) error {
		c, err := rt.Kube(ctx)
		if err != nil {
			return err
		}
		now, err := c.NodeRenewed(ctx, o.host)
		if err == nil && !now.After(renewed) {
			err = errors.New("not renewed since it was restarted")
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range o.clients {
		if err := o.replacePod(ctx, rt, c, say); err != nil {
			return err
		}
	}
	return nil
}

// lead makes the endpoint's name lead the new way on the host. Where it does not,
// as when a name that is left to DNS means nothing there, the hosts file is put
// back: nothing was restarted yet, and all goes on as before.
func (o *move) lead(ctx context.Context, h *host.Host, say func(string)) error {
	old, err := h.ReadFile(ctx, component.HostsFile)
	if err != nil {
		return err
	}
	if _, err := h.WriteFile(ctx, component.HostsFile, []byte(component.WithWay(o.way, string(old))), 0o644); err != nil {
		return err
	}
	err = component.Until(ctx, 20*time.Second, o.way.Server()+" to answer", say, func(ctx context.Context) error { return o.answers(ctx, h) })
	if err == nil {
		return nil
	}
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if _, failed := h.WriteFile(back, component.HostsFile, old, 0o644); failed != nil {
		return errors.Join(err, failed)
	}
	if was := component.RecordOf(o.from); o.from.Domain != "" {
		if _, failed := h.WriteFile(back, was.Path, was.Content, was.Mode); failed != nil {
			return errors.Join(err, failed)
		}
	}
	return fmt.Errorf("%s was given its old way back, which it did not leave: %w", o.host, err)
}

// answers looks where the name leads on the host, and calls there.
func (o *move) answers(ctx context.Context, h *host.Host) error {
	if err := o.resolve(ctx, h); err != nil {
		return err
	}
	if len(o.leads) == 0 || o.way.Address.IsValid() && o.leads[0] != o.way.Address {
		return fmt.Errorf("%s leads %s to %v, and not to %s", o.host, o.way.Domain, o.leads, o.way.Address)
	}
	if _, err := leafAt(ctx, h, net.JoinHostPort(o.leads[0].String(), strconv.Itoa(o.way.Port)), o.way.Domain); err != nil {
		return fmt.Errorf("%s, to which %s leads %s: %w", o.leads[0], o.host, o.way.Domain, err)
	}
	return nil
}

// resolve looks up where the name leads on the host.
func (o *move) resolve(ctx context.Context, h *host.Host) error {
	reply, err := h.Run(ctx, host.Command{Argv: []string{"getent", "ahosts", o.way.Domain}, Timeout: 10 * time.Second})
	if err != nil {
		return fmt.Errorf("%s does not resolve %s: %w", o.host, o.way.Domain, err)
	}
	o.leads = nil
	for line := range strings.Lines(string(reply.Stdout)) {
		if f := strings.Fields(line); len(f) > 0 {
			if a, err := netip.ParseAddr(f[0]); err == nil && !slices.Contains(o.leads, a.Unmap()) {
				o.leads = append(o.leads, a.Unmap())
			}
		}
	}
	return nil
}

// serverLine is where a kubeconfig of kubeadm's names the server.
var serverLine = regexp.MustCompile(`(?m)^(\s*server:\s*).*$`)

// point makes a kubeconfig name the server. It passes through memory only.
func (o *move) point(ctx context.Context, h *host.Host, path string) error {
	old, err := h.ReadFile(ctx, path)
	if err != nil {
		return err
	}
	text := serverLine.ReplaceAll(old, []byte("${1}https://"+o.way.Server()))
	if bytes.Equal(text, old) {
		return nil
	}
	_, err = h.WriteFile(ctx, path, text, 0o600)
	return err
}

// connected waits until a program of the host is connected to where the way
// leads, and nowhere else.
func (o *move) connected(ctx context.Context, h *host.Host, program string, say func(string)) error {
	query := protocol.FactsRequest{Brief: true, ConnectedTo: o.way.Port, Units: []string{kubeletUnit}}
	crash := component.CrashWatch{Unit: kubeletUnit}
	return component.Until(ctx, moveTimeout, program+" of "+o.host+" to use its new way", say, func(ctx context.Context) error {
		facts, err := h.Facts(ctx, query)
		if err != nil {
			return err
		}
		if err := crash.Look(ctx, h, facts.Units[kubeletUnit]); err != nil {
			return err
		}
		if !o.way.Address.IsValid() { // DNS may have others in turn
			if err := o.resolve(ctx, h); err != nil {
				return err
			}
		}
		return o.judge(facts.Connected, program)
	})
}

// judge looks at a host's connections to the API servers' port.
func (o *move) judge(connections []protocol.Connection, program string) error {
	there := 0
	for _, c := range connections {
		a, err := netip.ParseAddr(c.Address)
		switch {
		case err != nil, c.Process != program:
		case !slices.Contains(o.leads, a):
			return fmt.Errorf("it is still connected to %s", c.Address)
		default:
			there++
		}
	}
	if there == 0 {
		return errors.New("it is not connected yet")
	}
	return nil
}

// Verify implements component.Verifier: the node is Ready, and all that runs on it uses
// the new way, as its kubelet was seen to. Then that is recorded.
func (o *move) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	programs := []string{"kubelet"}
	for _, c := range o.clients {
		programs = append(programs, c.program)
	}
	for _, program := range programs {
		if err := o.connected(ctx, h, program, say); err != nil {
			return err
		}
	}
	if err := component.NodeReady(ctx, rt, o.host, say); err != nil {
		return err
	}
	_, err = component.WriteFiles(ctx, rt, o.host, []component.File{component.RecordOf(o.way)})
	return err
}
