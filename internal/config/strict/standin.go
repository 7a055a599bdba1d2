package strict

import (
	"regexp"
	"strings"
)

// numberOrMark is an IPv4 address with marks for some of its numbers.
var numberOrMark = regexp.MustCompile(`^(\d{1,3}|[xX]+|\*+|\?+)(\.(\d{1,3}|[xX]+|\*+|\?+)){1,3}$`)

// IsStandIn reports whether a value is what guides write where an address
// belongs: 192.168.0.xx, x.x.x.x, 10.0.0.??, <VIP>. The first two could be taken
// for the names of hosts.
func IsStandIn(value string) bool {
	return numberOrMark.MatchString(value) && strings.ContainsAny(value, "xX*?") ||
		strings.HasPrefix(value, "<") && strings.HasSuffix(value, ">")
}

// WithoutScheme is a registry's name where its address is given, such as
// http://registry.local:5000/.
func WithoutScheme(address string) string {
	for _, scheme := range []string{"https://", "http://"} {
		address = strings.TrimPrefix(address, scheme)
	}
	return strings.TrimSuffix(address, "/")
}
