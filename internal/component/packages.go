package component

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/host"
)

// Packages is the work of installing distribution packages: from the bundle
// where it holds them for the host's distribution, else from the host's own
// package sources.
type Packages struct {
	Host  string
	OS    protocol.OS
	Names []string
}

// packageFolder holds package files while they are installed.
const packageFolder = "/var/lib/quorate/packages"

// Apply implements Op.
func (p Packages) Apply(ctx context.Context, rt *Runtime, say func(string)) error {
	h, err := rt.Host(p.Host)
	if err != nil {
		return err
	}
	request := protocol.PackagesRequest{Names: p.Names}
	if rt.Bundle != nil {
		files, err := rt.Bundle.Packages(p.OS.ID, p.OS.Version, p.Names...)
		switch {
		case errors.Is(err, bundle.ErrNoPackages):
			say("the bundle has no packages for " + p.OS.PrettyName + ": using the host's own sources")
		case err != nil:
			return err
		default:
			to := func(f bundle.File) string { return packageFolder + "/" + path.Base(f.Path) }
			if err := sendFiles(ctx, rt, p.Host, files, to); err != nil {
				return err
			}
			for _, f := range files {
				request.Files = append(request.Files, to(f))
			}
		}
	}
	say("installing " + strings.Join(p.Names, ", "))
	if err := installPackages(ctx, h, request, say); err != nil {
		if len(request.Files) == 0 && ctx.Err() == nil {
			return fmt.Errorf("%w; add a package source that has %s and can be reached, install them by hand, or build the bundle on %s",
				err, strings.Join(p.Names, ", "), p.OS.PrettyName)
		}
		return err
	}
	for _, name := range p.Names {
		if unit := ownUnit(name); unit != "" {
			if _, err := h.Unit(ctx, protocol.UnitRequest{Name: unit, Enable: "disable", Verb: "stop"}); err != nil {
				return err
			}
		}
	}
	return h.RemoveAll(ctx, packageFolder)
}

// databaseWait is how long another program may hold a host's package database:
// unattended-upgrades may take minutes on a fresh machine. It is asked about
// every databasePoll, so that people see what is waited for.
const (
	databaseWait = 5 * time.Minute
	databasePoll = 5 * time.Second
)

func installPackages(ctx context.Context, h *host.Host, request protocol.PackagesRequest, say func(string)) error {
	request.LockWaitMillis = int(databasePoll.Milliseconds())
	for deadline := time.Now().Add(databaseWait); ; {
		_, err := h.Packages(ctx, request)
		busy, ok := errors.AsType[*protocol.Error](err)
		if !ok || busy.Kind != protocol.KindBusy || time.Now().After(deadline) {
			return err
		}
		say(busy.Message)
	}
}

// ownUnit is the service that a package brings, enabled, where Quorate runs
// the program under a unit of its own. A package that was there before is not
// installed again, so a service of the user's is never touched.
func ownUnit(name string) string {
	switch name {
	case "haproxy", "nginx", "keepalived":
		return name + ".service"
	}
	return ""
}

// Verify implements Verifier.
func (p Packages) Verify(ctx context.Context, rt *Runtime, _ func(string)) error {
	h, err := rt.Host(p.Host)
	if err != nil {
		return err
	}
	facts, err := h.Facts(ctx, protocol.FactsRequest{Brief: true, Packages: p.Names})
	if err != nil {
		return err
	}
	for _, name := range p.Names {
		if facts.Packages[name] == "" {
			return fmt.Errorf("%s: package %s is not installed after installing it", p.Host, name)
		}
	}
	return nil
}
