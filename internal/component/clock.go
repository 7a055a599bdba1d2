package component

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
)

// Now is what a host's clock says. What is made for hosts is dated by theirs, which
// judge it, and not by the operator's.
func Now(ctx context.Context, h *host.Host) (time.Time, error) {
	facts, err := h.Facts(ctx, protocol.FactsRequest{})
	if err != nil {
		return time.Time{}, err
	}
	if facts.Time.IsZero() {
		return time.Time{}, fmt.Errorf("%s does not tell its time", h.Name())
	}
	return facts.Time, nil
}
