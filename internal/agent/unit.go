package agent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// journalLines is how much of a failed unit's journal an answer carries.
const journalLines = "20"

// unit brings a systemd unit to the state asked for and leaves alone what is
// so already. Without a name it only reloads systemd's configuration.
func (a *Agent) unit(ctx context.Context, request protocol.UnitRequest) (protocol.UnitReply, error) {
	if err := checkUnitRequest(request); err != nil {
		return protocol.UnitReply{}, err
	}
	if request.Name == "" {
		failure, err := a.systemctl(ctx, "daemon-reload")
		return protocol.UnitReply{Changed: true, Failure: failure}, err
	}
	unit, err := a.showUnit(ctx, request.Name)
	if err != nil {
		return protocol.UnitReply{}, err
	}
	reply := protocol.UnitReply{Unit: unit}
	for _, argv := range unitCommands(request, unit) {
		reply.Changed = true
		failure, err := a.systemctl(ctx, argv...)
		if err != nil {
			return reply, err
		}
		if failure != "" {
			reply.Failure = failure
			reply.Journal = a.journal(ctx, request.Name)
			break
		}
	}
	if reply.Changed {
		if reply.Unit, err = a.showUnit(ctx, request.Name); err != nil {
			return reply, err
		}
	}
	return reply, nil
}

func checkUnitRequest(request protocol.UnitRequest) error {
	if strings.HasPrefix(request.Name, "-") || strings.ContainsAny(request.Name, " \t\r\n\x00") {
		return protocol.Failure(protocol.KindInvalid, "%q is not a unit's name", request.Name)
	}
	if !slices.Contains([]string{"", "enable", "disable", "mask", "unmask"}, request.Enable) {
		return protocol.Failure(protocol.KindInvalid, "unknown enablement %q", request.Enable)
	}
	if !slices.Contains([]string{"", "start", "stop", "restart", "reload-or-restart", "reset-failed"}, request.Verb) {
		return protocol.Failure(protocol.KindInvalid, "unknown verb %q", request.Verb)
	}
	if request.Name == "" && (request.Enable != "" || request.Verb != "" || !request.DaemonReload) {
		return protocol.Failure(protocol.KindInvalid, "no unit named")
	}
	return nil
}

// unitCommands is what systemctl has to be told to bring unit to what is asked.
func unitCommands(request protocol.UnitRequest, unit protocol.Unit) [][]string {
	var commands [][]string
	// systemd loads a unit anew when its files changed only if told to; it
	// says so itself, and a unit that is not loaded may have a new file.
	if request.DaemonReload && (unit.NeedsReload || unit.Load != "loaded") {
		commands = append(commands, []string{"daemon-reload"})
	}
	if enablementDiffers(request.Enable, unit) {
		commands = append(commands, []string{request.Enable, "--", request.Name})
	}
	verb := []string{request.Verb}
	if request.NoBlock {
		verb = append(verb, "--no-block")
	}
	verb = append(verb, "--", request.Name)
	// A unit that failed too often refuses to start until this. And one that waits to be
	// started again keeps its count of restarts while it is stopped and started by
	// hand: it would not be taken for one that is up for a while.
	var forgive [][]string
	if unit.Active == "failed" || unit.Restarts > 0 {
		forgive = [][]string{{"reset-failed", "--", request.Name}}
	}
	switch request.Verb {
	case "start", "restart", "reload-or-restart":
		if request.Verb == "start" && (unit.Active == "active" || unit.Active == "reloading") {
			break
		}
		commands = append(append(commands, forgive...), verb)
	case "stop":
		if unit.Active != "inactive" && unit.Active != "failed" {
			commands = append(append(commands, forgive...), verb)
		}
	case "reset-failed":
		commands = append(commands, forgive...)
	}
	return commands
}

// enablementDiffers tells whether a unit file's enablement has to be changed.
func enablementDiffers(want string, unit protocol.Unit) bool {
	switch want {
	case "enable":
		// Static, generated and transient units cannot be enabled.
		return !slices.Contains([]string{"enabled", "static", "alias", "generated", "transient"}, unit.Enabled)
	case "disable":
		return unit.Enabled == "enabled" || unit.Enabled == "enabled-runtime" || unit.Enabled == "linked"
	case "mask":
		return unit.Load != "masked"
	case "unmask":
		return unit.Load == "masked"
	}
	return false
}

func (a *Agent) showUnit(ctx context.Context, name string) (protocol.Unit, error) {
	units, err := a.showUnits(ctx, []string{name})
	if err != nil {
		return protocol.Unit{}, err
	}
	return units[name], nil
}

// systemctl runs one command; failure is its own words when it fails.
func (a *Agent) systemctl(ctx context.Context, args ...string) (failure string, err error) {
	reply, err := a.exec(ctx, Command{Argv: append([]string{"systemctl"}, args...)})
	if err != nil {
		return "", err
	}
	if reply.ExitCode == 0 {
		return "", nil
	}
	failure = strings.TrimSpace(string(reply.Stderr))
	if failure == "" {
		failure = "systemctl " + strings.Join(args, " ") + " failed without a word"
	}
	return failure, nil
}

// journal is the end of a unit's journal, empty when there is none.
func (a *Agent) journal(ctx context.Context, name string) string {
	reply, err := a.exec(ctx, Command{
		Argv:      []string{"journalctl", "--no-pager", "--quiet", "--output=short", "--lines=" + journalLines, "--unit=" + name},
		Timeout:   5 * time.Second,
		MaxOutput: 16 << 10,
	})
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(reply.Stdout))
}
