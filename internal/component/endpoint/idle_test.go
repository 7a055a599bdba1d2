package endpoint

import (
	"regexp"
	"testing"
	"time"
)

// No proxy ends a silent connection before those who talk over it do: the kubelet
// ends an exec that was silent for four hours (its streamingConnectionIdleTimeout),
// and nobody ends it later.
func TestSilentConnectionsAreNotCut(t *testing.T) {
	const longest = 4 * time.Hour
	c := managedCluster()
	local := nginxCluster()
	worker := local.Host("worker-1")
	haproxy := []string{"timeout client", "timeout server"}
	nginx := []string{"proxy_timeout", "worker_shutdown_timeout"}
	for name, file := range map[string]struct {
		content  []byte
		settings []string
	}{
		"managed":           {haproxyService(c.Host("lb-1"), managedHAProxy(c, c.Host("lb-1"), nil, []int{6443})).Files[0].Content, haproxy},
		"localhost haproxy": {haproxyService(worker, localHAProxyConfig(local, worker, []int{6443})).Files[0].Content, haproxy},
		"localhost nginx":   {nginxService(local, worker, debian(), []int{6443}).Files[0].Content, nginx},
		"guide haproxy":     {Guide(local, GuideHAProxy), haproxy},
		"guide nginx":       {Guide(local, GuideNginx), nginx[:1]},
	} {
		for _, setting := range file.settings {
			found := regexp.MustCompile(`(?m)^\s*` + setting + `\s+(\S+?);?$`).FindSubmatch(file.content)
			if found == nil {
				t.Errorf("%s has no %s:\n%s", name, setting, file.content)
				continue
			}
			if got, err := time.ParseDuration(string(found[1])); err != nil || got <= longest {
				t.Errorf("%s cuts connections that are silent for %s (%s), %v; %s must be possible", name, got, setting, err, longest)
			}
		}
		if file.settings[0] == haproxy[0] {
			// It would go before the two.
			if found := regexp.MustCompile(`(?m)^\s*timeout tunnel`).Find(file.content); found != nil {
				t.Errorf("%s has another timeout:\n%s", name, file.content)
			}
		}
	}
}
