package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// emptied tells of files that are empty: what was written and not synced is, after
// a power cut.
func (a assessment) emptied() {
	for i := range a.c.Hosts {
		host := a.c.Hosts[i].Name
		switch files := a.empty(host); len(files) {
		case 0:
		case 1:
			a.error(FileEmpty, host, fmt.Sprintf("its %s is empty, as a power cut leaves files", files[0]), "quorate apply makes it anew")
		default:
			a.error(FileEmpty, host, fmt.Sprintf("its %s are empty, as a power cut leaves files", andList(files)), "quorate apply makes them anew")
		}
	}
}

// empty are the files of a host that are empty and must not be.
func (a assessment) empty(host string) []string {
	facts := a.s.Facts(host)
	if facts == nil {
		return nil
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(facts.Files)) {
		f := facts.Files[name]
		ours := slices.ContainsFunc([]string{"/etc/kubernetes/", "/etc/etcd/", "/var/lib/kubelet/"}, func(dir string) bool { return strings.HasPrefix(name, dir) })
		if ours && f.Exists && !f.Dir && f.Size == 0 {
			out = append(out, name)
		}
	}
	return out
}
