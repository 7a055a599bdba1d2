// Package bundle makes and reads offline bundles: everything that hosts need
// to become a cluster of one Kubernetes version, in one directory, every byte
// covered by a digest.
//
// # The directory
//
//	manifest.json            what is in the bundle, see [Manifest]
//	bin/NAME.zst             executables, zstd-compressed
//	images/oci-layout        one OCI image layout that all images share
//	images/index.json
//	images/blobs/sha256/HEX  configs, manifests and zstd-compressed layers
//	os/ID-VERSION/FILE.deb   operating system packages, e.g. os/debian-12/
//
// Executables are stored compressed so that they can be sent to a host as they
// are; the manifest has the digest of both forms. Each image stands in
// index.json under its full name, in the annotations io.containerd.image.name
// and org.opencontainers.image.ref.name.
//
// A bundle is reproducible: the manifest holds no time, machine name or local
// path, files are packed in a fixed order with a fixed time, and the same
// inputs give the same digests. The exception is the operating system
// packages: they are what the distribution's archive held on the day of the
// build.
//
// # Reading
//
// [Open] reads and checks the manifest. Nothing in a bundle is trusted: paths
// that leave the directory, sizes that cannot be, and digests that do not match
// are errors, and every reader verifies while it reads.
//
// # Building
//
// [Build] compiles every component from pinned Go modules whose go.mod and
// go.sum are part of this package (folder source), so that a machine which can
// reach only a Go module proxy and its distribution's package archive can make
// one. The work is divided into parts which are kept under a key derived from
// their inputs: an interrupted build goes on where it was, and a build whose
// inputs did not change does nothing.
package bundle
