package secret

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/quorate/quorate/internal/cluster"
)

const password = "hunter2-very-secret"

// TestValueNeverShows prints a value in every way that a careless line of code
// might, alone and inside other values.
func TestValueNeverShows(t *testing.T) {
	type holder struct {
		Name   string
		Secret Value
		Ptr    *Value
		Ref    cluster.Secret
	}
	v := NewValue(password)
	h := holder{"x", v, &v, cluster.Secret{Literal: password}}
	deep := struct{ P *holder }{&holder{Name: "x", Secret: v}}

	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("try", "value", v, "holder", h, "pointer", &h)
	}
	asJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"log": log.String(), "JSON": string(asJSON), "error": fmt.Errorf("with %v", v).Error()}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		texts["value "+format] = fmt.Sprintf(format, v)
		texts["holder "+format] = fmt.Sprintf(format, h)
		if text := fmt.Sprintf(format, deep); strings.Contains(text, password) {
			t.Errorf("deep %s shows the secret: %s", format, text)
		}
		texts["slice "+format] = fmt.Sprintf(format, []Value{v})
	}
	for how, text := range texts {
		if strings.Contains(text, password) {
			t.Errorf("%s shows the secret: %s", how, text)
		}
		if !strings.Contains(text, "hidden") {
			t.Errorf("%s does not say that something is hidden: %s", how, text)
		}
	}
	if v.Reveal() != password {
		t.Errorf("Reveal() = %q", v.Reveal())
	}
	if got := fmt.Sprint(Value{}); got != "" {
		t.Errorf("the zero value prints as %q, want nothing", got)
	}
}

func TestResolve(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name    string
		ref     cluster.Secret
		want    string
		err     string // part of it; empty means none
		warning string
	}{
		{name: "none"},
		{name: "literal", ref: cluster.Secret{Literal: password}, want: password},
		{name: "env", ref: cluster.Secret{Env: "PW"}, want: password},
		{name: "env missing", ref: cluster.Secret{Env: "NOPE"}, err: "environment variable NOPE is not set"},
		{name: "env empty", ref: cluster.Secret{Env: "EMPTY"}, err: "environment variable EMPTY is not set"},
		{name: "file", ref: cluster.Secret{File: write("ok", password+"\n", 0o600)}, want: password},
		{name: "file keeps spaces", ref: cluster.Secret{File: write("spaces", " a b \n", 0o600)}, want: " a b "},
		{name: "file from Windows", ref: cluster.Secret{File: write("crlf", password+"\r\n", 0o600)}, want: password},
		{name: "file open to all", ref: cluster.Secret{File: write("open", password, 0o644)}, want: password, warning: "(mode 0644): run chmod 600"},
		{name: "file empty", ref: cluster.Secret{File: write("empty", "\n", 0o600)}, err: "is empty"},
		{name: "file missing", ref: cluster.Secret{File: filepath.Join(folder, "missing")}, err: "no such file"},
		{name: "file is folder", ref: cluster.Secret{File: folder}, err: "is a folder"},
		{name: "file huge", ref: cluster.Secret{File: write("huge", strings.Repeat("x", MaxSize+1), 0o600)}, err: "larger than 64 KiB"},
		{name: "prompt", ref: cluster.Secret{Prompt: true}, want: "answer to SSH password"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var warnings []string
			r := NewResolver(func(m string) { warnings = append(warnings, m) })
			r.LookupEnv = func(name string) (string, bool) {
				v, ok := map[string]string{"PW": password, "EMPTY": ""}[name]
				return v, ok
			}
			r.Prompt = func(_ context.Context, q string) (string, error) { return "answer to " + q, nil }
			for range 2 { // the second time must be no different, but for warnings
				got, err := r.Resolve(t.Context(), test.ref, "SSH password")
				if got.Reveal() != test.want {
					t.Errorf("value = %q, want %q", got.Reveal(), test.want)
				}
				switch {
				case err == nil && test.err != "":
					t.Errorf("no error, want %q", test.err)
				case err != nil && (test.err == "" || !strings.Contains(err.Error(), test.err) || !strings.HasPrefix(err.Error(), "SSH password: ")):
					t.Errorf("error = %v, want SSH password: … %q", err, test.err)
				case err != nil && strings.Contains(err.Error(), password):
					t.Errorf("the error shows the secret: %v", err)
				}
			}
			if all := strings.Join(warnings, "\n"); test.warning == "" && all != "" || !strings.Contains(all, test.warning) || len(warnings) > 1 {
				t.Errorf("warnings = %q, want one with %q", warnings, test.warning)
			}
		})
	}
}

func TestPromptAsksEachQuestionOnce(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	r := NewResolver(nil)
	r.Prompt = func(_ context.Context, q string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		asked[q]++
		return "pw of " + q, nil
	}
	var hosts sync.WaitGroup
	for i := range 20 {
		hosts.Go(func() {
			question := fmt.Sprintf("password of user%d", i%2)
			v, err := r.Resolve(t.Context(), cluster.Secret{Prompt: true}, question)
			if err != nil || v.Reveal() != "pw of "+question {
				t.Errorf("Resolve(%s) = %q, %v", question, v.Reveal(), err)
			}
		})
	}
	hosts.Wait()
	if asked["password of user0"] != 1 || asked["password of user1"] != 1 {
		t.Errorf("asked %v, want each once", asked)
	}
	if err := r.Forget(t.Context(), "password of user0"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve(t.Context(), cluster.Secret{Prompt: true}, "password of user0"); err != nil || asked["password of user0"] != 2 {
		t.Errorf("after Forget: asked %d times, %v; want a second time", asked["password of user0"], err)
	}
}

// TestPromptGivesWay checks that a host that waits for another's question does
// not wait when the run is cancelled.
func TestPromptGivesWay(t *testing.T) {
	cancelled := errors.New("interrupted")
	r := NewResolver(nil)
	asking := make(chan struct{})
	r.Prompt = func(ctx context.Context, _ string) (string, error) {
		close(asking)
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	results := make(chan error, 2)
	ask := func() {
		_, err := r.Resolve(ctx, cluster.Secret{Prompt: true}, "password")
		results <- err
	}
	go ask()
	<-asking
	r.Prompt = nil // nobody may ask again
	go ask()
	cancel(cancelled)
	for range 2 {
		if err := <-results; !errors.Is(err, cancelled) {
			t.Errorf("error = %v, want the cancellation's cause", err)
		}
	}
}
