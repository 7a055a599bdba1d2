package component

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOverlay(t *testing.T) {
	type m = map[string]any
	under := m{"maxPods": 110, "clusterDNS": []any{"10.0.0.10"}, "authentication": m{"anonymous": m{"enabled": false}, "webhook": m{"enabled": true}}}
	over := m{"maxPods": int64(200), "clusterDNS": []any{"169.254.25.10"}, "authentication": m{"webhook": m{"cacheTTL": "1m"}, "anonymous": nil}, "evictionHard": m{"memory.available": "5%", "none": nil}}
	want := m{
		"maxPods": int64(200), "clusterDNS": []any{"169.254.25.10"},
		"authentication": m{"webhook": m{"enabled": true, "cacheTTL": "1m"}}, "evictionHard": m{"memory.available": "5%"},
	}
	if d := cmp.Diff(want, Overlay(under, over)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if under["maxPods"] != 110 || len(under["authentication"].(m)) != 2 || len(over["evictionHard"].(m)) != 2 {
		t.Error("a document that was given is changed")
	}
	if d := cmp.Diff(m{"a": m{"b": 1}}, Overlay(m{"a": "text"}, m{"a": m{"b": 1}})); d != "" {
		t.Errorf("a map does not replace a text (-want +got):\n%s", d)
	}
	if d := cmp.Diff(m{}, Overlay(nil, nil)); d != "" {
		t.Error(d)
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{`a`: `"a"`, `a"b\c`: `"a\"b\\c"`, "<é&\t>": "\"<é&\\t>\""} {
		if got, err := quote(text); err != nil || got != want {
			t.Errorf("%q: %s (%v), want %s", text, got, err, want)
		}
	}
}
