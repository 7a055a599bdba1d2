package endpoint

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
)

// runKeepalived is the work of running keepalived: settings that it does not
// accept never replace those in use, and a VIP that a stranger has is not taken.
type runKeepalived struct {
	component.Service
	vip     netip.Addr
	port    int
	carried bool      // some load balancer has the VIP
	ours    []string  // the load balancers' MAC addresses
	drop    []virtual // addresses that the host is to carry no more
}

// Apply implements component.Op.
func (o runKeepalived) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(o.Host)
	if err != nil {
		return err
	}
	if !o.carried {
		if err := o.free(ctx, h); err != nil {
			return err
		}
	}
	if err := o.accepted(ctx, rt, h); err != nil {
		return err
	}
	if err := o.Service.Apply(ctx, rt, say); err != nil {
		return err
	}
	return dropped(ctx, h, o.drop, say)
}

// arpTable lists the neighbours that the kernel has heard of.
const arpTable = "/proc/net/arp"

// free makes sure that no stranger has the VIP: it calls it, and looks whether
// any machine answered the question for its MAC address.
func (o runKeepalived) free(ctx context.Context, h *host.Host) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	conn, err := h.Dial(ctx, "tcp", net.JoinHostPort(o.vip.String(), strconv.Itoa(o.port)))
	cancel()
	if err == nil {
		_ = conn.Close()
	}
	table, err := h.ReadFile(context.WithoutCancel(ctx), arpTable)
	if err != nil {
		return err
	}
	if mac := neighbour(table, o.vip); mac != "" && !slices.Contains(o.ours, mac) {
		return fmt.Errorf("loadBalancer.vip %s is in use already, by the machine with MAC address %s; choose a free address", o.vip, mac)
	}
	return nil
}

// neighbour finds the MAC address that answered for an IP address in the
// kernel's table (proc_net_arp: address, type, flags, MAC …); empty for none.
func neighbour(table []byte, ip netip.Addr) string {
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		const complete = 0x2
		if len(f) < 4 || f[0] != ip.String() {
			continue
		}
		if flags, err := strconv.ParseUint(f[2], 0, 16); err == nil && flags&complete != 0 {
			return f[3]
		}
	}
	return ""
}

// accepted lets the host's own keepalived check the settings, and the scripts
// that they name, beside those in use.
func (o runKeepalived) accepted(ctx context.Context, rt *component.Runtime, h *host.Host) error {
	candidates := make([]component.File, 0, len(o.Files))
	for _, f := range o.Files {
		if f.Path == keepalivedUnitFile {
			continue
		}
		f.Path += ".new"
		for _, other := range []string{keepalivedCheck, keepalivedNote} {
			f.Content = bytes.ReplaceAll(f.Content, []byte(other), []byte(other+".new"))
		}
		candidates = append(candidates, f)
	}
	if _, err := component.WriteFiles(ctx, rt, o.Host, candidates); err != nil {
		return err
	}
	_, checkErr := h.Run(ctx, host.Command{Argv: []string{keepalivedProgram, "--config-test", "--use-file=" + keepalivedFile + ".new"}})
	for _, f := range candidates {
		if err := h.Remove(ctx, f.Path); err != nil {
			return err
		}
	}
	if checkErr != nil {
		return fmt.Errorf("keepalived does not accept its new settings, the old ones stay: %w", checkErr)
	}
	return nil
}

// carriedTimeout bounds how long the load balancers may take to agree on who
// carries the VIP: less than a second where all is well.
const carriedTimeout = 20 * time.Second

// Verify implements component.Verifier: the unit runs, and the endpoint's port on
// the VIP is answered.
func (o runKeepalived) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := o.Service.Verify(ctx, rt, say); err != nil {
		return err
	}
	h, err := rt.Host(o.Host)
	if err != nil {
		return err
	}
	address := net.JoinHostPort(o.vip.String(), strconv.Itoa(o.port))
	return component.Until(ctx, carriedTimeout, "a load balancer to answer at "+address, say, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		conn, err := h.Dial(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// leave is the work of ending a load balancer on a host that is none any more.
type leave struct {
	host                string
	keepalived, haproxy program
}

// Apply implements component.Op: another host has the VIP before HAProxy ends.
func (o leave) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	for _, p := range []program{o.keepalived, o.haproxy} {
		if p.only {
			continue
		}
		if _, err := h.Unit(ctx, protocol.UnitRequest{Name: p.unit, Enable: "disable", Verb: "stop"}); err != nil {
			return err
		}
	}
	if err := removeProgram(ctx, h, o.haproxy); err != nil {
		return err
	}
	return removeProgram(ctx, h, o.keepalived)
}

// Verify implements component.Verifier.
func (o leave) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	return retire{host: o.host, programs: []program{o.keepalived, o.haproxy}}.Verify(ctx, rt, say)
}
