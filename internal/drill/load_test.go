package drill

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/probe"
)

// fakeAPI is as much of an API server as the load uses. Lose drops the write
// of one key after it was acknowledged.
type fakeAPI struct {
	lose string
	// breaks tells that watches break off after every tenth event, so that
	// watchers have to go on where they were.
	breaks bool

	mu       sync.Mutex
	revision int
	objects  map[string]object
	events   []string // JSON lines
	revised  []int    // of each event
	changed  chan struct{}
}

func newFakeAPI() *fakeAPI {
	return &fakeAPI{revision: 10, objects: map[string]object{}, changed: make(chan struct{})}
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.URL.Path, "/configmaps") {
		fmt.Fprint(w, `{"items":[]}`)
		return
	}
	_, name, _ := strings.Cut(r.URL.Path, "/configmaps/")
	if r.URL.Query().Get("watch") != "" {
		f.watch(w, r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.Method {
	case http.MethodPost, http.MethodPut:
		var o object
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		old, exists := f.objects[o.Metadata.Name]
		if r.Method == http.MethodPost && exists || r.Method == http.MethodPut && old.Metadata.ResourceVersion != o.Metadata.ResourceVersion {
			http.Error(w, "conflict", http.StatusConflict)
			return
		}
		f.revision++
		o.Metadata.ResourceVersion, o.Metadata.UID = strconv.Itoa(f.revision), "uid-"+o.Metadata.Name
		text, _ := json.Marshal(o)
		if o.Metadata.Name != f.lose {
			f.objects[o.Metadata.Name] = o
		}
		if o.Metadata.Name != registerName {
			f.events = append(f.events, fmt.Sprintf(`{"type":"ADDED","object":%s}`, text))
			f.revised = append(f.revised, f.revision)
			close(f.changed)
			f.changed = make(chan struct{})
		}
		w.Write(text)
	case http.MethodGet:
		if name != "" {
			text, _ := json.Marshal(f.objects[name])
			w.Write(text)
			return
		}
		var list object
		list.Metadata.ResourceVersion = strconv.Itoa(f.revision)
		for name, o := range f.objects {
			if name != registerName {
				list.Items = append(list.Items, o)
			}
		}
		text, _ := json.Marshal(list)
		w.Write(text)
	}
}

// watch streams events.
func (f *fakeAPI) watch(w http.ResponseWriter, r *http.Request) {
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush()
	for sent, at := 0, 0; ; {
		f.mu.Lock()
		events, revised, changed := f.events, f.revised, f.changed
		f.mu.Unlock()
		for ; at < len(events); at++ {
			if revised[at] <= from {
				continue
			}
			fmt.Fprintln(w, events[at])
			if http.NewResponseController(w).Flush(); f.breaks && sent == 9 {
				return
			}
			sent++
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// eyesOn looks at a test server, and writes to it.
func eyesOn(server *httptest.Server, name string) Eyes {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	dial, turn := probe.AnyOf([]string{server.Listener.Addr().String()})
	return Eyes{Viewpoint: probe.Viewpoint{Name: name, Dial: dial, Turn: turn, TLS: &tls.Config{RootCAs: pool, ServerName: "example.com"}}, Writes: true}
}

// exercise runs a load on an API until enough writes were acknowledged.
func exercise(t *testing.T, f *fakeAPI) History {
	t.Helper()
	server := httptest.NewUnstartedServer(f)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that leave early
	server.StartTLS()
	t.Cleanup(server.Close)
	load := &Load{Namespace: "n", Every: 10 * ms, Timeout: 5 * time.Second, Eyes: []Eyes{eyesOn(server, "a"), eyesOn(server, "b")}}
	t.Cleanup(load.Close)
	if err := load.SetUp(t.Context(), load.Eyes[0].Viewpoint); err != nil {
		t.Fatal(err)
	}
	if err := load.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * ms)
	defer tick.Stop()
	for enough := false; !enough; {
		select {
		case <-deadline:
			t.Fatal("no writes")
		case <-tick.C:
		}
		f.mu.Lock()
		register, _ := strconv.Atoi(f.objects[registerName].Data["value"])
		enough = len(f.events) > 60 && register > 5
		f.mu.Unlock()
	}
	h, err := load.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestLoadOnAnHonestAPI(t *testing.T) {
	f := newFakeAPI()
	f.breaks = true
	h := exercise(t, f)
	v := Check(h)
	if !v.OK() || v.Acknowledged < 60 || v.Swaps < 5 || v.Looks == 0 || v.Watched < 120 {
		t.Errorf("%+v", v)
	}
}

// An API that acknowledges a write and does not keep it is caught, by key.
func TestLoadCatchesALostWrite(t *testing.T) {
	f := newFakeAPI()
	f.lose, f.breaks = "a-000007", true
	v := Check(exercise(t, f))
	if v.Lost != 1 || !slices.ContainsFunc(v.Violations, func(x Violation) bool { return x.Kind == "lost" && x.Key == f.lose }) {
		t.Errorf("%+v", v)
	}
}

// Only the API's own words tell that a write was not done.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Answer
	}{
		{nil, Acknowledged},
		{&probe.StatusError{Code: 409}, Rejected},
		{&probe.StatusError{Code: 403}, Rejected},
		{&probe.StatusError{Code: 429}, Unanswered},
		{&probe.StatusError{Code: 408}, Unanswered},
		{&probe.StatusError{Code: 500}, Unanswered},
		{fmt.Errorf("connection reset"), Unanswered},
	} {
		if got := answerOf(c.err); got != c.want {
			t.Errorf("%v is %s, want %s", c.err, got, c.want)
		}
	}
}

// The same seed picks the same drills, and none again on the same host at once.
func TestSoakIsReplayable(t *testing.T) {
	c, _ := healthy()
	drills := Possible(c, Allowed{Lab: true})
	first, second := NewSoak(c, drills, 7), NewSoak(c, drills, 7)
	other := NewSoak(c, drills, 8)
	var last string
	different := false
	for range 200 {
		a, b := first.Next(), second.Next()
		if a.String() != b.String() {
			t.Fatalf("%s and %s from one seed", a, b)
		}
		if a.String() == last {
			t.Errorf("%s twice in a row", a)
		}
		last = a.String()
		different = different || other.Next().String() != last
		if p, err := ParsePick(a.String()); err != nil || p.String() != a.String() {
			t.Errorf("%s is read as %v, %v", a, p, err)
		}
		if a.Drill.Majority || a.Drill.Action == Fill || a.Drill.Action == Nothing {
			t.Errorf("%s was picked", a)
		}
	}
	if !different {
		t.Error("every seed picks the same")
	}
}
