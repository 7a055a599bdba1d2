package controlplane

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// Ports on which the programs beside the API server listen, where the user gives
// them no other.
const (
	controllerManagerPort = 10257
	schedulerPort         = 10259
)

// portsOf are the ports of the programs beside the API server, by their names.
func (s settings) portsOf() map[string]int {
	return map[string]int{
		podControllerManager: securePort(s.ControllerManagerArgs(), controllerManagerPort),
		podScheduler:         securePort(s.SchedulerArgs(), schedulerPort),
	}
}

// Programs judges the programs beside a control-plane host's API server: each listens
// once it works. Where the user has one listen nowhere, its files have to do.
func Programs(c *cluster.Cluster, facts *protocol.Facts) []state.Program {
	ports := settings{Cluster: c}.portsOf()
	var out []state.Program
	for _, name := range []string{podScheduler, podControllerManager} {
		p, port := state.Program{Name: name}, ports[name]
		switch file := facts.Files[manifest(name)]; {
		case !file.Exists:
			p.Detail = "there is no " + manifest(name)
		case file.Size == 0:
			p.Detail = manifest(name) + " is empty"
		case port > 0 && !slices.ContainsFunc(facts.Listening, func(l protocol.Listener) bool { return l.Port == port }):
			p.Detail = fmt.Sprintf("nothing listens on port %d", port)
		default:
			p.Running = true
		}
		out = append(out, p)
	}
	return out
}
