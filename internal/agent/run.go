package agent

import (
	"net/http"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// run runs one program with the request's body as its standard input.
func (a *Agent) run(w http.ResponseWriter, r *http.Request, request protocol.RunRequest) error {
	dir := request.Dir
	if dir != "" {
		var err error
		if dir, err = a.path(dir); err != nil {
			return err
		}
	}
	reply, err := a.exec(r.Context(), Command{
		Argv:      request.Argv,
		Env:       request.Env,
		Dir:       dir,
		Stdin:     r.Body,
		Timeout:   time.Duration(request.TimeoutMillis) * time.Millisecond,
		MaxOutput: int(request.MaxOutput),
	})
	if err != nil {
		return err
	}
	answer(w, reply)
	return nil
}
