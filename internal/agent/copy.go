package agent

import (
	"context"
	"os"
	"path/filepath"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// copyMode lets root alone run a copy.
const copyMode = 0o700

// copy puts a copy of this program at a path. One that is there is replaced as a
// whole: what runs from it goes on.
func (a *Agent) copy(_ context.Context, request protocol.CopyRequest) (protocol.ChangedReply, error) {
	path, err := a.path(request.Path)
	if err != nil {
		return protocol.ChangedReply{}, err
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return protocol.ChangedReply{}, err
	}
	defer self.Close()
	if err := makeParents(path, 0o755); err != nil {
		return protocol.ChangedReply{}, err
	}
	staged, err := stage(path)
	if err != nil {
		return protocol.ChangedReply{}, err
	}
	defer staged.discard()
	if _, err := staged.fill(self); err != nil {
		return protocol.ChangedReply{}, err
	}
	if err := staged.sync(owned{copyMode, os.Getuid(), os.Getgid()}); err != nil {
		return protocol.ChangedReply{}, err
	}
	if err := staged.commit(); err != nil {
		return protocol.ChangedReply{}, err
	}
	return protocol.ChangedReply{Changed: true}, syncDir(filepath.Dir(path))
}
