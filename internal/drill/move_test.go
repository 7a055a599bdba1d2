package drill

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// scheduler is as much of an API as a pod that moves needs: the pod is on
// worker-1 until it was seen there a few times after it was let go.
type scheduler struct {
	mu      sync.Mutex
	made    string // the deployment
	deleted int
	gone    bool // worker-1 is
	looks   int  // since then
}

func (s *scheduler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pod := func(node, made, deleted string, ready bool) string {
		if deleted != "" {
			deleted = `,"deletionTimestamp":"` + deleted + `"`
		}
		return fmt.Sprintf(`{"metadata":{"creationTimestamp":%q%s},"spec":{"nodeName":%q},"status":{"conditions":[{"type":"Ready","status":%q}]}}`,
			made, deleted, node, map[bool]string{true: "True", false: "False"}[ready])
	}
	switch {
	case strings.Contains(r.URL.Path, "/deployments") && r.Method == http.MethodPost:
		text, _ := io.ReadAll(r.Body)
		s.made = string(text)
		fmt.Fprint(w, "{}")
	case strings.Contains(r.URL.Path, "/deployments") && r.Method == http.MethodDelete:
		if s.deleted++; s.made == "" {
			http.Error(w, "no such deployment", http.StatusNotFound)
		}
	case s.made == "":
		fmt.Fprint(w, `{"items":[]}`)
	case !s.gone:
		fmt.Fprintf(w, `{"items":[%s]}`, pod("worker-1", "2026-11-30T00:00:00Z", "", true))
	default:
		// The old one is said to be ready to the end: nobody hears of its node.
		s.looks++
		old := pod("worker-1", "2026-11-30T00:00:00Z", map[bool]string{true: "2026-11-30T00:01:00Z"}[s.looks > 1], true)
		fmt.Fprintf(w, `{"items":[%s,%s]}`, old, pod("worker-2", "2026-11-30T00:01:00Z", "", s.looks > 2))
	}
}

func TestPodThatMoves(t *testing.T) {
	s := &scheduler{}
	server := httptest.NewUnstartedServer(s)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	load := &Load{Namespace: "n", Timeout: 5 * time.Second, began: time.Now()}
	load.pooled = []api{load.api(eyesOn(server, "a"))}
	defer load.Close()
	r := &Runner{Load: load, PauseImage: "registry.k8s.io/pause:3.10"}
	d, _ := Find("node-lost")
	m, err := r.placeMover(t.Context(), d, []string{"worker-1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"replicas":1`, `"values":["worker-1"]`, `"tolerationSeconds":5`, r.PauseImage} {
		if !strings.Contains(s.made, want) {
			t.Errorf("%s is not in %s", want, s.made)
		}
	}
	if moved := r.awaitMove(t.Context(), m, r.now(), 300*ms); moved != 0 || len(r.marks) > 0 {
		t.Errorf("it is where it was, and moved after %s", moved)
	}
	s.mu.Lock()
	s.gone = true
	s.mu.Unlock()
	injected := r.now()
	if moved := r.awaitMove(t.Context(), m, injected, time.Minute); moved <= 0 || s.looks < 3 {
		t.Errorf("moved after %s and %d looks", moved, s.looks)
	}
	if len(r.marks) != 1 || r.marks[0].Text != "pod: worker-1 → worker-2" {
		t.Errorf("%+v", r.marks)
	}
	other, _ := Find("host-off")
	if m, err := r.placeMover(t.Context(), other, []string{"worker-1"}); m != nil || err != nil {
		t.Errorf("a drill that looks for no move: %v, %v", m, err)
	}
}

// That no pod was ready elsewhere in time is no success.
func TestMovesAreJudged(t *testing.T) {
	d, _ := Find("node-lost")
	for moved, want := range map[time.Duration]string{0: "no pod of worker-1", 100 * time.Second: "the budget is 1m30s", time.Minute: ""} {
		f := FaultRecord{Targets: []string{"worker-1"}, Budget: d.Budget, Undone: 2 * time.Minute, Healthy: 2*time.Minute + time.Second, Moved: moved}
		f.Figures = []Figure{{}}
		f.judge(d, nil, nil, 0, 3*time.Minute, "")
		if got := strings.Join(f.Why, "; "); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("after %s: %q", moved, got)
		}
	}
}
