package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/printable"
)

// newBundleCommand makes and looks at offline bundles.
func newBundleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Make and check offline bundles: everything that hosts need, in one directory",
		Long: "A bundle holds the binaries, container images and operating system packages of one\n" +
			"Kubernetes version, each with its sha256. `quorate apply` installs from it, so hosts\n" +
			"need no network of their own.",
		Example: `  quorate bundle build --kubernetes v1.37.1
  quorate bundle show
  quorate bundle verify /media/usb/bundle      # after it was copied`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newBundleBuildCommand(), newBundleVerifyCommand(), newBundleShowCommand())
	return cmd
}

// bundleBuildOptions are the flags of `bundle build`.
type bundleBuildOptions struct {
	kubernetes string
	fromSource bool
	output     string
	with       []string
	arch       string
}

// newBundleBuildCommand is `quorate bundle build`.
func newBundleBuildCommand() *cobra.Command {
	o := bundleBuildOptions{}
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build a bundle by compiling every component from its pinned Go module",
		Long: "Compiles Kubernetes, etcd, containerd, runc, the CNI plugins, CoreDNS and flannel from\n" +
			"pinned Go modules, makes their container images, and collects the packages of this\n" +
			"machine's distribution. The first build takes about 30 CPU-minutes and some 10 GB of\n" +
			"disk; what is finished is kept, so an interrupted build goes on where it\n" +
			"was and a second one does nothing.",
		Example: "  quorate bundle build\n  quorate bundle build --kubernetes v1.36.3 --with agnhost",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runBundleBuild(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.kubernetes, "kubernetes", catalog.Default(),
		"Kubernetes version, one of "+strings.Join(catalog.Supported(), ", "))
	flags.BoolVar(&o.fromSource, "from-source", true, "compile from Go modules (the only way so far)")
	flags.StringVar(&o.output, "output", "", "directory of the bundle (default: in the user's cache directory)")
	flags.StringSliceVar(&o.with, "with", nil, "extras to add: agnhost, the test image of Kubernetes")
	flags.StringVar(&o.arch, "arch", runtime.GOARCH, "architecture of the hosts: amd64 or arm64")
	return cmd
}

// runBundleBuild builds a bundle and says where it is.
func runBundleBuild(ctx context.Context, o bundleBuildOptions, out, errOut io.Writer) error {
	if !o.fromSource {
		return errors.New("bundles are built from source only so far; leave --from-source on")
	}
	start := time.Now()
	report := newBuildReport(errOut, heartbeat)
	b, err := bundle.Build(ctx, bundle.Options{
		Kubernetes: o.kubernetes, Output: o.output, Arch: o.arch, Extras: o.with, Builder: builderVersion(),
	}, report.progress)
	report.stop()
	if err != nil {
		return err
	}
	defer b.Close()
	stored, _ := bundleSize(b.Manifest())
	fmt.Fprintf(out, "%s\n", b.Dir())
	fmt.Fprintf(errOut, "Bundle of Kubernetes %s is ready: %d files, %d images, %s; took %s.\n",
		b.Manifest().Kubernetes, len(b.Manifest().Files), len(b.Images()), megabytes(stored), time.Since(start).Round(100*time.Millisecond))
	fmt.Fprintln(errOut, manifestLine(b))
	return nil
}

// manifestLine names the manifest, for comparing it with the builder's.
func manifestLine(b *bundle.Bundle) string { return "manifest.json: sha256 " + b.Digest() }

// bundlePlaceOptions say which bundle to look at.
type bundlePlaceOptions struct {
	kubernetes string
	arch       string
	output     string // of show: text or json
}

// bind adds the flags that find a bundle without naming its directory.
func (o *bundlePlaceOptions) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.kubernetes, "kubernetes", catalog.Default(), "Kubernetes version of the bundle in the cache directory")
	cmd.Flags().StringVar(&o.arch, "arch", runtime.GOARCH, "architecture of the bundle in the cache directory")
}

// open opens the bundle in the directory that was named, else the one in the
// cache directory.
func (o *bundlePlaceOptions) open(args []string) (*bundle.Bundle, error) {
	if len(args) == 1 {
		return bundle.Open(args[0])
	}
	release, err := catalog.Lookup(o.kubernetes)
	if err != nil {
		return nil, err
	}
	dir, err := bundle.DefaultDir(release.Kubernetes, o.arch)
	if err != nil {
		return nil, err
	}
	return bundle.Open(dir)
}

