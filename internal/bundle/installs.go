package bundle

import (
	"fmt"
	"path"
	"strings"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
)

// installs are where the executables of a release go on a host, and with which mode,
// by their names: what a plan shows. A manifest may say nothing else.
type installs map[string]catalog.Binary

func installsOf(r catalog.Release) installs {
	out := installs{}
	for _, role := range []cluster.Role{cluster.RoleControlPlane, cluster.RoleWorker, cluster.RoleEtcd} {
		for _, b := range r.Binaries(role) {
			out[b.Name] = b
		}
	}
	return out
}

// check refuses a file that would be installed in another place, or with another mode,
// than files of its kind are.
func (i installs) check(f File) error {
	switch f.Kind {
	case KindBinary:
		want, ok := i[f.Name]
		switch {
		case !ok:
			return fmt.Errorf("%q is no program that Kubernetes hosts get", f.Name)
		case f.InstallPath != want.InstallPath:
			return fmt.Errorf("install path %q is not %s's, %s", f.InstallPath, f.Name, want.InstallPath)
		case f.Mode != Mode(want.Mode):
			return fmt.Errorf("mode %04o is not %s's, %04o", uint32(f.Mode), f.Name, uint32(want.Mode))
		}
	case KindSelfContained:
		root := SelfContainedRoot + "haproxy/"
		switch {
		case f.Name != "haproxy":
			return fmt.Errorf("%q is no program that comes with all that it needs", f.Name)
		case !strings.HasPrefix(f.InstallPath, root) || path.Clean(f.InstallPath) != f.InstallPath:
			return fmt.Errorf("install path %q is not clean or not below %s", f.InstallPath, root)
		case f.Mode != 0o755 && f.Mode != 0o644:
			return fmt.Errorf("mode %04o is neither 0755 nor 0644", uint32(f.Mode))
		}
	case KindImageBlob, KindImageMeta, KindOSPackage:
		if f.InstallPath != "" || f.Mode != 0 {
			return fmt.Errorf("install path %q and mode %04o: files of the kind %s have none", f.InstallPath, uint32(f.Mode), f.Kind)
		}
	default:
		return fmt.Errorf("unknown kind %q", f.Kind)
	}
	return nil
}
