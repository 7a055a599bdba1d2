package config

import (
	"cmp"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

func (c *converter) registry(p strict.Path, r *v1alpha1.Registry) cluster.Registry {
	var out cluster.Registry
	for _, name := range slices.Sorted(maps.Keys(r.Mirrors)) {
		at := p.Key("mirrors").Key(name)
		if !isRegistry(name) {
			c.Errorf(at, cmp.Or(registryHint(name), "such as docker.io or registry.local:5000"), "registry.mirrors: %s is not the name of a registry", quote(name))
			continue
		}
		if len(r.Mirrors[name]) == 0 {
			c.Warnf(at, "", "registry.mirrors: %s has no mirrors", name)
			continue
		}
		for i, mirror := range r.Mirrors[name] {
			switch {
			case strict.HasCredentials(mirror):
				c.Errorf(at.Index(i), "leave user and password out: everybody on the hosts can read the file that it is written to",
					"registry.mirrors: a mirror of %s has a password in its address", name)
			case !isMirror(mirror):
				c.Errorf(at.Index(i), "such as https://mirror.example.com", "registry.mirrors: %s is not the address of a mirror", quote(mirror))
			}
		}
		if out.Mirrors == nil {
			out.Mirrors = map[string][]string{}
		}
		out.Mirrors[name] = slices.Clone(r.Mirrors[name])
	}
	for i, name := range r.Insecure {
		if !isRegistry(name) {
			c.Errorf(p.Key("insecure").Index(i), cmp.Or(registryHint(name), "such as registry.local:5000"), "registry.insecure: %s is not the name of a registry", quote(name))
			continue
		}
		out.Insecure = append(out.Insecure, name)
	}
	return out
}

// isRegistry reports whether a text is a registry as image names have it: a
// host, with a port or without.
func isRegistry(name string) bool {
	host := name
	if h, port, err := net.SplitHostPort(name); err == nil {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return false
		}
		host = h
	}
	return isIP(host) || isDNSName(host)
}

// isMirror reports whether a text is the URL of a mirror, without credentials:
// the file that it is written to is for everybody to read.
func isMirror(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && isRegistry(u.Host) &&
		u.User == nil && u.RawQuery == "" && u.Fragment == "" && strict.ControlCharacter(text) == ""
}
