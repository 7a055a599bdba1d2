package agent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// drillTable is the nftables table of a network fault. A host has one network
// fault at a time.
const drillTable = "quorate_drill"

// networkFault makes ready what slows a network or drops its packets, and gives
// what begins it.
func networkFault(ctx context.Context, fault protocol.NetworkFault) (begin func() error, err error) {
	name, err := interfaceOf(fault.Address)
	if err != nil {
		return nil, err
	}
	if fault.DelayMillis > 0 {
		return func() error {
			// Added, not replaced: a discipline that somebody else has set stays.
			return program(ctx, "", "tc", "qdisc", "add", "dev", name, "root", "netem", "delay", fmt.Sprintf("%dms", fault.DelayMillis))
		}, nil
	}
	rules := rulesFor(fault, name)
	if err := program(ctx, rules, "nft", "--check", "--file", "-"); err != nil {
		return nil, fmt.Errorf("the kernel takes no such rules: %w", err)
	}
	return func() error { return program(ctx, rules, "nft", "--file", "-") }, nil
}

// endNetworkFault takes off what networkFault put on; nothing is no error.
func endNetworkFault(ctx context.Context, fault protocol.NetworkFault) error {
	if fault.DelayMillis == 0 {
		// Adding before deleting makes it no error that there is none.
		return program(ctx, "add table inet "+drillTable+"\ndelete table inet "+drillTable+"\n", "nft", "--file", "-")
	}
	name, err := interfaceOf(fault.Address)
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "tc", "qdisc", "show", "dev", name, "root").CombinedOutput()
	if err != nil {
		return fmt.Errorf("tc: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if !strings.Contains(string(out), "netem") {
		return nil
	}
	return program(ctx, "", "tc", "qdisc", "del", "dev", name, "root")
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

func rulesFor(fault protocol.NetworkFault, name string) string {
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
	fmt.Fprintf(&b, "table inet %s {\n", drillTable)
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
