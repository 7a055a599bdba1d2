package agent

import (
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"os/exec"
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

// networkDelay is the time between the answer to the operator and a network
// fault, which may cut the operator off.
const networkDelay = 300 * time.Millisecond

// longestDelay bounds by how much packets are delayed.
const longestDelay = 10 * time.Second

// networkFault slows a network or drops its packets.
type networkFault struct{ *protocol.NetworkFault }

func (f networkFault) check() error {
	for _, address := range append([]string{f.Address}, f.Peers...) {
		if _, err := netip.ParseAddr(address); err != nil {
			return malformed("a network fault: %v", err)
		}
	}
	if !f.In && !f.Out && f.DelayMillis == 0 || f.LossPercent < 0 || f.LossPercent > 100 {
		return malformed("a network fault that drops nothing")
	}
	if f.BytesPerSecond < 0 || f.DelayMillis < 0 || f.DelayMillis > longestDelay.Milliseconds() {
		return malformed("a network is slowed to more than nothing, and by up to %s", longestDelay)
	}
	return nil
}

func (f networkFault) able(ctx context.Context, a *Agent) error {
	if f.DelayMillis > 0 {
		return a.canDelay(ctx)
	}
	if _, err := exec.LookPath("nft"); err != nil {
		return protocol.Failure(protocol.KindNotExist, "packets are dropped by nft, which is not installed here (package nftables)")
	}
	return nil
}

func (f networkFault) prepare(ctx context.Context, in faultPlace) (func() (begun, error), error) {
	name, err := interfaceOf(f.Address)
	if err != nil {
		return nil, err
	}
	if f.DelayMillis > 0 {
		return func() (begun, error) {
			// Added, not replaced: a discipline that somebody else has set stays, and the
			// fault cannot be done.
			_, err := program(ctx, "", "tc", "qdisc", "add", "dev", name, "root", "handle", drillHandle(in.id), "netem", "delay", fmt.Sprintf("%dms", f.DelayMillis))
			return begun{}, err
		}, nil
	}
	rules := rulesFor(*f.NetworkFault, drillTable(in.id), name)
	if _, err := program(ctx, rules, "nft", "--check", "--file", "-"); err != nil {
		return nil, fmt.Errorf("the kernel takes no such rules: %w", err)
	}
	return func() (begun, error) {
		return begun{reply: protocol.FaultReply{BeginsMillis: networkDelay.Milliseconds()}, later: func() error {
			_, err := program(ctx, rules, "nft", "--file", "-")
			return err
		}}, nil
	}, nil
}

func (f networkFault) undo(ctx context.Context, in faultPlace) error {
	if f.DelayMillis == 0 {
		// Adding before deleting makes it no error that there is none.
		_, err := program(ctx, fmt.Sprintf("add table inet %[1]s\ndelete table inet %[1]s\n", drillTable(in.id)), "nft", "--file", "-")
		return err
	}
	// Whatever interface it is on by now, and whichever address that has.
	out, err := program(ctx, "", "tc", "qdisc", "show")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line) // qdisc netem 1a2b: dev eth0 root …
		if len(fields) < 5 || fields[1] != "netem" || fields[2] != drillHandle(in.id) || fields[3] != "dev" {
			continue
		}
		if _, err := program(ctx, "", "tc", "qdisc", "del", "dev", fields[4], "root", "handle", drillHandle(in.id)); err != nil {
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
