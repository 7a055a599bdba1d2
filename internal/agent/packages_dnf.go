package agent

import (
	"context"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// dnfInstall installs names from the host's sources, or the package files
// without any source. dnf itself passes over what is installed at that
// version or a newer one, and waits for its lock.
func (a *Agent) dnfInstall(ctx context.Context, names, files []string) (protocol.PackagesReply, error) {
	argv := []string{"dnf", "--assumeyes", "--quiet", "--setopt=install_weak_deps=False"}
	described := names
	if len(files) > 0 {
		reply, err := a.exec(ctx, Command{
			Argv:    append([]string{"rpm", "--query", "--queryformat", `%{NAME}\n`, "--package", "--"}, files...),
			Timeout: 30 * time.Second,
		})
		if err != nil {
			return protocol.PackagesReply{}, err
		}
		if reply.ExitCode != 0 {
			return protocol.PackagesReply{}, protocol.Failure(protocol.KindInvalid, "reading the package files: %s", strings.TrimSpace(string(reply.Stderr)))
		}
		described = strings.Fields(string(reply.Stdout))
		argv = append(argv, "--disablerepo=*", "install")
		argv = append(argv, files...)
	} else {
		installed, err := a.installedVersions(ctx, names)
		if err != nil {
			return protocol.PackagesReply{}, err
		}
		argv = append(argv, "install")
		missing := 0
		for _, name := range names {
			if _, ok := installed[name]; !ok {
				argv = append(argv, name)
				missing++
			}
		}
		if missing == 0 {
			return protocol.PackagesReply{}, nil
		}
	}
	before, err := a.installedVersions(ctx, described)
	if err != nil {
		return protocol.PackagesReply{}, err
	}
	output, err := a.packageTool(ctx, argv, nil)
	if err != nil {
		return protocol.PackagesReply{}, err
	}
	return a.changedSince(ctx, before, described, output)
}

// dnfRemove removes what is installed of names.
func (a *Agent) dnfRemove(ctx context.Context, names []string) (protocol.PackagesReply, error) {
	before, err := a.installedVersions(ctx, names)
	if err != nil {
		return protocol.PackagesReply{}, err
	}
	if len(before) == 0 {
		return protocol.PackagesReply{}, nil
	}
	argv := []string{"dnf", "--assumeyes", "--quiet", "remove"}
	for _, name := range names {
		if _, ok := before[name]; ok {
			argv = append(argv, name)
		}
	}
	output, err := a.packageTool(ctx, argv, nil)
	if err != nil {
		return protocol.PackagesReply{}, err
	}
	return a.changedSince(ctx, before, names, output)
}
