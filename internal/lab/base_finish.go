package lab

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// finish turns the bare tree into a lab host: the recipe's files, users,
// masked units, and nothing of this machine's identity.
func (b base) finish(ctx context.Context, dir string) error {
	for _, path := range []string{"etc/hostname", "etc/resolv.conf", "etc/machine-id", "etc/apt/sources.list", "etc/apt/auth.conf",
		"var/lib/dbus/machine-id", "var/lib/apt/lists", "etc/apt/sources.list.d", "etc/apt/auth.conf.d"} {
		if err := os.RemoveAll(filepath.Join(dir, path)); err != nil {
			return err
		}
	}
	keys, err := filepath.Glob(filepath.Join(dir, "etc/ssh/ssh_host_*"))
	if err != nil {
		return err
	}
	for _, key := range keys { // each host has its own
		if err := os.Remove(key); err != nil {
			return err
		}
	}
	if err := layFiles(dir); err != nil {
		return err
	}
	if err := maskUnits(dir); err != nil {
		return err
	}
	for _, user := range [][]string{
		{"useradd", "--create-home", "--shell", "/bin/bash", "--password", "*", "admin"},
		{"useradd", "--create-home", "--shell", "/bin/bash", "--password", "*", "--gid", "operator", "--groups", "sudo", "operator"}, // Debian has a group of that name,
	} {
		if err := runIn(ctx, dir, nil, user...); err != nil {
			return err
		}
	}
	if b.modules {
		return nil
	}
	return b.listBuiltinModules(ctx, dir)
}

// layFiles copies the recipe's files over the tree.
func layFiles(dir string) error {
	files, err := fs.Sub(recipe, "base/rootfs")
	if err != nil {
		return err
	}
	return fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, path)
		if entry.IsDir() {
			if err := os.MkdirAll(target, 0o755); err != nil {
				return err
			}
			return os.Chmod(target, 0o755) // whatever the caller's umask
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(path, "etc/sudoers.d/") {
			mode = 0o440
		}
		return errors.Join(os.WriteFile(target, content, mode), os.Chmod(target, mode))
	})
}

func maskUnits(dir string) error {
	units, err := recipeList("masked-units")
	if err != nil {
		return err
	}
	for _, unit := range units {
		link := filepath.Join(dir, "etc/systemd/system", unit)
		if err := os.RemoveAll(link); err != nil {
			return err
		}
		if err := os.Symlink("/dev/null", link); err != nil {
			return err
		}
	}
	return nil
}

// listBuiltinModules makes modprobe succeed for what is built into a kernel
// that comes without module files, as it does for modules on a usual server.
func (b base) listBuiltinModules(ctx context.Context, dir string) error {
	entries, err := recipeList("modules")
	if err != nil {
		return err
	}
	var builtin strings.Builder
	config := kernelConfig(b.kernel)
	for _, entry := range entries {
		path, option, _ := strings.Cut(entry, " ")
		if strings.Contains(config, "\n"+option+"=y\n") {
			fmt.Fprintf(&builtin, "kernel/%s.ko\n", path)
		}
	}
	folder := filepath.Join(dir, "lib/modules", b.kernel)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"modules.order": "", "modules.builtin.modinfo": "", "modules.builtin": builtin.String(),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return runIn(ctx, dir, nil, "depmod", b.kernel)
}

// kernelConfig returns the running kernel's build options, "" if it does not tell.
func kernelConfig(release string) string {
	if file, err := os.Open("/proc/config.gz"); err == nil {
		defer file.Close()
		if unzipped, err := gzip.NewReader(file); err == nil {
			if config, err := io.ReadAll(unzipped); err == nil {
				return string(config)
			}
		}
	}
	config, err := os.ReadFile("/boot/config-" + release)
	if err != nil {
		return ""
	}
	return string(config)
}
