package agent

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// sourcesTimeout bounds one question to the host's package sources; dnf may
// fetch their lists first.
const sourcesTimeout = 60 * time.Second

// candidates asks the host's package sources which versions they have of
// packages that are not installed; wanted is by package tool. A package that the
// sources do not have is left out. An error tells that they may have more.
func (a *Agent) candidates(ctx context.Context, wanted map[string][]string, installed map[string]string) (map[string]string, error) {
	tool := a.packageToolName()
	names := slices.DeleteFunc(slices.Clone(wanted[tool]), func(name string) bool { return installed[name] != "" })
	if len(names) == 0 {
		return nil, nil
	}
	argv, read := []string{"apt-cache", "policy"}, parsePolicy
	if tool == "dnf" {
		argv = []string{"dnf", "--quiet", "repoquery", "--available", "--queryformat", `%{name} %{version}\n`}
		read = parseRepoquery
	}
	ctx, cancel := context.WithTimeout(ctx, sourcesTimeout)
	defer cancel()
	said, err := a.packageTool(ctx, append(argv, names...), []string{"LC_ALL=C"})
	if err != nil {
		return nil, err
	}
	found := read(said)
	if tool == "apt" && len(found) < len(names) {
		return found, a.aptListsFetched(ctx)
	}
	return found, nil
}

// aptListsFetched is an error where the host has package sources of which none
// was ever asked, as on a host that was just installed: which packages they have
// shows when the lists are fetched, which an installation does.
func (a *Agent) aptListsFetched(ctx context.Context) error {
	said, err := a.packageTool(ctx, []string{"apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages"}, []string{"LC_ALL=C"})
	if err != nil {
		return err
	}
	targets := strings.Fields(said)
	for _, file := range targets {
		// They may be compressed.
		if fetched, err := filepath.Glob(filepath.Join("/", a.root, file) + "*"); err != nil || len(fetched) > 0 {
			return err
		}
	}
	if len(targets) == 0 {
		return nil
	}
	return protocol.Failure(protocol.KindOther, "its package lists were never fetched")
}

// parsePolicy reads `apt-cache policy`: a name and a colon at the beginning of
// a line, then "  Candidate: VERSION".
func parsePolicy(text string) map[string]string {
	out, name := map[string]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if !strings.HasPrefix(line, " ") {
			name = strings.TrimSuffix(line, ":")
			continue
		}
		if version, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate: "); ok && version != "(none)" {
			out[name] = version
		}
	}
	return out
}

// parseRepoquery reads lines of a name and a version.
func parseRepoquery(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if name, version, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			out[name] = version
		}
	}
	return out
}
