package catalog

import (
	"embed"
	"slices"
	"strings"
	"sync"
)

// flagFiles are lists of the flags that Kubernetes' programs take, a file for each
// minor version; hack/component-flags makes them. An end-to-end test compares the
// default version's with what the bundle's programs print.
//
//go:embed flags/*.txt
var flagFiles embed.FS

// flagLists are the flags by minor version and program.
var flagLists = sync.OnceValue(func() map[string]map[string][]string {
	lists := map[string]map[string][]string{}
	for _, r := range releases() {
		minor := minorOf(r.Kubernetes)
		text, err := flagFiles.ReadFile("flags/kubernetes-" + minor + ".txt")
		if err != nil {
			panic(err) // a test reads it
		}
		lists[minor] = map[string][]string{}
		for line := range strings.Lines(string(text)) {
			if program, flag, ok := strings.Cut(strings.TrimSpace(line), " "); ok && program != "#" {
				lists[minor][program] = append(lists[minor][program], flag)
			}
		}
	}
	return lists
})

// Flags are the flags that a program (kube-apiserver, kube-controller-manager,
// kube-scheduler or kubelet) of a Kubernetes version takes, sorted. It is nil for
// versions and programs that are not known.
func Flags(kubernetes, program string) []string {
	return slices.Clone(flagLists()[minorOf(kubernetes)][program])
}

// minorOf is 1.37 of v1.37.1.
func minorOf(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return ""
	}
	return parts[0] + "." + parts[1]
}
