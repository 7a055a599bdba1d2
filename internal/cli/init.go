package cli

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config"
)

// initOptions are the flags of `init`.
type initOptions struct {
	controlPlanes int
	workers       int
	loadBalancers int // -1: as many as the endpoint's mode needs
	endpoint      string
	kubernetes    string
	file          string
}

func newInitCommand() *cobra.Command {
	o := initOptions{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a cluster file to start from",
		Long: `Writes a cluster file with comments: what to put in, how to refer to passwords,
and where to find the rest. Its addresses are examples that no server has; put
those of your servers in their place. A file that exists is never written over.`,
		Example: `  quorate init
  quorate init --endpoint managed --control-planes 3 --workers 5
  quorate init --control-planes 1 --workers 0 --file -      # to standard output`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runInit(o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.controlPlanes, "control-planes", 3, "how many control-plane hosts; each has an etcd member")
	f.IntVar(&o.workers, "workers", 3, "how many workers; with none, the control-plane hosts take workloads")
	f.IntVar(&o.loadBalancers, "load-balancers", -1, "how many load-balancer hosts (default: 2 with --endpoint managed, else none)")
	f.StringVar(&o.endpoint, "endpoint", string(cluster.BalancerLocalhost), "who balances the API: "+strings.Join(balancerModes(), ", "))
	f.StringVar(&o.kubernetes, "with-kubernetes", catalog.Default(), "the Kubernetes version: "+strings.Join(catalog.Supported(), ", "))
	f.StringVarP(&o.file, "file", "f", defaultClusterFile, "the file to write; - is standard output")
	return cmd
}

func balancerModes() []string {
	return []string{string(cluster.BalancerLocalhost), string(cluster.BalancerManaged), string(cluster.BalancerExternal), string(cluster.BalancerKubeVIP)}
}

func runInit(o initOptions, stdout, stderr io.Writer) error {
	text, err := starter(o)
	if err != nil {
		return err
	}
	if o.file == "-" {
		_, err := stdout.Write(text)
		return err
	}
	if err := writeNew(o.file, text); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%s is written. Put your servers' addresses in it. Then: quorate bundle build, once; quorate preflight%[2]s; quorate plan%[2]s\n", o.file, filesAt(o.file).flags())
	return nil
}

//go:embed init.yaml.tmpl
var starterTemplate string

// starterHost is one host of the file that is written.
type starterHost struct {
	Name, Address, Role string
	First               bool // of its role
}

// starter makes the file's content, and makes sure that it can be read.
func starter(o initOptions) ([]byte, error) {
	if o.loadBalancers < 0 {
		o.loadBalancers = 0
		if o.endpoint == string(cluster.BalancerManaged) {
			o.loadBalancers = 2
		}
	}
	if err := o.check(); err != nil {
		return nil, usageError(err)
	}
	release, err := catalog.Lookup(o.kubernetes)
	if err != nil {
		return nil, usageError(fmt.Errorf("--with-kubernetes: %w", err))
	}
	file := o.file
	if file == "-" {
		file = defaultClusterFile
	}
	t, err := template.New("init.yaml.tmpl").Option("missingkey=error").Parse(starterTemplate)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, map[string]any{
		"FileFlag": filesAt(file).flags(), "Version": release.Kubernetes, "Supported": strings.Join(catalog.Supported(), ", "),
		"ControlPlanes": o.controlPlanes, "Workers": o.workers, "Tolerance": toleranceOf(o.controlPlanes),
		"Hosts": o.hosts(), "Endpoint": o.endpoint, "VIP": exampleAddress(exampleVIP), "PodCIDR": podRange(o.controlPlanes + o.workers),
	}); err != nil {
		return nil, err
	}
	if c, list := config.Parse(file, out.Bytes(), config.Options{DefaultKubernetes: catalog.Default(), Supported: catalog.Supported()}); c == nil {
		return nil, &fileError{list}
	}
	return out.Bytes(), nil
}

// The last numbers of the example addresses: room for as many hosts of each
// kind as may be asked for.
const (
	exampleVIP          = 10
	exampleControlPlane = 11
	exampleLoadBalancer = 21
	exampleWorker       = 31
)

func exampleAddress(last int) string { return fmt.Sprintf("192.0.2.%d", last) }

func (o initOptions) hosts() []starterHost {
	var all []starterHost
	add := func(count int, name, role string, first int) {
		for i := range count {
			all = append(all, starterHost{fmt.Sprintf("%s-%d", name, i+1), exampleAddress(first + i), role, i == 0})
		}
	}
	add(o.controlPlanes, "cp", "control-plane", exampleControlPlane)
	add(o.workers, "node", "worker", exampleWorker)
	add(o.loadBalancers, "lb", "load-balancer", exampleLoadBalancer)
	return all
}

// podRange is a range with a /24 for each of so many nodes.
func podRange(nodes int) string {
	if nodes <= 64 {
		return "10.233.64.0/18"
	}
	return "10.234.0.0/16" // of 256
}

// check checks the flags against each other.
func (o initOptions) check() error {
	const mostControlPlanes, mostWorkers, mostBalancers = 7, 200, 9
	managed := o.endpoint == string(cluster.BalancerManaged)
	switch {
	case !slices.Contains(balancerModes(), o.endpoint):
		return fmt.Errorf("--endpoint is one of %s, not %q", strings.Join(balancerModes(), ", "), o.endpoint)
	case o.controlPlanes < 1 || o.controlPlanes > mostControlPlanes:
		return fmt.Errorf("--control-planes is from 1 to %d, since each has an etcd member, not %d", mostControlPlanes, o.controlPlanes)
	case o.workers < 0 || o.workers > mostWorkers:
		return fmt.Errorf("--workers is from 0 to %d, not %d; more are added to the file by hand", mostWorkers, o.workers)
	case managed && o.loadBalancers == 0:
		return fmt.Errorf("--endpoint managed needs --load-balancers, best 2")
	case !managed && o.loadBalancers != 0:
		return fmt.Errorf("--load-balancers is for --endpoint managed; with %s there are none", o.endpoint)
	case o.loadBalancers > mostBalancers:
		return fmt.Errorf("--load-balancers is at most %d, not %d", mostBalancers, o.loadBalancers)
	case o.file == "":
		return fmt.Errorf("--file is empty; name a file, or - for standard output")
	}
	return nil
}

// toleranceOf says how many hosts' loss that many etcd members stand.
func toleranceOf(members int) string {
	text := []string{"when it is lost, so is the API", "any one of them may fail", "any two of them may fail", "any three of them may fail"}[cluster.Tolerated(members)]
	switch {
	case members == 2:
		return "when one of them is lost, so is the API; better have one or three"
	case members%2 == 0:
		return fmt.Sprintf("%s, no more than of %d, so better have %d or %d", text, members-1, members-1, members+1)
	}
	return text
}
