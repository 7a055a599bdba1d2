package config

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/config/strict"
)

// TestKubeSphereKept checks that the document that configures KubeSphere stays
// as it stands, also through an import of what an import wrote.
func TestKubeSphereKept(t *testing.T) {
	const path = "testdata/kubesphere.good.yaml"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(data), "---\n")
	want := &KubeSphere{Kind: "ClusterConfiguration", Version: "v3.4.1", Text: text}
	for range 2 {
		file, list := Read([]string{path}, testOptions())
		if file == nil {
			t.Fatal(list)
		}
		if diff := cmp.Diff(want, file.KubeSphere); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
	}
	written, list := Import([]string{path}, path, testOptions())
	if !strings.HasSuffix(string(written.Text), "---\n"+text) {
		t.Errorf("the import does not end with it:\n%s\n%v", written.Text, list)
	}
}

// TestKubeSphereText checks where in a file the document begins and ends.
func TestKubeSphereText(t *testing.T) {
	const configuration = "kind: ClusterConfiguration\nmetadata: {labels: {version: v3}}\n"
	for name, file := range map[string]struct{ before, text, after string }{
		"alone":            {"", configuration, ""},
		"first":            {"---\n", configuration, "---\nkind: Cluster\n"},
		"between":          {"a: b\n--- # a comment\n", configuration, "--- {a: b}\n"},
		"ended by dots":    {"a: b\n---\n", configuration, "...\n---\na: b\n"},
		"on the line":      {"a: b\n--- ", "{kind: ClusterConfiguration, metadata: {labels: {version: v3}}}\n", "---\na: b\n"},
		"dashes in a text": {"---\n", configuration + "text: |\n  ---\n  more\n", "---\n"},
		"Windows":          {"a: b\r\n---\r\n", strings.ReplaceAll(configuration, "\n", "\r\n"), "---\r\na: b\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := parsed(t, file.before+file.text+file.after)
			got := takeKubeSphere(r, f)
			if got == nil {
				t.Fatal("not recognised")
			}
			if text := strings.TrimPrefix(got.Text, "# a comment\n"); text != file.text || got.Version != "v3" {
				t.Errorf("version %q, text %q, want %q", got.Version, got.Text, file.text)
			}
		})
	}
}

// parsed is a file's content as the recognition gets it.
func parsed(t *testing.T, text string) ([]*strict.File, *strict.Report) {
	t.Helper()
	f := strict.NewFile("/files/f.yaml", []byte(text))
	r := strict.NewReport(f.Source)
	if !parse(r, f) {
		t.Fatal(r.Finish())
	}
	return []*strict.File{f}, r
}
