package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/quorate/quorate/internal/config/strict"
)

// versionPattern is a Kubernetes version with its v; pre-releases are versions too.
var versionPattern = regexp.MustCompile(`^v1\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})(-(alpha|beta|rc)\.\d{1,3})?$`)

// quote is a value as messages show it: in quotes, newlines and the like
// escaped, shortened.
func quote(s string) string { return strconv.Quote(strict.Clip(s)) }

// list is "a, b or c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// holds says which character of a value is not one that ok takes: ": it holds
// a newline". It is empty when all are.
func holds(s string, ok func(rune) bool) string {
	if odd := strict.OddCharacter(s, ok); odd != "" {
		return ": it holds " + odd
	}
	return ""
}

func lowerAlphanumeric(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }
func alphanumeric(r rune) bool      { return lowerAlphanumeric(r) || r >= 'A' && r <= 'Z' }

// The characters that kinds of values are made of.
func nameCharacter(r rune) bool    { return lowerAlphanumeric(r) || r == '-' || r == '.' }
func addressCharacter(r rune) bool { return alphanumeric(r) || strings.ContainsRune("-.:%", r) }
func labelCharacter(r rune) bool   { return alphanumeric(r) || strings.ContainsRune("-._/", r) }
func userCharacter(r rune) bool    { return alphanumeric(r) || strings.ContainsRune(`-._@\$`, r) }
func folderCharacter(r rune) bool  { return alphanumeric(r) || strings.ContainsRune("-._/", r) }

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// allDigits is what tells a mistyped IPv4 address, such as 10.0.0.300, from a
// name, which by its form it could be.
var allDigits = regexp.MustCompile(`^[0-9.]+$`)

func isDNSName(s string) bool {
	return len(validation.IsDNS1123Subdomain(s)) == 0 && !allDigits.MatchString(s)
}

// oneOf checks a word against those that are known.
func (c *converter) oneOf(p strict.Path, what, value string, known ...string) string {
	c.tell(p, Rule{Choices: known})
	if slices.Contains(known, value) {
		return value
	}
	hint := strict.DidYouMean(value, known)
	lower := strings.ToLower(value)
	if word, ok := wordsElsewhere()[lower]; ok && slices.Contains(known, word) {
		hint = "here it is called " + word
	}
	if remark := remarks()[lower]; remark != "" {
		hint = remark
	}
	c.Errorf(p, hint, "%s must be %s, not %s", what, list(known), quote(value))
	return ""
}

// tell passes a rule on to whoever asked for all of them.
func (c *converter) tell(p strict.Path, rule Rule) {
	if c.asked != nil {
		c.asked(p, rule)
	}
}

// wordsElsewhere are other tools' words for ours.
func wordsElsewhere() map[string]string {
	return map[string]string{
		"master": "control-plane", "kube-master": "control-plane", "kube_control_plane": "control-plane",
		"kube-node": "worker", "kube_node": "worker", "node": "worker",
		"lb": "load-balancer", "loadbalancer": "load-balancer",
		"kubekey": "external", "kubeadm": "stacked", "internal": "stacked",
		"keepalived": "managed", "kubevip": "kube-vip",
		"warning": "warn", "x86_64": "amd64", "aarch64": "arm64",
	}
}

// remarks say what to do instead about values that other tools have and this
// one does not.
func remarks() map[string]string {
	return map[string]string{"ipvs": "Kubernetes is giving IPVS up; nftables takes its place"}
}

// number checks a whole number against its bounds, both inclusive.
func (c *converter) number(p strict.Path, what string, value, least, most int) int {
	c.tell(p, Rule{Bounded: true, Least: least, Most: most})
	if value < least || value > most {
		c.Errorf(p, "", "%s must be from %d to %d, not %d", what, least, most, value)
		return 0
	}
	return value
}

func (c *converter) port(p strict.Path, what string, value int) int {
	return c.number(p, what, value, 1, 65535)
}

// label checks a name that is one DNS label.
func (c *converter) label(p strict.Path, what, value string) string {
	if len(validation.IsDNS1123Label(value)) > 0 {
		c.Errorf(p, "use lower-case letters, digits and -; at most 63, beginning and ending with a letter or digit",
			"%s cannot be %s%s", what, quote(value), holds(value, func(r rune) bool { return nameCharacter(r) && r != '.' }))
		return ""
	}
	return value
}

// dnsName checks a DNS name that is no IP address.
func (c *converter) dnsName(p strict.Path, what, value string) string {
	switch {
	case isIP(value) || value != "" && allDigits.MatchString(value):
		c.Errorf(p, "give a name, such as "+defaultDomain+"; hosts resolve it by their hosts file", "%s must be a DNS name, not the address %s", what, quote(value))
	case !isDNSName(value):
		c.Errorf(p, addressHint(value), "%s: %s is not a DNS name%s", what, quote(value), holds(value, nameCharacter))
	default:
		return value
	}
	return ""
}

