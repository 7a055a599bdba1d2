package machine

import (
	"context"
	"fmt"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
)

// settings is the work of os/settings.
type settings struct {
	host    string
	files   []component.File
	modules []string
	sysctl  bool
	swapOff bool
	// owesPods tells that pods have a copy of a hosts file that leads nowhere; a
	// later step replaces them.
	owesPods bool
}

func (o settings) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	if o.owesPods {
		if _, err := h.WriteFile(ctx, component.HostPodsOwed, []byte("Pods on the host's network must take the hosts file in.\n"), 0o644); err != nil {
			return err
		}
	}
	if _, err := component.WriteFiles(ctx, rt, o.host, o.files); err != nil {
		return err
	}
	for _, m := range o.modules {
		if _, err := h.Run(ctx, host.Command{Argv: []string{"modprobe", m}}); err != nil {
			return fmt.Errorf("loading kernel module %s: %w", m, err)
		}
	}
	if o.sysctl {
		if _, err := h.Run(ctx, host.Command{Argv: []string{"sysctl", "--quiet", "--load", sysctlFile}}); err != nil {
			return err
		}
	}
	if o.swapOff {
		if _, err := h.Run(ctx, host.Command{Argv: []string{"swapoff", "--all"}}); err != nil {
			return err
		}
	}
	return nil
}

// Verify looks at the kernel's own values: a settings file of another
// package may have the last word.
func (o settings) Verify(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	q := protocol.FactsRequest{Modules: o.modules}
	if o.sysctl {
		q.Sysctls = sysctlNames()
	}
	facts, err := h.Facts(ctx, q)
	if err != nil {
		return err
	}
	for _, name := range q.Sysctls {
		if !serves(name, facts.Sysctls[name]) {
			return fmt.Errorf("%s: %s is %q after it was set to %s: another file in /etc/sysctl.d may override it", o.host, name, facts.Sysctls[name], wanted(name))
		}
	}
	if o.swapOff && len(facts.Swap) > 0 {
		return fmt.Errorf("%s: swap is still on: %v", o.host, facts.Swap)
	}
	return nil
}
