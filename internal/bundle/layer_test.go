package bundle

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// layerOf is the tar of some entries.
func layerOf(t *testing.T, entries ...layerEntry) []byte {
	t.Helper()
	var out bytes.Buffer
	must(t, writeLayer(&out, entries))
	return out.Bytes()
}

// TestLayerDeterministic packs the same entries in two orders and compares with
// the digest that this version of the format has always had: a new Go release
// must not change it silently.
func TestLayerDeterministic(t *testing.T) {
	entries := []layerEntry{
		textEntry("etc/passwd", "root\n"),
		{Path: "tmp", Mode: 0o777 | fs.ModeSticky | fs.ModeDir},
		linkEntry("usr/sbin/iptables", "xtables-nft-multi"),
		textEntry("usr/share/"+strings.Repeat("long/", 30)+"name", "x"),
	}
	a := layerOf(t, entries...)
	b := layerOf(t, entries[3], entries[1], entries[0], entries[2])
	if !bytes.Equal(a, b) {
		t.Error("the order of the entries changes the layer")
	}
	const want = "6696b55940b273013f2c05a5d0cba654cdafe7ffd87c7fe589ed66aaa19eba6b"
	if got := hexSHA256(a); got != want {
		t.Errorf("layer has digest %s, want %s: raise recipeVersion if the change is meant", got, want)
	}
}

func TestLayerContent(t *testing.T) {
	in := tar.NewReader(bytes.NewReader(layerOf(t,
		textEntry("b/c/file", "content"), linkEntry("a", "b/c/file"),
		layerEntry{Path: "tmp", Mode: 0o777 | fs.ModeSticky | fs.ModeDir},
		layerEntry{Path: "b", Mode: 0o700 | fs.ModeDir},
	)))
	var got []string
	for {
		h, err := in.Next()
		if err != nil {
			break
		}
		if h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 0 {
			t.Errorf("%s: owner %d:%d, time %v", h.Name, h.Uid, h.Gid, h.ModTime)
		}
		got = append(got, h.Name+" "+string(h.Typeflag)+" "+fs.FileMode(h.Mode).String())
	}
	want := []string{
		"a 2 -rwxrwxrwx", "b/ 5 -rwx------", "b/c/ 5 -rwxr-xr-x", "b/c/file 0 -rw-r--r--",
		"tmp/ 5 " + fs.FileMode(0o1777).String(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestLayerRefusesDuplicates(t *testing.T) {
	var out bytes.Buffer
	err := writeLayer(&out, []layerEntry{textEntry("a", "1"), textEntry("a", "2")})
	if err == nil || !strings.Contains(err.Error(), "a twice") {
		t.Errorf("error %v", err)
	}
}

// TestLayerSizeLies makes sure that a file which does not have its announced
// size cannot make a broken layer.
func TestLayerSizeLies(t *testing.T) {
	for _, change := range []int64{-1, 1} {
		entry := textEntry("a", "content")
		entry.Size += change
		if err := writeLayer(&bytes.Buffer{}, []layerEntry{entry}); err == nil {
			t.Errorf("a size that is wrong by %d was accepted", change)
		}
	}
}
