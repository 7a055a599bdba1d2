package e2e

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
)

// helpFlag is a flag in what a program's --help prints.
var helpFlag = regexp.MustCompile(`(?m)^\s+(?:-\w, )?--([a-z0-9][a-z0-9_-]*)`)

// TestFlagsAreThoseOfTheBundle compares the flags that cluster files may give with
// those that the bundle's own programs take: all that --help prints, and nothing that a
// program would not start with. What --help keeps to itself, such as flags that are
// going, is tried.
func TestFlagsAreThoseOfTheBundle(t *testing.T) {
	if os.Getenv("QUORATE_E2E") == "" {
		t.Skip("needs a bundle: run `make e2e`, which sees to it")
	}
	release, err := catalog.Lookup(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	dir, err := bundle.DefaultDir(release.Kubernetes, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name, image := range map[string]string{
		"kube-apiserver": release.APIServerImage(), "kube-controller-manager": release.ControllerManagerImage(),
		"kube-scheduler": release.SchedulerImage(), "kubelet": "",
	} {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), name)
			if err = extract(b, name, program); image != "" {
				err = extractFromImage(b, image, name, program)
			}
			if err != nil {
				t.Fatal(err)
			}
			help, err := exec.Command(program, "--help").CombinedOutput()
			if err != nil {
				t.Fatalf("%s --help: %v\n%s", name, err, help)
			}
			known := catalog.Flags(release.Kubernetes, name)
			shown := map[string]bool{}
			for _, found := range helpFlag.FindAllStringSubmatch(string(help), -1) {
				shown[found[1]] = true
				if !slices.Contains(known, found[1]) {
					t.Errorf("%s takes --%s, and files that give it are refused", name, found[1])
				}
			}
			if len(shown) < 30 {
				t.Fatalf("%s --help prints %d flags:\n%s", name, len(shown), help)
			}
			hidden := 0
			for _, flag := range append(slices.Clone(known), "no-such-flag") {
				if shown[flag] {
					continue
				}
				hidden++
				// With --help behind it the program only reads its flags.
				out, _ := exec.Command(program, "--"+flag+"=1", "--help").CombinedOutput()
				isUnknown := strings.Contains(string(out), "unknown flag: --"+flag)
				if isUnknown != (flag == "no-such-flag") {
					t.Errorf("%s --%s: unknown to it %t:\n%.300s", name, flag, isUnknown, out)
				}
			}
			t.Logf("%d flags, %d of them shown, %d tried", len(known), len(shown), hidden-1)
		})
	}
}

// extractFromImage puts a program of an image at path.
func extractFromImage(b *bundle.Bundle, image, name, path string) error {
	r, w := io.Pipe()
	defer r.Close()
	go func() { w.CloseWithError(b.WriteImageArchive(w, image)) }()
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if err != nil {
			return fmt.Errorf("looking for %s in the image %q: %w", name, image, err)
		}
		if !strings.HasPrefix(header.Name, "blobs/") {
			continue
		}
		if found, err := extractFromLayer(archive, name, path); found || err != nil {
			return err
		}
	}
}

// extractFromLayer puts a program at path if the blob is a layer that has it.
func extractFromLayer(blob io.Reader, name, path string) (bool, error) {
	z, err := zstd.NewReader(blob)
	if err != nil {
		return false, err
	}
	defer z.Close()
	for layer := tar.NewReader(z); ; {
		header, err := layer.Next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, zstd.ErrMagicMismatch): // the end, or a blob that is no layer
			return false, nil
		case err != nil:
			return false, err
		case filepath.Base(header.Name) != name || header.Typeflag != tar.TypeReg:
			continue
		}
		out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
		if err != nil {
			return false, err
		}
		if _, err := io.Copy(out, layer); err != nil {
			return false, err
		}
		return true, out.Close()
	}
}
