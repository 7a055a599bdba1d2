package ansible

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
)

// tellOfMirror tells what the settings of a mirror, or of a registry that has
// mirrors, say that is not taken over.
func (m *importer) tellOfMirror(s *setting, n *yaml.Node, known ...string) {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		return
	}
	for _, pair := range m.inv.pairs(s.file, n) {
		switch key := pair.key.Value; {
		case key == "ca":
			m.tell(s, "add the mirror's CA to the hosts' trusted ones", "%s: ca is not used: the mirror's certificate must be one that the hosts trust", s.name)
		case key == "server":
			if prefix := childOf(n, "prefix"); prefix == nil || !isOwnServer(hostOf(canonical(prefix)), hostOf(canonical(pair.value))) {
				m.tell(s, "add it to the mirrors, as the last of them", "%s: server is not used: behind its mirrors, an image is pulled from where it is named", s.name)
			}
		case !slices.Contains(known, key):
			m.tell(s, "", "%s: %s is not used", s.name, strict.Clip(strict.Printable(key)))
		}
	}
}

// isOwnServer reports whether a server is where a registry's images are anyway.
func isOwnServer(registry, server string) bool {
	return server == registry || registry == "docker.io" && server == "registry-1.docker.io"
}

// isCapable reports whether a mirror is one to pull from and to resolve names with.
func isCapable(capabilities *yaml.Node) bool {
	list := canonical(capabilities)
	return strings.Contains(list, "pull") && strings.Contains(list, "resolve")
}

// hasAPIPath reports whether an address has the path of a registry's API in it.
func hasAPIPath(address string) bool {
	_, path, _ := strings.Cut(strict.WithoutScheme(address), "/")
	return path == "v2" || strings.HasPrefix(path, "v2/")
}

// hostOf is the host of an address, with its port.
func hostOf(address string) string {
	host, _, _ := strings.Cut(strict.WithoutScheme(address), "/")
	return host
}
