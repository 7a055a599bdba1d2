package agent

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// The files in a fault's folder.
const (
	requestFile = "request.json" // what to do
	// begunFile is there from before the first harm until all of it is undone, and
	// holds which start of the host that was: what undoes a fault goes by it alone.
	begunFile   = "begun"
	stoppedFile = "stopped.json" // the processes that were stopped
	unitFile    = "unit"         // the unit that is stopped, which ran
	clockFile   = "clock.json"   // where the clock stood
	replyFile   = "reply.json"   // the fault is done
	errorFile   = "error"        // why it could not be done
)

// prepareFault makes the fault's folder: what to do, and a copy of this
// program that nobody else removes meanwhile.
func prepareFault(dir string, request protocol.FaultRequest) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, requestFile), text, 0o600); err != nil {
		return err
	}
	return copySelf(filepath.Join(dir, "agent"))
}

func copySelf(path string) (err error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, self)
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	return err
}

// readFault gives the fault that a folder describes.
func readFault(dir string) (kind faultKind, id string, err error) {
	var request protocol.FaultRequest
	text, err := os.ReadFile(filepath.Join(dir, requestFile))
	if err == nil {
		err = json.Unmarshal(text, &request)
	}
	if err == nil {
		kind, err = faultOf(request)
	}
	return kind, request.ID, err
}

// beginFault notes that harm is done from now on.
func beginFault(dir string) error {
	start, err := hostStart()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, begunFile), []byte(start), 0o600)
}

// faultBegan reports whether there may be harm of a fault to undo. One of before
// the host's last start is over: nothing of a fault outlives that.
func faultBegan(dir string) (bool, error) {
	text, err := os.ReadFile(filepath.Join(dir, begunFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	start, err := hostStart()
	return string(text) == start, err
}

// hostStart names this start of the host. The first process's is a part of it, since
// a host of a lab shares its kernel's with the others.
func hostStart() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(boot)) + " " + startOf(1), err
}

// lockFault lets one at a time undo a fault: the unit's end, an agent, and another
// agent that took over from it. Of a folder that is gone, the error says so.
func lockFault(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "locking", Path: dir, Err: err}
	}
	return func() { f.Close() }, nil
}

// clearFault removes a fault's folder, and the folder of all faults when this
// was the last: nothing is to be left on a host, also when nobody is there any
// more to look after it.
func clearFault(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	os.Remove(filepath.Dir(dir)) // goes when it is empty
	return nil
}

// faultsIn lists the faults that have a folder.
func faultsIn(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if faultID.MatchString(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}
