package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// Names are checked before a file is read or a host is touched.
func TestPreflightUsage(t *testing.T) {
	tests := map[string]struct {
		o    preflightOptions
		want string
	}{
		"misspelt": {preflightOptions{target: target{}, ignore: []string{"cpu", "etcd_fsink"}, output: "text"}, `--ignore-preflight "etcd_fsink": no check has this name; did you mean "etcd-fsync"? The checks are bundle, reachable`},
		"all":      {preflightOptions{ignore: []string{"all"}, output: "text"}, `no check has this name`},
		"timeout":  {preflightOptions{output: "text", patience: patience{timeout: -time.Second}}, "is no time to wait"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := runPreflight(t.Context(), test.o, &stdout, &stderr)
			var exit *exitError
			if !errors.As(err, &exit) || exit.code != exitUsage || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// What planning cannot do without is not let by.
func TestIgnorable(t *testing.T) {
	for name, ok := range map[string]bool{"cpu": true, "ports-free": true, "etcd-fsync": true, "reachable": false, "bundle": false, "no-such": false} {
		err := ignorable([]string{name})
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPreflightList(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := runPreflight(t.Context(), preflightOptions{list: true, output: "json"}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Name, About string
		Refuses     bool
	}
	if err := json.Unmarshal(stdout.Bytes(), &list); err != nil || len(list) < 30 || list[0].Name == "" || list[0].About == "" {
		t.Errorf("%v: %s", err, &stdout)
	}
}
