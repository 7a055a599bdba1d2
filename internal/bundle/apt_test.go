package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePrintURI(t *testing.T) {
	for line, want := range map[string]debianPackage{
		"'http://archive.example/pool/main/s/socat/socat_1.7.4.4-2_amd64.deb' socat_1.7.4.4-2_amd64.deb 375024 SHA256:00\n": {
			Name: "socat", Version: "1.7.4.4-2", File: "socat_1.7.4.4-2_amd64.deb"},
		"'http://archive.example/e.deb' ethtool_1%3a6.1-1_amd64.deb 197316 ": {
			Name: "ethtool", Version: "1:6.1-1", File: "ethtool_1%3a6.1-1_amd64.deb"},
	} {
		got, err := parsePrintURI(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
	for _, line := range []string{
		"", "'uri' socat 1 x", "'uri' socat_1_amd64.rpm 1 x", "'uri' ../../etc/passwd_1_amd64.deb 1 x", "'uri' a_b_c_d.deb 1 x",
	} {
		if p, err := parsePrintURI(line); err == nil {
			t.Errorf("%q was accepted as %+v", line, p)
		}
	}
}

func TestParseOSRelease(t *testing.T) {
	for text, want := range map[string]string{
		"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n": "debian-12",
		"ID=ubuntu\nVERSION_ID='24.04'\n":                                                "ubuntu-24.04",
		"ID=\"arch\"\n":                                                                  "arch-",
	} {
		d, err := parseOSRelease(text)
		if err != nil || d.key() != want {
			t.Errorf("%q gives %q, %v; want %q", text, d.key(), err, want)
		}
	}
	for _, text := range []string{"", "VERSION_ID=12\n", "ID=../../etc\nVERSION_ID=12\n", "ID=a/b\n"} {
		if d, err := parseOSRelease(text); err == nil {
			t.Errorf("%q was accepted as %q", text, d.key())
		}
	}
}

func TestUserlandPaths(t *testing.T) {
	for in, want := range map[string]string{
		"sbin/modprobe": "usr/sbin/modprobe", "lib/x86_64-linux-gnu/libc.so.6": "usr/lib/x86_64-linux-gnu/libc.so.6",
		"lib64/ld-linux-x86-64.so.2": "usr/lib64/ld-linux-x86-64.so.2", "usr/sbin/nft": "usr/sbin/nft",
		"etc/ethertypes": "etc/ethertypes", "library": "library",
	} {
		if got := mergedPath(in); got != want {
			t.Errorf("mergedPath(%q) = %q, want %q", in, got, want)
		}
	}
	for name, want := range map[string]bool{
		"usr/share/man/man8/nft.8.gz": true, "usr/share/doc/kmod/changelog.gz": true, "usr/share/doc/kmod/copyright": false,
		"usr/lib/x86_64-linux-gnu/gconv/UTF-16.so": true, "usr/lib/x86_64-linux-gnu/xtables/libxt_nat.so": false,
		"usr/sbin/xtables-nft-multi": false, "usr/share/manual": false,
	} {
		if got := skipInUserland(name); got != want {
			t.Errorf("skipInUserland(%q) = %v", name, got)
		}
	}
}

// TestUserlandEntries reads a package's tar of the layout that Debian's have.
func TestUserlandEntries(t *testing.T) {
	content := layerOf(t,
		textEntry("sbin/tool", "program"), linkEntry("usr/lib/libx.so.1", "libx.so.1.2"),
		textEntry("usr/share/man/man8/tool.8", "page"), textEntry("usr/share/doc/tool/copyright", "GPL"))
	entries, err := userlandEntries(strings.NewReader(string(content)))
	must(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Path+" "+e.Mode.String()+" "+e.Link)
	}
	want := []string{
		"usr/sbin/tool -rw-r--r-- ", "usr/lib/libx.so.1 Lrwxrwxrwx libx.so.1.2", "usr/share/doc/tool/copyright -rw-r--r-- ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// An archive without a signature is refused also where the machine's own settings allow
// it: they are overridden in every call.
func TestUnsignedArchivesAreRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "apt-get"), []byte("#!/bin/sh\nprintf '%s\\n' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	out, err := apt{dir: dir, arch: "amd64"}.run(t.Context(), dir, "update")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"APT::Get::AllowUnauthenticated=false", "Acquire::AllowInsecureRepositories=false"} {
		if !strings.Contains(string(out), "-o\n"+want+"\n") {
			t.Errorf("apt-get is called without %s:\n%s", want, out)
		}
	}
}
