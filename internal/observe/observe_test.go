package observe

import (
	"testing"

	"github.com/quorate/quorate/internal/catalog"
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
