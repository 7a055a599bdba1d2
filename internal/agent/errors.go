package agent

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// kindOf classes an error of the operating system.
func kindOf(err error) protocol.Kind {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return protocol.KindCancelled
	case errors.Is(err, fs.ErrNotExist):
		return protocol.KindNotExist
	case errors.Is(err, syscall.EROFS):
		return protocol.KindReadOnly
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return protocol.KindNoSpace
	case errors.Is(err, fs.ErrPermission):
		return protocol.KindPermission
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return protocol.KindInvalid
	}
	return protocol.KindOther
}
