package planner_test

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/engine"
	"github.com/quorate/quorate/internal/event"
)

// keyLine is a line of a private key's body; joinToken is a bootstrap token.
var (
	keyBlock  = regexp.MustCompile(`PRIVATE KEY-----\n(\S{20,})`)
	joinToken = regexp.MustCompile(`[tT]oken: ["']?([a-z0-9]{6}\.[a-z0-9]{16})`)
)

// No key and no token of a whole build is in its plan, in its events, which the journal
// and the views are made of, or in an argument of a program.
func TestNoSecretIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, parse(t, threeAndThree))
	w.bundle = smallBundle(t, w.release, "amd64")
	p := w.plan()
	record := map[string]string{}
	add := func(where string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		record[where] += string(text) + "\n"
	}
	add("plan", p)
	hosts, _ := w.hosts()
	rt := &component.Runtime{Cluster: w.cluster, Release: w.release, Bundle: w.bundle, Hosts: hosts}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := engine.Run(ctx, p, component.Executor{Runtime: rt}, func(e event.Event) { add("events", e) }, engine.Options{})
	if !result.OK() {
		t.Fatalf("the build failed: %+v", result)
	}
	add("result", result)
	for _, m := range w.machines {
		add("arguments", m.ran)
	}

	secrets := map[string]string{} // where each is
	for _, m := range w.machines {
		for path, f := range m.files {
			if keyBlock.Match(f.content) && f.mode.Perm()&0o077 != 0 {
				t.Errorf("%s:%s has mode %v: others may read the key", m.name, path, f.mode)
			}
			for _, found := range keyBlock.FindAllStringSubmatch(string(f.content), -1) {
				secrets[found[1]] = m.name + ":" + path
			}
		}
		for _, found := range joinToken.FindAllStringSubmatch(m.joined, -1) {
			secrets[found[1]] = m.name + " joins with"
			secrets[found[1][7:]] = m.name + " joins with"
		}
	}
	if len(secrets) < 10 {
		t.Fatalf("only %d secrets were made: %v", len(secrets), secrets)
	}
	for where, text := range record {
		if len(text) < 1000 {
			t.Errorf("%s: nothing is in it: %s", where, text)
		}
		for secret, of := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s: it holds a secret of %s", where, of)
			}
		}
	}
}
