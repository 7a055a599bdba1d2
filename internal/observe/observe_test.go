package observe

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
	"github.com/quorate/quorate/internal/status/statustest"
)

// A look at the health costs no digest and asks no package tool, and leaves what
// the status judges: units, and what is in files and certificates.
func TestHealthAsksLittle(t *testing.T) {
	c := statustest.Healthy().Cluster
	release, err := catalog.Lookup(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	digests := 0
	for i := range c.Hosts {
		h := &c.Hosts[i]
		whole := Query(c, release, h)
		little := health(whole)
		if len(little.Files) != len(whole.Files) || len(little.Units) != len(whole.Units) || len(little.Disks) != len(whole.Disks) {
			t.Errorf("%s: %d of %d files, %d of %d units, %d of %d disks", h.Name,
				len(little.Files), len(whole.Files), len(little.Units), len(whole.Units), len(little.Disks), len(whole.Disks))
		}
		for n, f := range whole.Files {
			if f.Digest {
				digests++
			}
			if f.Digest = false; little.Files[n] != f {
				t.Errorf("%s: %+v, want %+v", h.Name, little.Files[n], f)
			}
		}
		if len(whole.Packages) == 0 || !whole.Images && h.IsNode() {
			t.Fatalf("%s: nothing to leave out: %+v", h.Name, whole)
		}
		if little.Packages != nil || little.Candidates != nil || little.Images || little.Dirs != nil || little.Sysctls != nil || little.Modules != nil {
			t.Errorf("%s: %+v", h.Name, little)
		}
	}
	if digests == 0 {
		t.Error("no digest that could be left out")
	}
}

// A host whose admin.conf would run a program is told of by name and field, not as
// an API that says nothing.
func TestAdminConfOfAHostileHostIsTold(t *testing.T) {
	c := statustest.Healthy().Cluster
	release, err := catalog.Lookup(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc/kubernetes"), 0o755); err != nil {
		t.Fatal(err)
	}
	const hostile = `{current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {}}], users: [{name: u, user: {exec: {command: sh}}}]}`
	if err := os.WriteFile(filepath.Join(root, "etc/kubernetes/admin.conf"), []byte(hostile), 0o600); err != nil {
		t.Fatal(err)
	}
	name := c.ControlPlanes()[0].Name
	o := Observer{Cluster: c, Release: release, Hosts: map[string]*host.Host{name: hosttest.Agent(t, root, nil)}, Failed: map[string]error{}}
	for _, h := range c.Hosts {
		if h.Name != name {
			o.Failed[h.Name] = errors.New("off")
		}
	}
	snap := o.Snapshot(t.Context())
	if why := snap.Hosts[name].AdminConf; !strings.Contains(why, "users[u].exec") {
		t.Errorf("the host's admin.conf: %q (the API: %s)", why, snap.APIError)
	}
	for _, h := range c.Hosts {
		if h.Name != name && snap.Hosts[h.Name].AdminConf != "" {
			t.Errorf("%s is blamed: %s", h.Name, snap.Hosts[h.Name].AdminConf)
		}
	}
}
