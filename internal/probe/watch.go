package probe

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/quorate/quorate/internal/bounded"
)

// Event is one line of a watch.
type Event struct {
	Type   string // ADDED, MODIFIED, DELETED or BOOKMARK
	Object json.RawMessage
}

// maxEvent bounds one event, in bytes; the API takes hardly a larger object.
const maxEvent = 2 << 20

// WatchStream asks for a watch at a URL and gives its events to take, on one
// connection, until that ends or take has had enough. What the API says
// against the watch, at first or later, is a *StatusError; a nil error is its
// own end of a watch, or that take had enough.
func WatchStream(ctx context.Context, client *http.Client, url string, take func(Event) (more bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return &StatusError{Code: response.StatusCode, Body: "watch"}
	}
	next := bounded.Lines(response.Body, maxEvent)
	for {
		line, err := next()
		if err != nil {
			return err
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		if e.Type == "ERROR" {
			var status struct {
				Code    int
				Message string
			}
			if err := json.Unmarshal(e.Object, &status); err != nil {
				return err
			}
			return &StatusError{Code: status.Code, Body: status.Message}
		}
		if more, err := take(e); err != nil || !more {
			return err
		}
	}
}
