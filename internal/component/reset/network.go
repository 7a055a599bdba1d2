package reset

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
)

// network is the work of reset/network.
type network struct {
	host string
	// pods is the range whose routes are removed; empty where none are made
	// that would outlive their interface.
	pods string
	// skip says that somebody else's kubelet runs on the host: its network
	// is left alone.
	skip bool
}

func networkOf(c *cluster.Cluster, h *cluster.Host, f findings) network {
	op := network{host: h.Name}
	if c.Network.Plugin == "flannel" && c.Network.Flannel.Backend == "host-gw" {
		op.pods = c.Network.PodCIDR.String()
	}
	op.skip = !f.hasKubelet()
	return op
}

// Apply implements component.Op. The pods' namespaces go first, and their
// interfaces with them.
func (o network) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if o.skip {
		return nil
	}
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	facts, err := h.Facts(ctx, protocol.FactsRequest{Dirs: []string{netnsDir, linksDir}})
	if err != nil {
		return err
	}
	for _, name := range facts.Dirs[netnsDir] {
		if strings.HasPrefix(name, "cni-") { // the name that containerd gives them
			if err := h.UnmountAndRemoveAll(ctx, netnsDir+"/"+name); err != nil {
				return err
			}
		}
	}
	for _, name := range facts.Dirs[linksDir] {
		if slices.Contains(links, name) {
			say("removing interface " + name)
			if _, err := h.Run(ctx, host.Command{Argv: []string{"ip", "link", "delete", "dev", name}}); err != nil {
				return err
			}
		}
	}
	if o.pods != "" {
		if _, err := h.Run(ctx, host.Command{Argv: []string{"ip", "-4", "route", "flush", "root", o.pods}}); err != nil {
			return err
		}
	}
	say("removing packet filter rules")
	for _, family := range []string{"ip", "ip6"} {
		if err := cleanIPTables(ctx, h, family); err != nil {
			return err
		}
	}
	return deleteTables(ctx, h, ourTables)
}

// cleanIPTables takes Kubernetes' chains out of iptables, and the tables that
// came with them where nothing else is in them.
func cleanIPTables(ctx context.Context, h *host.Host, family string) error {
	tool := family + "tables" // iptables, ip6tables
	dump, ok, err := output(ctx, h, tool+"-save")
	if err != nil || !ok {
		return err
	}
	script, tables := withoutKubernetes(dump)
	if script == "" {
		return nil
	}
	if _, err := h.Run(ctx, host.Command{Argv: []string{tool + "-restore", "--noflush"}, Stdin: strings.NewReader(script)}); err != nil {
		return err
	}
	dump, _, err = output(ctx, h, tool+"-save")
	if err != nil {
		return err
	}
	var empty []string
	for _, table := range emptyTables(dump) {
		if slices.Contains(tables, table) {
			empty = append(empty, family+" "+table)
		}
	}
	// Only where iptables is a view of nftables are they there.
	return deleteTables(ctx, h, empty)
}

// deleteTables deletes those of the nftables tables that are there.
func deleteTables(ctx context.Context, h *host.Host, tables []string) error {
	list, ok, err := output(ctx, h, "nft", "list", "tables")
	if err != nil || !ok {
		return err
	}
	script := ""
	for line := range strings.Lines(list) {
		table, found := strings.CutPrefix(strings.TrimSpace(line), "table ")
		if found && slices.Contains(tables, table) {
			script += "delete table " + table + "\n"
		}
	}
	if script == "" {
		return nil
	}
	_, err = h.Run(ctx, host.Command{Argv: []string{"nft", "-f", "-"}, Stdin: strings.NewReader(script)})
	return err
}

// output is what a program prints; ok is false where the host has no such
// program, and so nothing that it made.
func output(ctx context.Context, h *host.Host, argv ...string) (text string, ok bool, err error) {
	reply, err := h.Run(ctx, host.Command{Argv: argv, MaxOutput: 64 << 20})
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	return string(reply.Stdout), err == nil, err
}
