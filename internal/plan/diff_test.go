package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFileChange(t *testing.T) {
	for _, tt := range []struct {
		name          string
		before, after []byte
		want          Change
		ok            bool
	}{
		{"same", []byte("a\n"), []byte("a\n"), Change{}, false},
		{"absent on both sides", nil, nil, Change{}, false},
		{"create", nil, []byte("a\nb\n"), Change{
			What: "/etc/x", Action: "create",
			Diff: "--- /dev/null\n+++ /etc/x\n@@ -0,0 +1,2 @@\n+a\n+b\n",
		}, true},
		{"create empty", nil, []byte{}, Change{What: "/etc/x", Action: "create"}, true},
		{"update", []byte("a\nb\nc\n"), []byte("a\nB\nc\n"), Change{
			What: "/etc/x", Action: "update",
			Diff: "--- /etc/x\n+++ /etc/x\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n",
		}, true},
		{"remove", []byte("a\n"), nil, Change{
			What: "/etc/x", Action: "remove",
			Diff: "--- /etc/x\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n",
		}, true},
		{"last line unended", []byte("a"), []byte("a\n"), Change{
			What: "/etc/x", Action: "update",
			Diff: "--- /etc/x\n+++ /etc/x\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n",
		}, true},
		{"lines that look like headers", []byte("--- a\n"), []byte("--- b\n"), Change{
			What: "/etc/x", Action: "update",
			Diff: "--- /etc/x\n+++ /etc/x\n@@ -1,1 +1,1 @@\n---- a\n+--- b\n",
		}, true},
		{"binary", []byte("a\x00"), []byte("b"), Change{What: "/etc/x", Action: "update"}, true},
		{"not UTF-8", []byte("a"), []byte("\xff"), Change{What: "/etc/x", Action: "update"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := FileChange("/etc/x", tt.before, tt.after)
			if d := cmp.Diff(tt.want, got); d != "" || ok != tt.ok {
				t.Errorf("ok %v, want %v; change (-want +got):\n%s", ok, tt.ok, d)
			}
		})
	}
}
