package agent

import (
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// drillTable is the nftables table of a network fault, and drillHandle the handle of
// its queueing discipline: by these its own is told from what others have set.
func drillTable(id string) string { return "quorate_drill_" + strings.ReplaceAll(id, "-", "_") }

func drillHandle(id string) string {
	sum := fnv.New32a()
	sum.Write([]byte(id))
	// Not one of the small numbers that people choose, nor one that the kernel does.
	return fmt.Sprintf("%x:", 0x1000+sum.Sum32()%0x7000)
}

// networkFault makes ready what slows a network or drops its packets, and gives what
// begins it.
func networkFault(ctx context.Context, id string, fault protocol.NetworkFault) (begin func() error, err error) {
	name, err := interfaceOf(fault.Address)
	if err != nil {
		return nil, err
	}
	if fault.DelayMillis > 0 {
		return func() error {
			// Added, not replaced: a discipline that somebody else has set stays, and the
			// fault cannot be done.
			_, err := program(ctx, "", "tc", "qdisc", "add", "dev", name, "root", "handle", drillHandle(id), "netem", "delay", fmt.Sprintf("%dms", fault.DelayMillis))
			return err
		}, nil
	}
	rules := rulesFor(fault, drillTable(id), name)
	if _, err := program(ctx, rules, "nft", "--check", "--file", "-"); err != nil {
		return nil, fmt.Errorf("the kernel takes no such rules: %w", err)
	}
	return func() error {
		_, err := program(ctx, rules, "nft", "--file", "-")
		return err
	}, nil
}

// endNetworkFault takes off what networkFault put on; nothing is no error.
func endNetworkFault(ctx context.Context, id string, fault protocol.NetworkFault) error {
	if fault.DelayMillis == 0 {
		// Adding before deleting makes it no error that there is none.
		_, err := program(ctx, fmt.Sprintf("add table inet %[1]s\ndelete table inet %[1]s\n", drillTable(id)), "nft", "--file", "-")
		return err
	}
	// Whatever interface it is on by now, and whichever address that has.
	out, err := program(ctx, "", "tc", "qdisc", "show")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line) // qdisc netem 1a2b: dev eth0 root …
		if len(fields) < 5 || fields[1] != "netem" || fields[2] != drillHandle(id) || fields[3] != "dev" {
			continue
		}
		if _, err := program(ctx, "", "tc", "qdisc", "del", "dev", fields[4], "root", "handle", drillHandle(id)); err != nil {
			return err
		}
	}
	return nil
}

// canDelay tries in a network namespace of its own, which is gone at once,
// whether this kernel can delay packets.
func (a *Agent) canDelay(ctx context.Context) error {
	argv := []string{"unshare", "--net", "--", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"}
	run, err := a.exec(ctx, Command{Argv: argv, Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	if run.ExitCode != 0 {
		return protocol.Failure(protocol.KindInvalid, "this kernel cannot delay packets: it has no netem (sch_netem); tc says: %s", strings.TrimSpace(string(run.Stderr)))
	}
	return nil
}

func rulesFor(fault protocol.NetworkFault, table, name string) string {
	var four, six []string
	for _, peer := range fault.Peers {
		if address := netip.MustParseAddr(peer).Unmap(); address.Is4() {
			four = append(four, address.String())
		} else {
			six = append(six, address.String())
		}
	}
	var b strings.Builder
	chain := func(hook, priority, which, side string) {
		fmt.Fprintf(&b, "  chain %s {\n    type filter hook %[1]s priority %s; policy accept;\n", hook, priority)
		loss := ""
		if fault.LossPercent > 0 && fault.LossPercent < 100 {
			loss = fmt.Sprintf("numgen random mod 100 < %d ", fault.LossPercent)
		}
		if fault.BytesPerSecond > 0 {
			// Half a second's worth may come at once, as a switch's buffer lets it.
			loss += fmt.Sprintf("limit rate over %d bytes/second burst %d bytes ", fault.BytesPerSecond, fault.BytesPerSecond/2)
		}
		rule := func(match string) { fmt.Fprintf(&b, "    %s \"%s\" %s%sdrop\n", which, name, match, loss) }
		if len(fault.Peers) == 0 {
			rule("")
		}
		if four != nil {
			rule(fmt.Sprintf("ip %s { %s } ", side, strings.Join(four, ", ")))
		}
		if six != nil {
			rule(fmt.Sprintf("ip6 %s { %s } ", side, strings.Join(six, ", ")))
		}
		b.WriteString("  }\n")
	}
	fmt.Fprintf(&b, "table inet %s {\n", table)
	if fault.In {
		chain("prerouting", "-350", "iifname", "saddr")
	}
	if fault.Out {
		chain("postrouting", "350", "oifname", "daddr")
	}
	b.WriteString("}\n")
	return b.String()
}

// interfaceOf is the interface that carries an address.
func interfaceOf(address string) (string, error) {
	want := netip.MustParseAddr(address).Unmap()
	all, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, i := range all {
		addresses, err := i.Addrs()
		if err != nil {
			return "", err
		}
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == want {
				return i.Name, nil
			}
		}
	}
	return "", protocol.Failure(protocol.KindNotExist, "no interface of this host carries %s", address)
}
