package reset

import (
	"regexp"
	"slices"
	"strings"
)

// ourTables are the nftables tables of kube-proxy, flannel and the CNI
// plugins, as family and name.
var ourTables = []string{
	"ip kube-proxy", "ip6 kube-proxy", "ip flannel-ipv4", "ip6 flannel-ipv6", "inet flannel-ipv4", "inet flannel-ipv6", "inet cni_hostport",
}

// ourChains are the iptables chains of the kubelet, kube-proxy, flannel and
// the CNI plugins.
var ourChains = regexp.MustCompile(`^(KUBE-|FLANNEL-|CNI-)`)

// target finds the chain that a rule of an iptables-save dump goes on with.
var target = regexp.MustCompile(` (?:-j|-g) (\S+)`)

// withoutKubernetes makes, of what iptables-save printed, the input for
// iptables-restore --noflush that takes Kubernetes' chains out, and the rules
// in other chains that lead to them. All else is left alone, also rules that
// somebody adds in between. It is empty when there are none; tables are those
// that it changes.
func withoutKubernetes(dump string) (script string, tables []string) {
	var out strings.Builder
	table := ""
	var chains, rules []string
	for line := range strings.Lines(dump) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "*"):
			table, chains, rules = line[1:], nil, nil
		case strings.HasPrefix(line, ":"):
			if name, _, _ := strings.Cut(line[1:], " "); ourChains.MatchString(name) {
				chains = append(chains, name)
			}
		case strings.HasPrefix(line, "-A "):
			if rule, ok := foreignRule(line); ok {
				rules = append(rules, rule)
			}
		case line == "COMMIT" && len(chains)+len(rules) > 0:
			tables = append(tables, table)
			out.WriteString("*" + table + "\n")
			for _, chain := range chains {
				out.WriteString(":" + chain + " - [0:0]\n") // empties it
			}
			for _, rule := range rules {
				out.WriteString(rule + "\n")
			}
			for _, chain := range chains {
				out.WriteString("-X " + chain + "\n")
			}
			out.WriteString("COMMIT\n")
		}
	}
	return out.String(), tables
}

// foreignRule is the deletion of a rule that leads from a chain of others to
// one of ours.
func foreignRule(line string) (deletion string, ok bool) {
	chain, _, _ := strings.Cut(strings.TrimPrefix(line, "-A "), " ")
	if ourChains.MatchString(chain) {
		return "", false // goes with its chain
	}
	// The target is the last one: a comment before it may hold anything.
	found := target.FindAllStringSubmatch(line, -1)
	if len(found) == 0 || !ourChains.MatchString(found[len(found)-1][1]) {
		return "", false
	}
	return "-D " + strings.TrimPrefix(line, "-A "), true
}

// emptyTables are the tables of an iptables-save dump in which nothing is:
// no rule, no chain of anybody's, every policy to accept.
func emptyTables(dump string) []string {
	var out []string
	table, empty := "", false
	for line := range strings.Lines(dump) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "*"):
			table, empty = line[1:], true
		case strings.HasPrefix(line, ":"):
			fields := strings.Fields(line[1:])
			empty = empty && len(fields) > 1 && fields[1] == "ACCEPT"
		case strings.HasPrefix(line, "-"):
			empty = false
		case line == "COMMIT" && empty:
			out = append(out, table)
			empty = false
		}
	}
	slices.Sort(out)
	return out
}
