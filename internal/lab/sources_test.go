package lab

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDebLines(t *testing.T) {
	output, err := os.ReadFile("testdata/indextargets")
	if err != nil {
		t.Fatal(err)
	}
	keyring := func(file string) string {
		if filepath.Base(file) == "debian.sources" {
			return "/usr/share/keyrings/debian.gpg"
		}
		return ""
	}
	targets := parseIndexTargets(string(output))
	got, err := debLines(targets, "bookworm", keyring)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"deb [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian/ bookworm main",
		"deb [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian-security/ bookworm-security main",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got, err = debLines(targets, "bullseye", keyring)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"deb http://mirror.example/debian/ bullseye main"}, got); diff != "" {
		t.Error(diff)
	}
	if got, err := debLines(targets, "trixie", keyring); err == nil {
		t.Errorf("a release that no source offers gave %q", got)
	}
}

func TestSourceKeyring(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"deb822":         {"Types: deb\nURIs: http://m\nSigned-By: /k/a.gpg\n", "/k/a.gpg"},
		"deb822 twice":   {"Signed-By: /k/a.gpg\n\nsigned-by:  /k/a.gpg\n", "/k/a.gpg"},
		"two keys":       {"Signed-By: /k/a.gpg\n\nSigned-By: /k/b.gpg\n", ""},
		"key in place":   {"Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n", ""},
		"one line":       {"# c\ndeb [arch=amd64 signed-by=/k/a.gpg] http://m bookworm main\n", "/k/a.gpg"},
		"one line first": {"deb [signed-by=/k/a.gpg arch=amd64] http://m bookworm main\n", "/k/a.gpg"},
		"no key":         {"deb http://m bookworm main\n", ""},
		"comment":        {"# deb [signed-by=/k/a.gpg] http://m bookworm main\n", ""},
		"cut short":      {"deb [signed-by=", ""},
	} {
		path := filepath.Join(t.TempDir(), "x.sources")
		if err := os.WriteFile(path, []byte(test.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := sourceKeyring(path); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
