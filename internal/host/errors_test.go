package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// kubeadm's own words are told, and not the hint that it ends with.
func TestExitErrorTellsWhatSaysSomething(t *testing.T) {
	e := &ExitError{Host: "cp-1", Argv: []string{"kubeadm", "init"}, Code: 1, Stderr: "[init] preparing\nerror: unexpected EOF\nTo see the stack trace of this error execute with --v=5 or higher\n"}
	if got, want := e.Error(), "cp-1: error: unexpected EOF (exit code 1 of kubeadm init)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// answer is a host that answers one thing to everything.
type answer struct{ reply any }

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := json.Marshal(a.reply)
	return &http.Response{StatusCode: http.StatusOK, Request: r, Body: io.NopCloser(bytes.NewReader(text))}, err
}

// What kubeadm prints for others to join with comes into no error, however it is shown:
// events, journals and the terminal are made of those.
func TestNoErrorHoldsWhatLetsJoin(t *testing.T) {
	const token, key = "abcdef.0123456789abcdef", "f8902e114ef118304e561c3ecd4d0b543adc226b7a07f675f56564185ffe0c07"
	for name, printed := range map[string]string{
		"in the last line": `error execution phase kubelet-start: invalid bootstrap token "` + token + `"`,
		"before it": "You can now join any number of machines by running:\n\n  kubeadm join 192.0.2.1:6443 --token " + token + " \\\n" +
			"\t--discovery-token-ca-cert-hash sha256:1234 --control-plane --certificate-key " + key + "\n\nerror: the API server is gone\n",
		"where the end of it is kept": "token " + token + strings.Repeat(" ", 8<<10-len(token)+4),
		"alone":                       "[upload-certs] Using certificate key:\n" + "--certificate-key=" + key,
	} {
		for _, reply := range []protocol.RunReply{{ExitCode: 1, Stderr: []byte(printed)}, {ExitCode: 1, Stdout: []byte(printed)}} {
			h := New("cp-1", answer{reply}, nil)
			_, err := h.Run(t.Context(), Command{Argv: []string{"kubeadm", "join"}})
			exit, ok := errors.AsType[*ExitError](err)
			if !ok {
				t.Fatalf("%s: %v", name, err)
			}
			for _, shown := range []string{err.Error(), fmt.Sprintf("%+v", *exit)} {
				if strings.Contains(shown, token[9:]) || strings.Contains(shown, key) {
					t.Errorf("%s: it shows what lets join: %s", name, shown)
				}
			}
		}
	}
}
