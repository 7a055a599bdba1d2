package machine

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// sysctlDirs are where systemd-sysctl finds settings, the first of files that have
// one name before the others.
var sysctlDirs = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"}

// swapLinks are by what a boot brings swap on, beside /etc/fstab.
var swapLinks = []string{
	"/etc/systemd/system/*.target.wants/*.swap", "/etc/systemd/system/*.target.requires/*.swap",
	"/run/systemd/generator*/*.target.wants/*.swap", "/run/systemd/generator*/*.target.requires/*.swap",
	"/usr/lib/systemd/system/*.target.wants/*.swap", "/usr/lib/systemd/system/*.target.requires/*.swap",
}

const unitDir = "/etc/systemd/system"

// AskAtBoot asks for what SysctlsAtBoot and SwapAtBoot look at.
func AskAtBoot(q *protocol.FactsRequest) {
	ask := func(pattern string) {
		q.Files = append(q.Files, protocol.FileQuery{Path: pattern, Pattern: true, Content: true})
	}
	for _, dir := range sysctlDirs {
		ask(dir + "/*.conf")
	}
	for _, links := range swapLinks {
		ask(links)
	}
	ask(unitDir + "/*.swap") // one that is masked is a link to nowhere there
}

// Overridden is a setting of ours that another file takes back at the next boot.
type Overridden struct{ File, Name, Value string }

// SysctlsAtBoot are the settings that other files, which sort after ours, take back
// at the next boot.
func SysctlsAtBoot(facts *protocol.Facts) []Overridden {
	files := map[string]string{} // by name
	for _, dir := range slices.Backward(sysctlDirs) {
		for file, f := range facts.Files {
			if path.Dir(file) == dir && path.Ext(file) == ".conf" && f.Exists {
				files[path.Base(file)] = file
			}
		}
	}
	last := map[string]Overridden{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name <= path.Base(sysctlFile) {
			continue
		}
		for line := range strings.Lines(facts.Files[files[name]].Content) {
			key, value, ok := strings.Cut(strings.TrimLeft(strings.TrimSpace(line), "-"), "=")
			key = strings.ReplaceAll(strings.TrimSpace(key), "/", ".")
			if ok && !strings.HasPrefix(key, "#") && !strings.HasPrefix(key, ";") {
				last[key] = Overridden{files[name], key, strings.TrimSpace(value)}
			}
		}
	}
	var out []Overridden
	for _, name := range sysctlNames() {
		if o, ok := last[name]; ok && !serves(name, o.Value) {
			out = append(out, o)
		}
	}
	return out
}

// SwapAtBoot are the units that bring swap back at the next boot. Those that come
// from /etc/fstab do not: their entries there are taken out.
func SwapAtBoot(facts *protocol.Facts) []string {
	var out []string
	for file, f := range facts.Files {
		name := path.Base(file)
		mask := facts.Files[unitDir+"/"+name]
		linked := slices.ContainsFunc(swapLinks, func(pattern string) bool { ok, _ := path.Match(pattern, file); return ok })
		if linked && f.Content != "" && !strings.Contains(f.Content, "SourcePath="+fstabFile) && (!mask.Exists || mask.Content != "") && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (o Overridden) String() string { return fmt.Sprintf("%s sets %s to %s", o.File, o.Name, o.Value) }
