package agent

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

const unitProperties = "LoadState,ActiveState,SubState,UnitFileState,MainPID," +
	"NeedDaemonReload,ActiveEnterTimestamp,NRestarts,Result,FragmentPath"

// describeUnits asks systemd for all units at once. Units that systemd does
// not know are absent.
func (a *Agent) describeUnits(ctx context.Context, names []string) (map[string]protocol.Unit, error) {
	units, err := a.showUnits(ctx, names)
	if err != nil {
		return nil, err
	}
	for name, unit := range units {
		if unit.Load == "not-found" {
			delete(units, name)
		}
	}
	return units, nil
}

// showUnits describes units, the unknown ones too.
func (a *Agent) showUnits(ctx context.Context, names []string) (map[string]protocol.Unit, error) {
	argv := append([]string{"systemctl", "show", "--property=" + unitProperties, "--"}, names...)
	reply, err := a.exec(ctx, Command{
		Argv:    argv,
		Env:     []string{"TZ=UTC"}, // timestamps come in local time otherwise
		Timeout: 20 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	if reply.ExitCode != 0 {
		return nil, protocol.Failure(protocol.KindOther, "systemctl show: %s", strings.TrimSpace(string(reply.Stderr)))
	}
	return parseUnits(names, string(reply.Stdout)), nil
}

// parseUnits reads the output of "systemctl show" for names: one block of
// assignments a unit, in the order asked, with blank lines between.
func parseUnits(names []string, text string) map[string]protocol.Unit {
	units := make(map[string]protocol.Unit, len(names))
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if len(names) == 0 || strings.TrimSpace(block) == "" {
			break
		}
		units[names[0]] = parseUnit(block)
		names = names[1:]
	}
	return units
}

func parseUnit(block string) protocol.Unit {
	var unit protocol.Unit
	for line := range strings.Lines(block) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if !ok {
			continue
		}
		switch key {
		case "LoadState":
			unit.Load = value
		case "ActiveState":
			unit.Active = value
		case "SubState":
			unit.Sub = value
		case "UnitFileState":
			unit.Enabled = value
		case "MainPID":
			unit.MainPID, _ = strconv.Atoi(value)
		case "NeedDaemonReload":
			unit.NeedsReload = value == "yes"
		case "ActiveEnterTimestamp":
			if since, err := time.Parse("Mon 2006-01-02 15:04:05 MST", value); err == nil {
				unit.ActiveSince = since.Unix()
			}
		case "NRestarts":
			unit.Restarts, _ = strconv.Atoi(value)
		case "Result":
			unit.Result = value
		case "FragmentPath":
			unit.FragmentPath = value
		}
	}
	return unit
}