// newBundleVerifyCommand is `quorate bundle verify`.
func newBundleVerifyCommand() *cobra.Command {
	o := bundlePlaceOptions{}
	cmd := &cobra.Command{
		Use:   "verify [DIRECTORY]",
		Short: "Read every byte of a bundle and compare it with the manifest",
		Long: `Reads every byte of a bundle and compares it with the manifest, and prints the
manifest's sha256. The manifest is not signed: compare that with what ` + "`quorate bundle\nbuild`" + ` printed where the bundle was made.`,
		Example: `  quorate bundle verify
  quorate bundle verify /media/usb/bundle`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBundleVerify(cmd.Context(), o, args, cmd.OutOrStdout())
		},
	}
	o.bind(cmd)
	return cmd
}

// runBundleVerify checks a bundle and says how much it read.
func runBundleVerify(ctx context.Context, o bundlePlaceOptions, args []string, out io.Writer) error {
	b, err := o.open(args)
	if err != nil {
		return err
	}
	defer b.Close()
	start := time.Now()
	if err := b.Verify(ctx); err != nil {
		return err
	}
	stored, content := bundleSize(b.Manifest())
	fmt.Fprintf(out, "%s: Kubernetes %s, %d files are as the manifest says (%s, %s unpacked; %s)\n", b.Dir(), b.Manifest().Kubernetes,
		len(b.Manifest().Files), megabytes(stored), megabytes(content), time.Since(start).Round(100*time.Millisecond))
	fmt.Fprintln(out, manifestLine(b))
	return nil
}

// newBundleShowCommand is `quorate bundle show`.
func newBundleShowCommand() *cobra.Command {
	o := bundlePlaceOptions{}
	cmd := &cobra.Command{
		Use:   "show [DIRECTORY]",
		Short: "List what a bundle holds and where it came from",
		Example: `  quorate bundle show
  quorate bundle show /media/usb/bundle -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBundleShow(o, args, cmd.OutOrStdout())
		},
	}
	o.bind(cmd)
	outputFlag(cmd, &o.output, "how to show it; json is the manifest", "text", "json")
	return cmd
}

// runBundleShow prints a bundle's content.
func runBundleShow(o bundlePlaceOptions, args []string, out io.Writer) error {
	b, err := o.open(args)
	if err != nil {
		return err
	}
	defer b.Close()
	m := b.Manifest()
	if o.output == "json" {
		return printable.JSON(out, m)
	}
	fmt.Fprintln(out, b.Dir())
	fmt.Fprintln(out, manifestLine(b))
	printManifest(out, m)
	return nil
}

// printManifest prints a manifest as tables.
func printManifest(out io.Writer, m bundle.Manifest) {
	stored, content := bundleSize(m)
	fmt.Fprintf(out, "Kubernetes %s for %s/%s, %s (%s unpacked), compiled with %s\n",
		m.Kubernetes, m.OS, m.Arch, megabytes(stored), megabytes(content), m.Provenance.GoVersion)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nBINARY\tVERSION\tSTORED\tROLES\tINSTALLED AS")
	for _, f := range m.Files {
		if f.Kind == bundle.KindBinary {
			var roles []string
			for _, role := range f.Roles {
				roles = append(roles, string(role))
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", f.Name, f.Version, megabytes(f.StoredSize), strings.Join(roles, ","), f.InstallPath)
		}
	}
	fmt.Fprintln(table, "\nIMAGE\tSTORED\tDIGEST")
	for _, img := range m.Images {
		fmt.Fprintf(table, "%s\t%s\t%s\n", img.Name, megabytes(img.Size), img.Digest)
	}
	fmt.Fprintln(table, "\nOS PACKAGE\tVERSION\tSYSTEM\tNEEDED BY")
	for _, f := range m.Files {
		if f.Kind == bundle.KindOSPackage {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", f.Name, f.Version, f.OS, strings.Join(f.NeededBy, ","))
		}
	}
	table.Flush()
}

// bundleSize adds up a bundle's files, as stored and unpacked, in bytes.
func bundleSize(m bundle.Manifest) (stored, content int64) {
	for _, f := range m.Files {
		stored += f.StoredSize
		content += f.Size
	}
	return stored, content
}

// megabytes prints a size in bytes for people.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
