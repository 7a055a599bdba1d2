package agent

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// sync has files and folders, with all below them, on disk.
func (a *Agent) sync(ctx context.Context, request protocol.SyncRequest) (protocol.ChangedReply, error) {
	for _, name := range request.Paths {
		path, err := a.path(name)
		if err != nil {
			return protocol.ChangedReply{}, err
		}
		if err := syncTree(ctx, path); err != nil {
			return protocol.ChangedReply{}, err
		}
	}
	return protocol.ChangedReply{}, nil
}

// syncTree syncs a file with the folder that names it, or a folder with all
// below it. What is no regular file and no folder is left alone, and links are
// not followed below it; what goes away meanwhile needs not be kept.
func syncTree(ctx context.Context, path string) error {
	path, err := filepath.EvalSymlinks(path)
	if err == nil {
		err = filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case !entry.IsDir() && !entry.Type().IsRegular():
				return nil
			}
			// A file is synced as a folder is.
			if err := syncDir(at); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		})
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
