// Package version knows which quorate this is.
package version

import "runtime/debug"

// stamped is set by the build: -ldflags "-X …/internal/version.stamped=v1.2.3".
var stamped string

// String is the version stamped by the build, else the module's own, else "devel".
func String() string {
	if stamped != "" {
		return stamped
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