// address checks what may be an IP address or a host name.
func (c *converter) address(p strict.Path, what, value string) string {
	switch {
	case value == "":
		c.Errorf(p, "", "%s is missing", what)
	case strict.IsStandIn(value):
		c.Errorf(p, "write the real one", "%s: %s is a guide's stand-in for an address", what, quote(value))
	case isIP(value) || isDNSName(strings.ToLower(value)):
		return value
	default:
		c.Errorf(p, addressHint(value), "%s: %s is neither an IP address nor a host name%s", what, quote(value), holds(value, addressCharacter))
	}
	return ""
}

// addressHint says how to write an address that is written as something else:
// with a scheme, a port where none belongs, a range's length, or in capitals. It
// is empty where that is not known.
func addressHint(value string) string {
	if strings.ContainsRune(value, '$') {
		return "write the address itself: nothing fills in the variables of a shell here"
	}
	bare := addressInside(value)
	remark := ""
	if host, port, err := net.SplitHostPort(bare); err == nil && allDigits.MatchString(port) {
		bare, remark = host, "; a port has a field of its own"
	}
	bare = strings.TrimSuffix(strings.TrimPrefix(bare, "["), "]")
	if lower := strings.ToLower(bare); isDNSName(lower) {
		bare = lower
	}
	if bare == value || !isIP(bare) && !isDNSName(bare) {
		return ""
	}
	return "write " + bare + remark
}

// registryHint is addressHint for a registry, which has its port with it.
func registryHint(value string) string {
	if _, err := netip.ParsePrefix(value); err == nil {
		return "name each registry by itself: a range of addresses is none"
	}
	if value == "*" {
		return "name each registry whose images it has, such as docker.io, quay.io, ghcr.io and registry.k8s.io: none stands for all others here"
	}
	if name := strings.ToLower(addressInside(value)); name != value && isRegistry(name) {
		return "write " + name
	}
	return ""
}

// addressInside is an address without a scheme, a user and a path or length.
func addressInside(value string) string {
	if _, rest, ok := strings.Cut(value, "://"); ok {
		value = rest
	}
	value, _, _ = strings.Cut(value, "/")
	return value[strings.LastIndexByte(value, '@')+1:]
}

// unicast checks an IP address that other hosts can reach.
func (c *converter) unicast(p strict.Path, what, value string) netip.Addr {
	addr, err := netip.ParseAddr(value)
	switch {
	case value == "":
		c.Errorf(p, "give one, or remove it", "%s is empty", what)
	case err != nil:
		c.Errorf(p, addressHint(value), "%s: %s is not an IP address%s", what, quote(value), holds(value, addressCharacter))
	case addr.IsLoopback() || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLinkLocalUnicast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		c.Errorf(p, "give the address of a network interface", "%s: %s is not an address that other hosts can reach", what, value)
	default:
		return addr.Unmap()
	}
	return netip.Addr{}
}

// dataDir checks etcd's data folder: it is written into units, and removed as a
// whole when a member is.
func (c *converter) dataDir(p strict.Path, value string) string {
	const what = "etcd.dataDir"
	switch odd := strict.OddCharacter(value, folderCharacter); {
	case !strings.HasPrefix(value, "/"):
		c.Errorf(p, "", "%s must be an absolute path, not %s", what, quote(value))
	case odd != "":
		c.Errorf(p, "use letters, digits, -, _, . and /", "%s: %s holds %s", what, quote(value), odd)
	case filepath.Clean(value) != strings.TrimSuffix(value, "/"):
		c.Errorf(p, "write "+filepath.Clean(value), "%s: %s is not the shortest way to write the path", what, quote(value))
	case slices.Contains(sharedFolders(), filepath.Clean(value)):
		c.Errorf(p, "give a folder of its own, such as "+defaultEtcdDataDir, "%s: %s belongs to others too", what, value)
	default:
		return filepath.Clean(value)
	}
	return ""
}

// sharedFolders are folders that hold more than etcd's data on any host.
func sharedFolders() []string {
	return strings.Fields(`/ /bin /boot /dev /etc /etc/etcd /etc/kubernetes /etc/kubernetes/pki /home /lib /lib64 /media /mnt
		/opt /opt/bin /proc /root /run /sbin /srv /sys /tmp /usr /usr/bin /usr/local /usr/local/bin /usr/share
		/var /var/cache /var/lib /var/lib/containerd /var/lib/kubelet /var/log /var/run /var/tmp`)
}
