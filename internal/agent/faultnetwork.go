package agent

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// drillTable is the nftables table of a network fault. A host has one network
// fault at a time.
const drillTable = "quorate_drill"

// networkRules are the rules that drop what a network fault drops, before
// anybody else sees a packet that comes and after everybody has seen one that
// goes.
func networkRules(fault protocol.NetworkFault) (string, error) {
	name, err := interfaceOf(fault.Address)
	if err != nil {
		return "", err
	}
	return rulesFor(fault, name), nil
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
