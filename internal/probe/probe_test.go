package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const ms = time.Millisecond

func row(from, to, every time.Duration, outcome Outcome) []Sample {
	var out []Sample
	for at := from; at < to; at += every {
		out = append(out, Sample{At: at, Took: 5 * ms, Outcome: outcome})
	}
	return out
}

func TestSummarise(t *testing.T) {
	samples := append(row(0, 1000*ms, 50*ms, OK), row(1000*ms, 1700*ms, 50*ms, Refused)...)
	samples = append(samples, row(1700*ms, 3000*ms, 50*ms, OK)...)
	got := Summarise(samples, 0, 3000*ms, 50*ms)
	want := Stats{
		Asked: 60, Succeeded: 46, Failures: map[Outcome]int{Refused: 14},
		Gap: Gap{From: 955 * ms, Length: 700 * ms}, Disturbed: Gap{From: 1000 * ms, Length: 655 * ms}, Median: 5 * ms, P99: 5 * ms, Max: 5 * ms,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A third of the questions that fail for long are no gap, and no small matter.
func TestDisturbedWithoutAGap(t *testing.T) {
	var samples []Sample
	for i := range 100 {
		s := Sample{At: time.Duration(i) * 100 * ms, Took: 5 * ms, Outcome: OK}
		if i >= 20 && i < 50 && i%3 == 0 || i == 80 {
			s.Outcome, s.Took = TimedOut, time.Second
		}
		samples = append(samples, s)
	}
	got := Summarise(samples, 0, 12*time.Second, 100*ms)
	if want := (Gap{From: 2100 * ms, Length: 3700 * ms}); got.Disturbed != want {
		t.Errorf("disturbed %+v, want %+v", got.Disturbed, want)
	}
}

func TestGapAtTheEdges(t *testing.T) {
	samples := row(500*ms, 1000*ms, 50*ms, OK)
	if got := Summarise(samples, 0, 1000*ms, 50*ms).Gap; got.From != 0 || got.Length != 455*ms {
		t.Errorf("a late first success: %+v", got)
	}
	if got := Summarise(samples, 500*ms, 3000*ms, 50*ms).Gap; got.Length != 3000*ms-955*ms-50*ms {
		t.Errorf("none at the end: %+v", got)
	}
	if got := Summarise(nil, 0, time.Second, 50*ms); got.Gap.Length != 950*ms || got.Availability() != 1 {
		t.Errorf("nothing asked: %+v", got)
	}
}

func TestProberKeepsItsTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1010*ms)
		defer cancel()
		log := NewLog(time.Now())
		slow := 0
		Prober{Every: 100 * ms, Timeout: time.Second, Offset: 30 * ms, Ask: func(context.Context) error {
			if slow++; slow == 3 {
				time.Sleep(450 * ms)
			}
			return nil
		}}.Run(ctx, log)
		var at []time.Duration
		for _, s := range log.Samples() {
			at = append(at, s.At)
		}
		slices.Sort(at)
		var want []time.Duration
		for i := range time.Duration(10) {
			want = append(want, (30+100*i)*ms)
		}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLateQuestions(t *testing.T) {
	for _, x := range []struct {
		n     int
		since time.Duration
		want  int
	}{{0, 0, 1}, {4, 400 * ms, 5}, {4, 499 * ms, 5}, {4, 500 * ms, 6}, {4, 1290 * ms, 13}} {
		if got := following(x.n, x.since, 100*ms); got != x.want {
			t.Errorf("after question %d, %s after the first, comes %d, want %d", x.n, x.since, got, x.want)
		}
	}
	samples := row(0, 500*ms, 50*ms, OK)
	samples[3].Late, samples[7].Late = 20*ms, 40*ms
	if got := Summarise(samples, 0, 500*ms, 50*ms).Late; got != 40*ms {
		t.Errorf("at most %s late", got)
	}
	if got := Summarise(samples, 0, 300*ms, 50*ms).Late; got != 20*ms {
		t.Errorf("at most %s late in the beginning", got)
	}
}

// A slow answer makes a gap though nothing failed, unless others are quicker; and
// what was asked before the time that is looked at still ends a gap in it.
func TestGapOfSlowAnswers(t *testing.T) {
	samples := row(0, 1000*ms, 50*ms, OK)
	samples[10].Took = 300 * ms // its neighbours are answered meanwhile
	if got := Summarise(samples, 0, 1000*ms, 50*ms).Gap; got.Length > 50*ms {
		t.Errorf("one slow answer among quick ones: %+v", got)
	}
	for i := range 6 {
		samples[10+i].Took = 305*ms - time.Duration(i)*50*ms
	}
	if got := Summarise(samples, 0, 1000*ms, 50*ms).Gap; got != (Gap{From: 455 * ms, Length: 300 * ms}) {
		t.Errorf("all waited: %+v", got)
	}
	early := []Sample{{At: 380 * ms, Took: 60 * ms, Outcome: OK}, {At: 390 * ms, Took: 20 * ms, Outcome: Refused}, {At: 520 * ms, Took: 10 * ms, Outcome: OK}}
	if got := Summarise(early, 400*ms, 540*ms, 50*ms); got.Gap != (Gap{From: 440 * ms, Length: 40 * ms}) || got.Asked != 1 {
		t.Errorf("asked before, answered later: %+v", got)
	}
}

func TestNoGapWithoutAFailure(t *testing.T) {
	if got := Summarise(row(0, 1000*ms, 50*ms, OK), 0, 1000*ms, 50*ms).Gap.Length; got > 5*ms {
		t.Errorf("a gap of %s where everything succeeded", got)
	}
}

func TestSince(t *testing.T) {
	log := NewLog(time.Now().Add(-time.Minute))
	for _, at := range []time.Duration{0, 10 * time.Second, 30 * time.Second, 29900 * ms, 40 * time.Second} {
		log.samples = append(log.samples, Sample{At: at, Took: ms})
	}
	for at, want := range map[time.Duration]int{0: 5, 5 * time.Second: 4, 29950 * ms: 2, 35 * time.Second: 1, time.Minute: 0} {
		if got := log.Since(at); len(got) != want {
			t.Errorf("since %s: %d samples, want %d", at, len(got), want)
		}
	}
}

func TestRecovered(t *testing.T) {
	samples := append(row(0, 1000*ms, 50*ms, OK), row(1000*ms, 1500*ms, 50*ms, TimedOut)...)
	samples = append(samples, row(1500*ms, 1600*ms, 50*ms, OK)...)
	samples = append(samples, row(1600*ms, 1650*ms, 50*ms, Reset)...)
	samples = append(samples, row(1650*ms, 4000*ms, 50*ms, OK)...)
	if at, ok := Recovered(samples, 1000*ms, time.Second); !ok || at != 1655*ms {
		t.Errorf("recovered at %s, %v", at, ok)
	}
	if _, ok := Recovered(samples[:30], 1000*ms, time.Second); ok {
		t.Error("recovered in the middle of the outage")
	}
}

func TestOutcomes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, refused := net.Dial("tcp", address)
	for _, c := range []struct {
		err  error
		want Outcome
	}{
		{nil, OK},
		{refused, Refused},
		{context.DeadlineExceeded, TimedOut},
		{&StatusError{Code: 503}, ServerError},
		{&StatusError{Code: 429}, ServerError},
		{&StatusError{Code: 403}, Denied},
		{&tls.CertificateVerificationError{Err: errors.New("x")}, BadTLS},
		{errors.New("worker-1: connecting: dial tcp 127.0.0.1:6443: connect: connection refused"), Refused},
		{errors.New("?"), Other},
	} {
		if got := OutcomeOf(c.err); got != c.want {
			t.Errorf("%v is %q, want %q", c.err, got, c.want)
		}
	}
}

