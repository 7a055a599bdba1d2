package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// recipe holds what makes a base root file system: package and unit lists,
// and files that are laid over what the packages bring.
//
//go:embed all:base
var recipe embed.FS

// recipeVersion changes when the code below builds a different base from the same files.
const recipeVersion = "1"

// base is the root file system that all hosts of the machine's labs share,
// read-only below each host's own disk.
type base struct {
	cache    string // the folder of all bases
	codename string // of the distribution's release: the machine's own
	kernel   string
	modules  bool // the machine has the kernel's modules as files
}

func (s Store) base() (base, error) {
	b := base{cache: s.Cache}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return b, fmt.Errorf("reading the machine's release: %w", err)
	}
	for line := range strings.Lines(string(release)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			b.codename = strings.Trim(value, `"'`)
		}
	}
	if b.codename == "" {
		return b, errors.New("/etc/os-release has no VERSION_CODENAME: the lab's hosts are built from the machine's own Debian or Ubuntu release")
	}
	var uname unix.Utsname
	if err := unix.Uname(&uname); err != nil {
		return b, fmt.Errorf("asking for the kernel's release: %w", err)
	}
	b.kernel = unix.ByteSliceToString(uname.Release[:])
	_, err = os.Stat(filepath.Join("/lib/modules", b.kernel, "kernel"))
	b.modules = err == nil
	return b, nil
}

// path is where the base is, whether or not it was built yet. Its name is the
// digest of all it is made from.
func (b base) path() (string, error) {
	digest := sha256.New()
	fmt.Fprintln(digest, recipeVersion, b.codename, runtime.GOARCH)
	if !b.modules {
		fmt.Fprintln(digest, b.kernel)
	}
	err := fs.WalkDir(recipe, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := recipe.ReadFile(path)
		fmt.Fprintln(digest, path, len(content))
		digest.Write(content)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the base's recipe: %w", err)
	}
	return filepath.Join(b.cache, "base-"+hex.EncodeToString(digest.Sum(nil))[:16]), nil
}

// ensure builds the base unless it is there, and returns its folder.
func (b base) ensure(ctx context.Context, progress func(string)) (string, error) {
	path, err := b.path()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	lock, err := acquire(ctx, filepath.Join(b.cache, ".lock"))
	if err != nil {
		return "", err
	}
	defer lock.release()
	if _, err := os.Stat(path); err == nil {
		return path, nil // somebody else built it while we waited
	}
	partial := path + ".partial"
	if err := os.RemoveAll(partial); err != nil { // left by an interrupted build
		return "", fmt.Errorf("removing an unfinished base: %w", err)
	}
	if err := b.installBootstrapper(ctx, progress); err != nil {
		return "", err
	}
	progress("building the hosts' root file system from Debian packages (once; about a minute)")
	if err := b.bootstrap(ctx, partial, progress); err != nil {
		return "", errors.Join(err, os.RemoveAll(partial))
	}
	if err := b.finish(ctx, partial); err != nil {
		return "", errors.Join(fmt.Errorf("finishing the hosts' root file system: %w", err), os.RemoveAll(partial))
	}
	if err := os.Rename(partial, path); err != nil {
		return "", fmt.Errorf("keeping the hosts' root file system: %w", err)
	}
	return path, nil
}

// installBootstrapper gets mmdebstrap from the machine's packages if it is missing.
func (b base) installBootstrapper(ctx context.Context, progress func(string)) error {
	if _, err := exec.LookPath("mmdebstrap"); err == nil {
		return nil
	}
	progress("installing the Debian package mmdebstrap (apt-get install mmdebstrap)")
	err := aptGet(ctx, "install", "--yes", "--no-install-recommends", "mmdebstrap")
	if err != nil && ctx.Err() == nil { // most often the package lists are missing or old
		progress("refreshing the package lists (apt-get update), then once more")
		if err = aptGet(ctx, "update"); err == nil {
			err = aptGet(ctx, "install", "--yes", "--no-install-recommends", "mmdebstrap")
		}
	}
	if err != nil {
		return fmt.Errorf("installing mmdebstrap: %w", err)
	}
	return nil
}

func aptGet(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) } // dpkg must not be cut short
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, lastLines(output, 5))
	}
	return nil
}

// bootstrap unpacks the packages of the machine's own release into dir.
func (b base) bootstrap(ctx context.Context, dir string, progress func(string)) error {
	// Without release information, sources count whose lists were not fetched yet.
	targets, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--no-release-info", "Created-By: Packages").Output()
	if err != nil {
		return fmt.Errorf("asking apt for the machine's package sources: %w", err)
	}
	sources, err := debLines(parseIndexTargets(string(targets)), b.codename, sourceKeyring)
	if err != nil {
		return err
	}
	packages, err := recipeList("packages")
	if err != nil {
		return err
	}
	args := []string{
		"--variant=minbase", "--include=" + strings.Join(packages, ","),
		`--aptopt=APT::Install-Recommends "false"`,
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		b.codename, dir,
	}
	cmd := exec.CommandContext(ctx, "mmdebstrap", append(args, sources...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) } // it unmounts what it mounted
	cmd.WaitDelay = 10 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting mmdebstrap: %w", err)
	}
	stop := heartbeat(progress, "still building the root file system")
	defer stop()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("building the root file system with mmdebstrap: %w\n%s", err, lastLines(output.Bytes(), 15))
	}
	return nil
}

// recipeList reads one of the recipe's lists, without comments.
func recipeList(name string) ([]string, error) {
	content, err := recipe.ReadFile("base/" + name)
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list, nil
}

// runIn runs a command of the root file system in it.
func runIn(ctx context.Context, root string, stdin io.Reader, argv ...string) error {
	_, err := outputIn(ctx, root, stdin, argv...)
	return err
}

func outputIn(ctx context.Context, root string, stdin io.Reader, argv ...string) ([]byte, error) {
	// env finds the command in the new root's PATH, not in ours.
	cmd := exec.CommandContext(ctx, "/usr/bin/env", argv...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	cmd.Dir = "/"
	cmd.Stdin = stdin
	cmd.SysProcAttr = &unix.SysProcAttr{Chroot: root}
	var errOutput bytes.Buffer
	cmd.Stderr = &errOutput
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s in %s: %w\n%s", argv[0], root, err, lastLines(errOutput.Bytes(), 5))
	}
	return output, nil
}

// heartbeat repeats the message with the time passed every ten seconds until stopped.
func heartbeat(progress func(string), message string) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		start := time.Now()
		tick := time.NewTicker(10 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				progress(fmt.Sprintf("%s (%s)", message, time.Since(start).Round(time.Second)))
			}
		}
	}()
	return func() { close(done); <-ended }
}

// lastLines keeps the end of a command's output for an error message.
func lastLines(output []byte, count int) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
