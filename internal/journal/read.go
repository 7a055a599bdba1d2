package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/quorate/quorate/internal/event"
)

// Run is a journal as read back.
type Run struct {
	Header Header
	Events []event.Event
	// Torn is true when the last line is not whole: the tool was killed, or
	// is still writing it.
	Torn bool
	// Damaged is how many lines before the last could not be read.
	Damaged int
}

// Done is the event that ends the run; ok is false when the run is still
// going on or was killed.
func (r Run) Done() (event.RunDone, bool) {
	for i := len(r.Events) - 1; i >= 0; i-- {
		if d, ok := r.Events[i].Body.(event.RunDone); ok {
			return d, true
		}
	}
	return event.RunDone{}, false
}

// Read reads the journal at path, whole or not.
func Read(path string) (Run, error) {
	f, err := os.Open(path)
	if err != nil {
		return Run{}, fmt.Errorf("reading a journal: %w", err)
	}
	defer f.Close() // read only: nothing can be lost
	run, err := decode(f)
	if err != nil {
		return Run{}, fmt.Errorf("reading the journal %s: %w", path, err)
	}
	return run, nil
}

func decode(r io.Reader) (Run, error) {
	var run Run
	in := bufio.NewReader(r)
	for n := 0; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return Run{}, err
		}
		last := err != nil
		if last && len(bytes.TrimSpace(line)) == 0 {
			if n == 0 {
				return Run{}, errors.New("it is empty")
			}
			return run, nil
		}
		if n == 0 {
			if err := json.Unmarshal(line, &run.Header); err != nil || run.Header.Format == 0 {
				return Run{}, errors.New("it does not begin with a journal's header")
			}
			if run.Header.Format > format {
				return Run{}, fmt.Errorf("its format is %d, newer than this program's %d", run.Header.Format, format)
			}
		} else {
			var e event.Event
			switch err := json.Unmarshal(line, &e); {
			case err == nil:
				run.Events = append(run.Events, e)
			case last:
				run.Torn = true
			default:
				run.Damaged++
			}
		}
		if last {
			return run, nil
		}
	}
}
