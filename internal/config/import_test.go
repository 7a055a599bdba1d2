package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestImportMeansTheSame checks that what Import writes of our own files is the
// same cluster, that it leaves the defaults out, and says what was found.
func TestImportMeansTheSame(t *testing.T) {
	for _, path := range append(files(t, "../../examples/*.yaml"), files(t, "testdata/*.good.yaml")...) {
		imported, list := Import([]string{path}, path, testOptions())
		want, wantList := Load([]string{path}, testOptions())
		if imported == nil || want == nil {
			t.Fatalf("%s: %v, %v", path, list, wantList)
		}
		text := imported.Text
		if len(list) != len(wantList) {
			t.Errorf("%s: findings %v, want %v", path, list, wantList)
		}
		for _, d := range list {
			if !strings.Contains(string(text), "# - "+d.String()) {
				t.Errorf("%s: the comment does not tell %q", path, d.String())
			}
		}
		got, again := Parse(path, text, testOptions())
		if got == nil {
			t.Errorf("%s: what was written is refused: %v\n%s", path, again, text)
			continue
		}
		if diff := cmp.Diff(want, got, compareAddresses, cmp.Comparer(sameSecret)); diff != "" {
			t.Errorf("%s: what was written means something else (-want +got):\n%s", path, diff)
		}
	}
}

// TestImportShowsNoPasswords checks that passwords are written into a file alone,
// and that what is written elsewhere is a cluster file that asks for them.
func TestImportShowsNoPasswords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(kubeKeyFlow("user: root, password: "+planted)), 0o600); err != nil {
		t.Fatal(err)
	}
	shown, _ := Import([]string{path}, "", testOptions())
	written, _ := Import([]string{path}, path, testOptions())
	if strings.Contains(string(shown.Text), planted) || shown.Asked != 1 || !strings.Contains(string(written.Text), "password: "+planted) || written.Asked != 0 {
		t.Errorf("shown, %d asked for:\n%s\nwritten, %d asked for:\n%s", shown.Asked, shown.Text, written.Asked, written.Text)
	}
	if again, list := Parse(path, shown.Text, testOptions()); again == nil || !again.Hosts[0].SSH.Password.Prompt {
		t.Errorf("what is shown does not ask for the password: %v", list)
	}
}

// TestImportOfWhatCannotBe checks that a file with wrong values is written, to
// be mended, and that one without form is not.
func TestImportOfWhatCannotBe(t *testing.T) {
	text, list := Import([]string{"testdata/etcd-eight.bad.yaml"}, "", testOptions())
	if text == nil || !list.HasErrors() {
		t.Errorf("wrong values: %v, %v", text, list)
	}
	for _, path := range []string{"testdata/syntax-tab.bad.yaml", "testdata/no-such-file.yaml"} {
		if text, list := Import([]string{path}, path, testOptions()); text != nil || !list.HasErrors() {
			t.Errorf("%s: %v, %v", path, text, list)
		}
	}
}
