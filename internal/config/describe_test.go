package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/diag"
)

// TestRulesAreTrue tries what Rules says on files: each choice and each bound
// passes its own check, and what is beyond does not.
func TestRulesAreTrue(t *testing.T) {
	rules := Rules(testOptions())
	for _, path := range []string{"spec.etcd.logLevel", "spec.hosts[].roles[]", "spec.ssh.bastion.port", "spec.kubernetes.version", "spec.hosts[].connection"} {
		if rules[path].Choices == nil && !rules[path].Bounded {
			t.Errorf("%s: no rule", path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(rules)) {
		rule := rules[path]
		var good, bad []string
		for _, word := range rule.Choices {
			good = append(good, fmt.Sprintf("%q", word))
		}
		if rule.Choices != nil {
			bad = append(bad, `"no such word"`)
		}
		if rule.Bounded {
			good = append(good, fmt.Sprint(rule.Least), fmt.Sprint(rule.Most))
			bad = append(bad, fmt.Sprint(rule.Least-1), fmt.Sprint(rule.Most+1))
		}
		if rule.Default != "" {
			good = append(good, rule.Default)
		}
		for i, value := range append(slices.Clone(good), bad...) {
			refused := refusedAt(t, path, value)
			if want := i >= len(good); refused != want {
				t.Errorf("%s: %s: refused is %t, want %t", path, value, refused, want)
			}
		}
	}
}

// refusedAt reports whether a value at a path is refused for itself.
func refusedAt(t *testing.T, path, value string) bool {
	t.Helper()
	text := value
	keys := strings.Split(path, ".")
	for i := len(keys) - 1; i >= 0; i-- {
		key, isList := strings.CutSuffix(keys[i], "[]")
		if isList {
			text = "[" + text + "]"
		}
		text = "{" + key + ": " + text + "}"
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	_, list := Parse("x.yaml", []byte(header+text), testOptions())
	for _, d := range list {
		if d.Line == strings.Count(header, "\n")+1 && d.Column == strings.Index(text, value)+1 && d.Severity == diag.SeverityError {
			return true
		}
	}
	return false
}
