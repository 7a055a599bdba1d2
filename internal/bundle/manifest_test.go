package bundle

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestManifestRoundTrip(t *testing.T) {
	want := mustOpen(t, smallBundle(t)).Manifest()
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("manifest changed on its way through JSON (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(data), `"mode":"0755"`) {
		t.Error("modes are not written in octal")
	}
}

// TestHostileManifest changes one thing in a good manifest and expects it to be
// refused with a reason.
func TestHostileManifest(t *testing.T) {
	good := mustOpen(t, smallBundle(t)).Manifest()
	for name, c := range map[string]struct {
		change func(m *Manifest)
		want   string
	}{
		"future format":     {func(m *Manifest) { m.FormatVersion = 2 }, "format version 2"},
		"no version":        {func(m *Manifest) { m.Kubernetes = "" }, "missing or unknown"},
		"other system":      {func(m *Manifest) { m.OS = "windows" }, "missing or unknown"},
		"path traversal":    {func(m *Manifest) { m.Files[0].Path = "bin/../../../etc/cron.d/x" }, "clean path inside"},
		"parent":            {func(m *Manifest) { m.Files[0].Path = ".." }, "clean path inside"},
		"absolute path":     {func(m *Manifest) { m.Files[0].Path = "/etc/passwd" }, "clean path inside"},
		"empty path":        {func(m *Manifest) { m.Files[0].Path = "" }, "clean path inside"},
		"dot path":          {func(m *Manifest) { m.Files[0].Path = "." }, "clean path inside"},
		"backslash":         {func(m *Manifest) { m.Files[0].Path = `bin\kubelet` }, "clean path inside"},
		"escape sequence":   {func(m *Manifest) { m.Files[0].Path = "bin/\x1b[2J" }, "control character"},
		"newline":           {func(m *Manifest) { m.Files[0].Path = "bin/a\nb" }, "control character"},
		"same path twice":   {func(m *Manifest) { m.Files[1].Path = m.Files[0].Path }, "listed twice"},
		"relative install":  {func(m *Manifest) { m.Files[0].InstallPath = "usr/bin/x" }, "install path"},
		"unclean install":   {func(m *Manifest) { m.Files[0].InstallPath = "/usr/../etc/shadow" }, "install path"},
		"cron's folder":     {func(m *Manifest) { m.Files[0].InstallPath = "/etc/cron.d/x" }, "is not kubelet's, /usr/local/bin/kubelet"},
		"another's path":    {func(m *Manifest) { m.Files[0].Name = "kubectl" }, "is not kubectl's"},
		"writable by all":   {func(m *Manifest) { m.Files[0].Mode = 0o777 }, "mode 0777 is not kubelet's, 0755"},
		"no mode":           {func(m *Manifest) { m.Files[0].Mode = 0 }, "mode 0000"},
		"no program":        {func(m *Manifest) { m.Files[0].Name = "../kubelet" }, "no program that Kubernetes hosts get"},
		"unknown kind":      {func(m *Manifest) { m.Files[0].Kind = "script" }, "unknown kind"},
		"installed package": {func(m *Manifest) { packageOf(m).InstallPath = "/etc/passwd" }, "have none"},
		"own root left": {func(m *Manifest) {
			m.Files[0].Kind, m.Files[0].Name, m.Files[0].InstallPath = KindSelfContained, "haproxy", "/usr/local/lib/quorate/haproxy/../../../bin/sh"
		}, "not clean or not below"},
		"own root's neighbour": {func(m *Manifest) {
			m.Files[0].Kind, m.Files[0].Name, m.Files[0].InstallPath = KindSelfContained, "haproxy", "/usr/local/lib/quorate/other"
		}, "not clean or not below"},
		"own root writable": {func(m *Manifest) {
			m.Files[0].Kind, m.Files[0].Name, m.Files[0].InstallPath, m.Files[0].Mode = KindSelfContained, "haproxy", SelfContainedRoot+"haproxy/bin/sh", 0o666
		}, "neither 0755 nor 0644"},
		"later Kubernetes":   {func(m *Manifest) { m.Kubernetes = "v9.0.0" }, "does not install"},
		"negative size":      {func(m *Manifest) { m.Files[0].Size = -1 }, "size -1"},
		"huge size":          {func(m *Manifest) { m.Files[0].StoredSize = 1 << 60 }, "size 1152921504606846976"},
		"short digest":       {func(m *Manifest) { m.Files[0].SHA256 = "abc" }, "not a sha256"},
		"upper-case digest":  {func(m *Manifest) { m.Files[0].SHA256 = strings.ToUpper(m.Files[0].SHA256) }, "not a sha256"},
		"unknown packing":    {func(m *Manifest) { m.Files[0].Compression = "lzma" }, "unknown compression"},
		"two contents":       {func(m *Manifest) { m.Files[0].Compression = "" }, "digests differ"},
		"image without blob": {func(m *Manifest) { m.Images[0].Blobs[1] = "sha256:" + strings.Repeat("0", 64) }, "not among the files"},
		"image digest path":  {func(m *Manifest) { m.Images[0].Blobs[1] = "sha256:../../etc/passwd" }, "not a sha256 digest"},
		"other manifest":     {func(m *Manifest) { m.Images[0].Digest = m.Images[1].Digest }, "do not begin with"},
		"nameless image":     {func(m *Manifest) { m.Images[0].Name = "" }, "no name"},
	} {
		t.Run(name, func(t *testing.T) {
			m := clone(t, good)
			c.change(&m)
			data, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parseManifest(data); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// packageOf is the first operating system package of a manifest.
func packageOf(m *Manifest) *File {
	return &m.Files[slices.IndexFunc(m.Files, func(f File) bool { return f.Kind == KindOSPackage })]
}

func TestHostileMode(t *testing.T) {
	for _, mode := range []string{`"4755"`, `"abc"`, `"99"`, `"0755; rm -rf /"`, `"0755 "`, `"0o755"`, `""`, `"-1"`} {
		var m Mode
		if err := json.Unmarshal([]byte(mode), &m); err == nil {
			t.Errorf("mode %s was accepted as %v", mode, m)
		}
	}
}

// FuzzParseManifest looks for a manifest that makes the parser fail in another
// way than with an error, or accept a path outside the bundle.
func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"formatVersion":1,"kubernetes":"v1","os":"linux","arch":"amd64","files":[{"path":"bin/x","mode":"0755"}]}`))
	f.Add([]byte(`{"formatVersion":1,"images":[{"blobs":[]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			return
		}
		for _, file := range m.Files {
			if strings.HasPrefix(file.Path, "/") || strings.Contains(file.Path, "..") && checkPath(file.Path) != nil {
				t.Errorf("path %q was accepted", file.Path)
			}
		}
	})
}

// clone copies a manifest deeply.
func clone(t *testing.T, m Manifest) Manifest {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var c Manifest
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return c
}
