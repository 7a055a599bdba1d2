package bundle

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// buildPackages are the Debian packages that compiling the parts with C code
// needs.
func buildPackages() []string { return []string{"gcc", "libc6-dev", "libseccomp-dev", "pkg-config"} }

// ensureBuildPackages makes sure that the C compiler and the libraries are
// there. As root it installs what is missing, after saying so; otherwise the
// error names the command to run.
func ensureBuildPackages(ctx context.Context, say func(string)) error {
	missing, err := missingPackages(ctx, buildPackages())
	if err != nil || len(missing) == 0 {
		return err
	}
	names := strings.Join(missing, " ")
	if os.Geteuid() != 0 {
		return fmt.Errorf("compiling runc, flannel and pause needs Debian packages that are not installed; "+
			"run `sudo apt-get install %s` and the command again", names)
	}
	say("installing Debian packages " + names)
	env := []string{"DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	for _, argv := range [][]string{
		{"apt-get", "-q", "-y", "update"},
		append([]string{"apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "install", "--no-install-recommends"}, missing...),
	} {
		if _, err := (command{env: env, argv: argv}).run(ctx); err != nil {
			return fmt.Errorf("installing Debian packages %s: %w", names, err)
		}
	}
	return nil
}

// missingPackages asks dpkg which of the packages are not installed.
func missingPackages(ctx context.Context, names []string) ([]string, error) {
	if _, err := exec.LookPath("dpkg-query"); err != nil {
		return nil, fmt.Errorf("building a bundle needs Debian or Ubuntu (there is no dpkg here)")
	}
	var missing []string
	for _, name := range names {
		out, err := command{argv: []string{"dpkg-query", "-W", "-f", "${db:Status-Status}", name}}.run(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// dpkg-query fails for a name that it never heard of.
		if err != nil || string(out) != "installed" {
			missing = append(missing, name)
		}
	}
	return missing, nil
}
