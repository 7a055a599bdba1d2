package endpoint

import (
	"regexp"
	"strconv"
	"testing"
	"time"
)

// A host that hangs takes connections and answers nothing. It is noticed by checks
// alone, at worst when it began to hang just after one had succeeded: inter passes,
// then each of fall checks waits for as long as it may (inter, or the time to
// connect where that is less, since the TLS handshake is part of it), fastinter
// apart.
func TestHostThatHangsIsFoundInTime(t *testing.T) {
	const most = 3 * time.Second
	c := managedCluster()
	text := string(haproxyService(c.Host("lb-1"), managedHAProxy(c, c.Host("lb-1"), nil, []int{6443})).Files[0].Content)
	find := func(pattern string) string {
		t.Helper()
		found := regexp.MustCompile(`(?m)` + pattern).FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("no %s in\n%s", pattern, text)
		}
		return found[1]
	}
	duration := func(pattern string) time.Duration {
		t.Helper()
		d, err := time.ParseDuration(find(pattern))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	line := `^  default-server .*check-ssl.*? `
	inter, fast, connect := duration(line+`inter (\S+)`), duration(line+`fastinter (\S+)`), duration(`^  timeout connect (\S+)$`)
	fall, err := strconv.Atoi(find(line + `fall (\d+)`))
	if err != nil {
		t.Fatal(err)
	}
	worst := inter + time.Duration(fall)*min(inter, connect) + time.Duration(fall-1)*fast
	if worst > most {
		t.Errorf("a host that hangs is found after %s at worst, more than %s: inter %s, fastinter %s, fall %d", worst, most, inter, fast, fall)
	}
}
