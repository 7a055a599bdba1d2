package reset

import (
	"context"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
)

// stop is the work of reset/stop.
type stop struct {
	host  string
	parts []part
}

// stopTimeout bounds the stop of one unit: systemd kills it after 90 seconds.
const stopTimeout = 2 * time.Minute

// Apply implements component.Op. What drills do ends before anything: that it is
// undone starts units, and puts back what is then removed. What starts others is
// stopped first: the kubelet, then the containers, then the runtime with the shims
// that outlive it.
func (o stop) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	if _, err := h.WriteFile(ctx, marker, []byte("A reset of this host was begun. Run `quorate reset` to finish it.\n"), 0o644); err != nil {
		return err
	}
	if _, err := h.Undo(ctx, ""); err != nil {
		return err
	}
	for _, p := range o.parts {
		say("stopping " + p.unit)
		if err := stopUnit(ctx, h, p.unit); err != nil {
			return err
		}
		switch p.unit {
		case kubeletUnit:
			err = endPods(ctx, h, say)
		case runtimeUnit:
			_, err = h.Kill(ctx, protocol.KillRequest{Cgroups: []string{"/system.slice/" + runtimeUnit}, Programs: []string{shim}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// endPods ends every process of every pod.
func endPods(ctx context.Context, h *host.Host, say func(string)) error {
	say("ending the containers")
	pods := protocol.KillRequest{Cgroups: []string{"/kubepods.slice", "/kubepods"}}
	if _, err := h.Kill(ctx, pods); err != nil {
		return err
	}
	// It is empty by now; systemd keeps it until it is told otherwise.
	if _, err := h.Unit(ctx, protocol.UnitRequest{Name: "kubepods.slice", Verb: "stop"}); err != nil {
		return err
	}
	_, err := h.Kill(ctx, pods) // for the groups that systemd does not know of
	return err
}

func stopUnit(ctx context.Context, h *host.Host, unit string) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if _, err := h.Unit(ctx, protocol.UnitRequest{Name: unit, Enable: "disable", Verb: "stop"}); err != nil {
		return err
	}
	_, err := h.Unit(ctx, protocol.UnitRequest{Name: unit, Verb: "reset-failed"})
	return err
}

// data is the work of reset/data.
type data struct {
	host  string
	parts []part
}

// Apply implements component.Op.
func (o data) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	for _, p := range o.parts {
		for _, path := range p.data {
			say("removing " + path)
			if err := h.EmptyDir(ctx, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// programs is the work of reset/programs.
type programs struct {
	host     string
	parts    []part
	binaries []string
}

// Apply implements component.Op. The unit files, which say whose the rest is,
// go last.
func (o programs) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	var files, empty []string
	files = append(files, o.binaries...)
	for _, p := range o.parts {
		for _, path := range p.settings {
			if err := h.EmptyDir(ctx, path); err != nil {
				return err
			}
		}
		files = append(files, p.files...)
		empty = append(empty, p.emptied...)
	}
	for _, p := range o.parts {
		files = append(files, p.unitFile)
	}
	for _, path := range files {
		if err := h.Remove(ctx, path); err != nil {
			return err
		}
	}
	for _, path := range empty {
		if err := h.RemoveIfEmpty(ctx, path); err != nil {
			return err
		}
	}
	if len(o.parts) == 0 {
		return nil
	}
	_, err = h.Unit(ctx, protocol.UnitRequest{DaemonReload: true})
	return err
}

// settings is the work of reset/settings.
type settings struct {
	host string
}

// Apply implements component.Op. The folder with the marker goes last.
func (o settings) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	for _, file := range sharedFiles() {
		if err := restore(ctx, h, file); err != nil {
			return err
		}
	}
	for _, path := range []string{modulesFile, sysctlFile, packages, component.QuorateDir} {
		if err := h.RemoveAll(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// restore takes Quorate's lines out of a file and keeps its mode and owner.
func restore(ctx context.Context, h *host.Host, file sharedFile) error {
	facts, err := h.Facts(ctx, protocol.FactsRequest{Files: []protocol.FileQuery{{Path: file.path}}})
	if err != nil {
		return err
	}
	old := facts.Files[file.path]
	if !old.Exists {
		return nil
	}
	content, err := h.ReadFile(ctx, file.path)
	if err != nil {
		return err
	}
	text := file.without(string(content))
	if text == string(content) {
		return nil
	}
	_, err = h.Write(ctx, protocol.WriteRequest{Path: file.path, Mode: old.Mode, UID: old.UID, GID: old.GID}, []byte(text))
	return err
}
