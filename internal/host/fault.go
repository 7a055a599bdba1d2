package host

import (
	"context"
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// Fault does harm to the host, with its undoing arranged on the host before:
// the host undoes it after the request's time, whatever becomes of the
// connection. An error that is ErrUnreachable does not tell whether the fault
// was done. A request to try does nothing, and an error says why the host cannot.
func (h *Host) Fault(ctx context.Context, request protocol.FaultRequest) (protocol.FaultReply, error) {
	var reply protocol.FaultReply
	what := "doing the fault " + request.ID
	if request.Try {
		what = "asking whether a fault can be done"
	}
	err := h.call(ctx, what, protocol.OpFault, request, &reply)
	return reply, err
}

// Undo ends a fault before its time, or all faults of the host when id is
// empty, and names those that it ended. One that is over is no error; that some are
// not undone is one.
func (h *Host) Undo(ctx context.Context, id string) (ended []string, err error) {
	var reply protocol.UndoReply
	err = h.call(ctx, "ending the drill's faults", protocol.OpUndo, protocol.UndoRequest{ID: id}, &reply)
	if err == nil && len(reply.Left) > 0 {
		err = fmt.Errorf("%s: %s", h.name, strings.Join(reply.Left, "; "))
	}
	return reply.Ended, err
}
