package bundle

import (
	"fmt"
	"os"
	"strings"
)

// distribution is an operating system release as os-release names it.
type distribution struct {
	ID      string // "debian"
	Version string // "12"; empty on rolling releases
}

// key names the distribution in a bundle: "debian-12".
func (d distribution) key() string { return d.ID + "-" + d.Version }

// thisDistribution reads the building machine's os-release.
func thisDistribution() (distribution, error) {
	for _, name := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		data, err := os.ReadFile(name)
		if err == nil {
			return parseOSRelease(string(data))
		}
	}
	return distribution{}, fmt.Errorf("this machine has no os-release file: build the bundle on Debian or Ubuntu")
}

// parseOSRelease reads ID and VERSION_ID.
func parseOSRelease(text string) (distribution, error) {
	var d distribution
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			d.ID = value
		case "VERSION_ID":
			d.Version = value
		}
	}
	if d.ID == "" || checkPath(d.key()) != nil || strings.Contains(d.key(), "/") {
		return distribution{}, fmt.Errorf("os-release names no usable distribution (ID %q, VERSION_ID %q)", d.ID, d.Version)
	}
	return d, nil
}
