package endpoint

import (
	"context"
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/host"
)

// haproxyBoolean lets HAProxy use any port under SELinux's targeted policy,
// which otherwise knows a few well-known ports only.
const haproxyBoolean = "haproxy_connect_any"

// allowPorts switches the boolean on for good, where it is not. Asking first
// spares a host the seconds that rebuilding the policy takes.
func allowPorts(ctx context.Context, h *host.Host) error {
	reply, err := h.Run(ctx, host.Command{Argv: []string{"getsebool", haproxyBoolean}})
	if err != nil {
		return fmt.Errorf("asking SELinux whether HAProxy may use any port: %w", err)
	}
	if strings.HasSuffix(strings.TrimSpace(string(reply.Stdout)), "--> on") {
		return nil
	}
	if _, err := h.Run(ctx, host.Command{Argv: []string{"setsebool", "-P", haproxyBoolean, "on"}}); err != nil {
		return fmt.Errorf("letting HAProxy use any port under SELinux: %w", err)
	}
	return nil
}
