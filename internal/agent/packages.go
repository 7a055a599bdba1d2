package agent

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// packageOutput bounds what an answer carries of the package tool's words.
const packageOutput = 8 << 10

// packages installs or removes distribution packages.
func (a *Agent) packages(ctx context.Context, request protocol.PackagesRequest) (protocol.PackagesReply, error) {
	for _, name := range request.Names {
		if name == "" || strings.HasPrefix(name, "-") || strings.ContainsAny(name, " \t\r\n/\x00") {
			return protocol.PackagesReply{}, protocol.Failure(protocol.KindInvalid, "%q is not a package's name", name)
		}
	}
	files := make([]string, 0, len(request.Files))
	for _, name := range request.Files {
		path, err := a.path(name)
		if err != nil {
			return protocol.PackagesReply{}, err
		}
		files = append(files, path)
	}
	switch a.packageToolName() {
	case "apt":
		if request.Remove {
			return a.aptRemove(ctx, request.Names, databaseWait(request))
		}
		return a.aptInstall(ctx, request.Names, files, databaseWait(request))
	case "dnf":
		if request.Remove {
			return a.dnfRemove(ctx, request.Names)
		}
		return a.dnfInstall(ctx, request.Names, files)
	}
	return protocol.PackagesReply{}, protocol.Failure(protocol.KindInvalid,
		"the host has neither apt-get nor dnf: install %s by hand", strings.Join(request.Names, ", "))
}

// installedVersions maps the packages that are installed to their versions.
func (a *Agent) installedVersions(ctx context.Context, names []string) (map[string]string, error) {
	if len(names) == 0 {
		return map[string]string{}, nil
	}
	var argv []string
	if a.exists("/usr/bin/dpkg-query") {
		argv = []string{"dpkg-query", "--show", `--showformat=${db:Status-Status}\t${Package}\t${Version}\n`, "--"}
	} else {
		argv = []string{"rpm", "--query", "--queryformat", `installed\t%{NAME}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n`, "--"}
	}
	// The exit code is not zero when one is missing, which is no failure here.
	reply, err := a.exec(ctx, Command{Argv: append(argv, names...), Timeout: 20 * time.Second})
	if err != nil {
		return nil, err
	}
	return parseInstalled(string(reply.Stdout)), nil
}

// changedSince is the reply of an operation that changed some of the packages.
func (a *Agent) changedSince(ctx context.Context, before map[string]string, names []string, output string) (protocol.PackagesReply, error) {
	after, err := a.installedVersions(ctx, names)
	if err != nil {
		return protocol.PackagesReply{}, err
	}
	return protocol.PackagesReply{Changed: differing(before, after), Output: output}, nil
}

// parseInstalled reads lines of status, name and version with tabs between.
func parseInstalled(text string) map[string]string {
	installed := map[string]string{}
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(fields) == 3 && fields[0] == "installed" {
			installed[fields[1]] = fields[2]
		}
	}
	return installed
}

// packageTool runs a package tool; a failure carries the end of its words.
func (a *Agent) packageTool(ctx context.Context, argv, env []string) (string, error) {
	reply, err := a.exec(ctx, Command{Argv: argv, Env: env, MaxOutput: packageOutput})
	if err != nil {
		return "", err
	}
	if reply.ExitCode != 0 {
		words := strings.TrimSpace(string(reply.Stderr))
		if words == "" {
			words = strings.TrimSpace(string(reply.Stdout))
		}
		return "", protocol.Failure(protocol.KindOther, "%s: exit code %d: %s", strings.Join(argv[:1], " "), reply.ExitCode, words)
	}
	return string(reply.Stdout), nil
}

// differing lists the names whose version is not the same in both.
func differing(before, after map[string]string) []string {
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] != after[name] {
			changed = append(changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, still := after[name]; !still {
			changed = append(changed, name)
		}
	}
	return changed
}
