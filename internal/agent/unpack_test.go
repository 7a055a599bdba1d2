package agent

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/quorate/quorate/internal/agent/protocol"
)

// unpackInto sends an archive to an agent on root.
func unpackInto(t *testing.T, root string, archive []byte) (protocol.UnpackReply, *protocol.Error) {
	t.Helper()
	a := New(Options{Root: root})
	defer a.Close()
	recorder := httptest.NewRecorder()
	a.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/v1/"+protocol.OpUnpack, bytes.NewReader(archive)))
	var reply protocol.UnpackReply
	if recorder.Code == http.StatusOK {
		if err := json.Unmarshal(recorder.Body.Bytes(), &reply); err != nil {
			t.Fatal(err)
		}
		return reply, nil
	}
	failure := &protocol.Error{}
	if err := json.Unmarshal(recorder.Body.Bytes(), failure); err != nil {
		t.Fatalf("%v: %s", err, recorder.Body)
	}
	return reply, failure
}

type entry struct {
	header  tar.Header
	content string
	zstd    bool
	noSum   bool
	sumOf   string // the record is this text's digest instead of the content's
}

func archiveOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		sumOf := e.content
		if e.sumOf != "" {
			sumOf = e.sumOf
		}
		sum := sha256.Sum256([]byte(sumOf))
		records := map[string]string{}
		if !e.noSum {
			records[protocol.PAXSHA256] = hex.EncodeToString(sum[:])
		}
		content := []byte(e.content)
		if e.zstd {
			encoder, err := zstd.NewWriter(nil)
			if err != nil {
				t.Fatal(err)
			}
			content = encoder.EncodeAll(content, nil)
			records[protocol.PAXEncoding] = "zstd"
		}
		header := e.header
		if header.Typeflag == 0 {
			header.Typeflag = tar.TypeReg
			header.Size = int64(len(content))
		} else {
			content, records = nil, nil
		}
		if len(records) > 0 {
			header.PAXRecords = records
		}
		if header.Mode == 0 {
			header.Mode = 0o755
		}
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// files lists what is below a directory, by path, with its content.
func files(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, root)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestUnpack(t *testing.T) {
	root := t.TempDir()
	large := strings.Repeat("kubelet ", 200_000)
	archive := archiveOf(t,
		entry{header: tar.Header{Name: "/usr/local/bin/kubelet"}, content: large, zstd: true},
		entry{header: tar.Header{Name: "/usr/local/bin/empty"}, content: "", zstd: true},
		entry{header: tar.Header{Name: "/opt/cni/bin/bridge", Mode: 0o700}, content: "bridge"},
	)
	want := map[string]string{"/usr/local/bin/kubelet": large, "/usr/local/bin/empty": "", "/opt/cni/bin/bridge": "bridge"}
	for _, changed := range [][]string{{"/opt/cni/bin/bridge", "/usr/local/bin/empty", "/usr/local/bin/kubelet"}, nil} {
		reply, failure := unpackInto(t, root, archive)
		if failure != nil {
			t.Fatal(failure)
		}
		if diff := cmp.Diff(changed, reply.Changed); diff != "" {
			t.Errorf("changed (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, files(t, root)); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	}
	if info, err := os.Stat(root + "/opt/cni/bin/bridge"); err != nil || info.Mode() != 0o700 {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	good := entry{header: tar.Header{Name: "/good"}, content: "good"}
	whole := archiveOf(t, good, entry{header: tar.Header{Name: "/b"}, content: strings.Repeat("b", 4096)})
	tests := map[string]struct {
		archive []byte
		kind    protocol.Kind
	}{
		"relative path":   {archiveOf(t, good, entry{header: tar.Header{Name: "etc/passwd"}}), protocol.KindInvalid},
		"path above":      {archiveOf(t, good, entry{header: tar.Header{Name: "/etc/../../x"}}), protocol.KindInvalid},
		"path not clean":  {archiveOf(t, good, entry{header: tar.Header{Name: "//etc//x"}}), protocol.KindInvalid},
		"symbolic link":   {archiveOf(t, good, entry{header: tar.Header{Name: "/l", Typeflag: tar.TypeSymlink, Linkname: "/etc"}}), protocol.KindInvalid},
		"hard link":       {archiveOf(t, good, entry{header: tar.Header{Name: "/l", Typeflag: tar.TypeLink, Linkname: "/etc/shadow"}}), protocol.KindInvalid},
		"device":          {archiveOf(t, good, entry{header: tar.Header{Name: "/d", Typeflag: tar.TypeBlock}}), protocol.KindInvalid},
		"directory":       {archiveOf(t, good, entry{header: tar.Header{Name: "/d", Typeflag: tar.TypeDir}}), protocol.KindInvalid},
		"no digest":       {archiveOf(t, good, entry{header: tar.Header{Name: "/x"}, content: "x", noSum: true}), protocol.KindInvalid},
		"wrong digest":    {archiveOf(t, good, entry{header: tar.Header{Name: "/x"}, content: "x", sumOf: "y"}), protocol.KindDigest},
		"wrong in zstd":   {archiveOf(t, good, entry{header: tar.Header{Name: "/x"}, content: "x", sumOf: "y", zstd: true}), protocol.KindDigest},
		"twice the same":  {archiveOf(t, good, good), protocol.KindInvalid},
		"cut off":         {whole[:len(whole)-3000], protocol.KindInvalid},
		"not an archive":  {bytes.Repeat([]byte("garbage "), 200), protocol.KindInvalid},
		"not really zstd": {bytes.Replace(archiveOf(t, good, entry{header: tar.Header{Name: "/x"}, content: "content content", zstd: true}), []byte{0x28, 0xb5, 0x2f, 0xfd}, []byte{1, 2, 3, 4}, 1), protocol.KindInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			_, failure := unpackInto(t, root, test.archive)
			if failure == nil || failure.Kind != test.kind {
				t.Errorf("answered %+v, want kind %s", failure, test.kind)
			}
			if left := files(t, root); len(left) != 0 {
				t.Errorf("something was left behind: %v", left)
			}
		})
	}
}

// A program that runs cannot be written to, but it can be replaced.
func TestUnpackOverRunningProgram(t *testing.T) {
	root := t.TempDir()
	sleep, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	if _, failure := unpackInto(t, root, archiveOf(t, entry{header: tar.Header{Name: "/bin/sleep"}, content: string(sleep)})); failure != nil {
		t.Fatal(failure)
	}
	cmd := exec.Command(root+"/bin/sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if _, failure := unpackInto(t, root, archiveOf(t, entry{header: tar.Header{Name: "/bin/sleep"}, content: "new"})); failure != nil {
		t.Fatal(failure)
	}
	if got := files(t, root)["/bin/sleep"]; got != "new" {
		t.Errorf("content is %.20q", got)
	}
}
