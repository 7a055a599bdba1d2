package bundle

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// SelfContainedRoot is the folder of hosts where a program's own root file
// system is: a unit names it with RootDirectory=.
const SelfContainedRoot = "/usr/local/lib/quorate/"

// selfContainedKey is a digest of what decides a self-contained program.
func selfContainedKey(system distribution, arch string) string {
	return keyOf(recipeVersion, system, arch, selfContainedPrograms(), selfContainedTexts())
}

// selfContainedPrograms are what HAProxy's root file system is for: HAProxy, and
// a shell, by which its unit sends it signals.
func selfContainedPrograms() map[string]string {
	return map[string]string{"usr/sbin/haproxy": "usr/sbin/haproxy", "usr/bin/dash": "bin/sh"}
}

// selfContainedTexts are the small files that HAProxy looks for: the user that
// it becomes, which is nobody, and the folder that it locks itself into.
func selfContainedTexts() map[string]string {
	return map[string]string{
		"etc/passwd":             "root:x:0:0:root:/root:/bin/sh\nhaproxy:x:65534:65534::/nonexistent:/bin/sh\n",
		"etc/group":              "root:x:0:\nhaproxy:x:65534:\n",
		"var/lib/haproxy/README": "HAProxy locks itself into this folder.\n",
	}
}

// buildSelfContained makes HAProxy with every library that it needs, for hosts
// whose distribution's HAProxy cannot be had.
func buildSelfContained(ctx context.Context, a apt, work, out string) ([]File, error) {
	packages, err := a.closure(ctx, "haproxy", "dash")
	if err != nil {
		return nil, err
	}
	entries, err := unpackPackages(ctx, a, work, packages)
	if err != nil {
		return nil, err
	}
	version := ""
	for _, p := range packages {
		if p.Name == "haproxy" {
			version = p.Version
		}
	}
	content, err := closureOf(entries, selfContainedPrograms())
	if err != nil {
		return nil, fmt.Errorf("HAProxy with its libraries: %w", err)
	}
	for name, text := range selfContainedTexts() {
		content[name] = selfContainedFile{[]byte(text), 0o644}
	}
	var files []File
	for name, f := range content {
		stored := strings.ReplaceAll(name, "/", "_") + ".zst"
		file, err := writeCompressed(filepath.Join(out, stored), func(w io.Writer) error {
			_, err := w.Write(f.content)
			return err
		})
		if err != nil {
			return nil, err
		}
		file.Path, file.Kind, file.Name, file.Version = stored, KindSelfContained, "haproxy", version
		file.InstallPath, file.Mode = SelfContainedRoot+"haproxy/"+name, Mode(f.mode)
		files = append(files, file)
	}
	slices.SortFunc(files, func(x, y File) int { return strings.Compare(x.Path, y.Path) })
	return files, nil
}

// selfContainedFile is one file of a program's root file system.
type selfContainedFile struct {
	content []byte
	mode    os.FileMode
}

// closureOf finds, among unpacked packages, programs and every library and the
// loader that they need, and names each as it is looked for.
func closureOf(entries []layerEntry, programs map[string]string) (map[string]selfContainedFile, error) {
	at := map[string]layerEntry{}
	libraries := map[string]string{} // paths by their base names
	for _, e := range entries {
		at[e.Path] = e
		if strings.HasPrefix(e.Path, "usr/lib") && strings.Contains(path.Base(e.Path), ".so") {
			libraries[path.Base(e.Path)] = e.Path
		}
	}
	out := map[string]selfContainedFile{}
	var add func(from, to string) error
	need := func(soname string) error {
		from, ok := libraries[soname]
		if !ok {
			return fmt.Errorf("no package has the library %s", soname)
		}
		return add(from, strings.TrimPrefix(from, "usr/"))
	}
	add = func(from, to string) error {
		if _, done := out[to]; done {
			return nil
		}
		content, err := readEntry(at, from)
		if err != nil {
			return err
		}
		out[to] = selfContainedFile{content, 0o755}
		file, err := elf.NewFile(bytes.NewReader(content))
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		sonames, err := file.ImportedLibraries()
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		for _, soname := range sonames {
			if err := need(soname); err != nil {
				return err
			}
		}
		for _, p := range file.Progs {
			if p.Type != elf.PT_INTERP {
				continue
			}
			text, err := io.ReadAll(p.Open())
			if err != nil {
				return err
			}
			loader := strings.Trim(string(text), "/\x00")
			if err := add(mergedPath(loader), loader); err != nil {
				return err
			}
		}
		return nil
	}
	for from, to := range programs {
		if err := add(from, to); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// maxLinks is how many links a path may lead over.
const maxLinks = 8

// readEntry reads a file of unpacked packages, over links.
func readEntry(at map[string]layerEntry, name string) ([]byte, error) {
	for range maxLinks {
		e, ok := at[name]
		if !ok {
			return nil, fmt.Errorf("no package has %s", name)
		}
		if e.Link == "" {
			in, err := e.Open()
			if err != nil {
				return nil, err
			}
			defer in.Close()
			return io.ReadAll(in)
		}
		if name = strings.TrimPrefix(e.Link, "/"); !path.IsAbs(e.Link) {
			name = path.Join(path.Dir(e.Path), e.Link)
		}
		name = mergedPath(name)
	}
	return nil, fmt.Errorf("%s is a link over more than %d others", name, maxLinks)
}
