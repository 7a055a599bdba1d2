package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// writeNew writes a file that does not exist yet, readable for its user alone:
// cluster files may hold passwords. A file that exists is never touched.
func writeNew(path string, content []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usageError(fmt.Errorf("%s exists and is not written over; name another file, or move it away", path))
	}
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			os.Remove(path)
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	_, err = f.Write(content)
	return err
}
