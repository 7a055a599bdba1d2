package agent

import (
	"context"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// facts answers everything that a snapshot wants to know of a host in one
// reply. Its parts are independent, so they are asked for all at once, and a
// part that cannot be known is left empty: a half-broken host must still be
// describable.
func (a *Agent) facts(ctx context.Context, request protocol.FactsRequest) (protocol.Facts, error) {
	for _, query := range request.Files {
		if err := checkPath(query.Path); err != nil {
			return protocol.Facts{}, err
		}
	}
	facts := protocol.Facts{Time: time.Now().UTC()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	unknown := func(part string, err error) {
		if err == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if facts.Unknown == nil {
			facts.Unknown = map[string]string{}
		}
		facts.Unknown[part] = err.Error()
	}
	// Each function sets fields of facts that no other one sets.
	if !request.Brief {
		wg.Go(func() { a.describeMachine(&facts) })
		wg.Go(func() { facts.Interfaces = interfaces(); facts.DefaultRoute = defaultRoute() })
		wg.Go(func() { facts.Listening = listening() })
	}
	wg.Go(func() { facts.Files = a.describeFiles(request.Files) })
	wg.Go(func() { facts.Dirs = a.listDirs(request.Dirs) })
	wg.Go(func() { facts.Disks, facts.ReadOnlyRoot = a.measureDisks(request.Disks) })
	wg.Go(func() { facts.Sysctls = readSysctls(request.Sysctls); facts.Modules = knownModules(request.Modules) })
	if len(request.Units) > 0 {
		wg.Go(func() {
			var err error
			facts.Units, err = a.describeUnits(ctx, request.Units)
			unknown("units", err)
		})
	}
	if len(request.Packages) > 0 {
		wg.Go(func() {
			var err error
			if facts.Packages, err = a.installedVersions(ctx, request.Packages); err != nil {
				unknown("packages", err)
				return
			}
			if facts.Candidates, err = a.candidates(ctx, request.Candidates, facts.Packages); err != nil {
				facts.CandidatesError = err.Error()
			}
		})
	}
	if request.Images {
		wg.Go(func() {
			var err error
			facts.Images, err = a.listImages(ctx, request.CtrPath)
			unknown("images", err)
		})
	}
	if len(request.LocalHTTP) > 0 {
		wg.Go(func() { facts.LocalHTTP = a.askHTTP(ctx, request.LocalHTTP) })
	}
	if request.ConnectedTo > 0 {
		wg.Go(func() { facts.Connected = connectedTo(request.ConnectedTo) })
	}
	wg.Wait()
	return facts, ctx.Err()
}