// viewpointOf looks at a test server.
func viewpointOf(server *httptest.Server) Viewpoint {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	dial, turn := AnyOf([]string{server.Listener.Addr().String()})
	return Viewpoint{Name: "here", Dial: dial, Turn: turn, TLS: &tls.Config{RootCAs: pool, ServerName: "example.com"}}
}

func TestProberAsksOnWhileOneHangs(t *testing.T) {
	hang := make(chan struct{})
	first := make(chan struct{}, 1)
	first <- struct{}{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-first:
			<-hang
		default:
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	defer close(hang)
	v := viewpointOf(server)
	clients := v.Clients()
	defer clients.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	log := NewLog(time.Now())
	seen := 0
	enough := make(chan Sample, 100)
	go func() {
		for range enough {
			if seen++; seen == 5 {
				cancel()
			}
		}
	}()
	Prober{Every: 5 * ms, Timeout: 2 * time.Second, Ask: v.Get(clients.Kept, "/readyz"), Seen: func(s Sample) { enough <- s }}.Run(ctx, log)
	samples := log.Samples()
	if len(samples) < 5 {
		t.Fatalf("only %d answers while one question hung", len(samples))
	}
	for _, s := range samples {
		if s.Outcome != OK {
			t.Errorf("%+v", s)
		}
	}
}

func TestAnyOfTurnsToTheNextAddress(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	l.Close()
	v := viewpointOf(server)
	v.Dial, _ = AnyOf([]string{dead, server.Listener.Addr().String()})
	clients := v.Clients()
	defer clients.Close()
	if err := v.Get(clients.Fresh, "/")(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnswersThatAreNoSuccess(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "etcd failed", http.StatusInternalServerError)
	}))
	defer server.Close()
	v := viewpointOf(server)
	clients := v.Clients()
	defer clients.Close()
	err := v.Get(clients.Fresh, "/readyz")(t.Context())
	status, ok := errors.AsType[*StatusError](err)
	if !ok || status.Code != 500 || status.Body != "etcd failed" {
		t.Errorf("%v", err)
	}
}

// A request that is lost on the way to a server that had proved itself is told
// from one that found none.
func TestFailuresThatHadBegun(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}))
	defer server.Close()
	v := viewpointOf(server)
	clients := v.Clients()
	defer clients.Close()
	log := NewLog(time.Now())
	if s := log.Add(time.Now(), v.Get(clients.Fresh, "/")(t.Context())); s.Outcome != Reset || !s.Begun {
		t.Errorf("a request that the server drops: %+v", s)
	}
	// Somebody takes the connection, as a proxy does, and finds no server.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			conn.Close()
		}
	}()
	v.Dial, _ = AnyOf([]string{l.Addr().String()})
	other := v.Clients()
	defer other.Close()
	if s := log.Add(time.Now(), v.Get(other.Fresh, "/")(t.Context())); s.Outcome != Reset || s.Begun {
		t.Errorf("a connection that nobody serves: %+v", s)
	}
}
