package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/component/endpoint"
	"github.com/quorate/quorate/internal/printable"
)

func newEndpointCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "endpoint",
		Short: "Set up and prove a balancer of your own in front of the API servers",
		Long: `In mode external the control-plane endpoint is a balancer of yours: a cloud's, an
appliance, or one that you run. These commands tell how to set it up, and prove
it, before anything is installed and at any time after.`,
		Example: `  quorate endpoint guide -f cluster.yaml
  quorate endpoint check -f cluster.yaml`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newEndpointGuideCommand(), newEndpointCheckCommand())
	return cmd
}

func newEndpointGuideCommand() *cobra.Command {
	t := target{}
	var format string
	var formats []string
	for _, f := range endpoint.GuideFormats() {
		formats = append(formats, string(f))
	}
	cmd := &cobra.Command{
		Use:   "guide",
		Short: "Print what to enter in a balancer's console, or a file for HAProxy or nginx",
		Example: `  quorate endpoint guide -f cluster.yaml
  quorate endpoint guide --for haproxy > haproxy.cfg`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(formats, format) {
				return usageError(fmt.Errorf("unknown --for %q; it is one of %s", format, strings.Join(formats, ", ")))
			}
			s, err := t.read(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(endpoint.Guide(s.Cluster, endpoint.GuideFormat(format)))
			return err
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVar(&format, "for", string(endpoint.GuideConsole), "what it is for: "+strings.Join(formats, ", "))
	return cmd
}

// endpointCheckOptions are the flags of `endpoint check`.
type endpointCheckOptions struct {
	target
	timeout   time.Duration
	breakLock bool
	output    string
}

func newEndpointCheckCommand() *cobra.Command {
	o := endpointCheckOptions{}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Prove that every node reaches every control-plane host through your balancer",
		Long: `Calls through the balancer from every node until each control-plane host has
answered. Where no API server runs yet, a listener on its port stands in for as
long as the check takes: it speaks TLS and answers /readyz, so that the
balancer's health check finds it. What is wrong is named with its hint: the
listener, a firewall, a backend's port, a missing backend, a health check, or a
host that does not reach itself. Nothing is changed on the hosts.`,
		Example: `  quorate endpoint check -f cluster.yaml
  quorate endpoint check --timeout 3m --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runEndpointCheck(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd)
	breakLockFlag(cmd, &o.breakLock)
	cmd.Flags().DurationVar(&o.timeout, "timeout", endpoint.ProofTime, "how long the balancer's health checks may take to find the hosts")
	outputFlag(cmd, &o.output, "how to show it", "text", "json")
	return cmd
}

func runEndpointCheck(ctx context.Context, o endpointCheckOptions, stdout, stderr io.Writer) error {
	if o.timeout <= 0 {
		return usageError(fmt.Errorf("--timeout %s is no time to wait", o.timeout))
	}
	s, err := o.read(ctx, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	if mode := s.Cluster.Endpoint.LoadBalancer.Mode; mode != cluster.BalancerExternal {
		return usageError(fmt.Errorf("endpoint.loadBalancer.mode is %s: only a balancer of your own (mode external) is proved like this; `quorate status` tells how the others are", mode))
	}
	s.Connect(ctx)
	for _, h := range s.Cluster.Nodes() {
		if err := s.Failed[h.Name]; err != nil {
			return err
		}
	}
	ctx, unlock, err := s.Lock(ctx, "endpoint check", o.breakLock)
	if err != nil {
		return err
	}
	defer unlock()
	began := time.Now()
	rt := &component.Runtime{Cluster: s.Cluster, Release: s.Release, Hosts: s.Hosts}
	err = endpoint.Prove(ctx, rt, o.timeout, func(line string) { fmt.Fprintln(stderr, line) })
	unproven, found := errors.AsType[*endpoint.Unproven](err)
	if err != nil && !found {
		return err
	}
	if o.output == "json" {
		findings := []endpoint.Finding{}
		if found {
			findings = unproven.Findings
		}
		if err := printable.JSON(stdout, map[string]any{"proved": !found, "findings": findings}); err != nil {
			return err
		}
		if found {
			return silent(exitFailed)
		}
		return nil
	}
	if found {
		return err
	}
	fmt.Fprintf(stdout, "Proved in %s: each of %d nodes reaches each of %d control-plane hosts through the balancer.\n",
		time.Since(began).Round(100*time.Millisecond), len(s.Cluster.Nodes()), len(s.Cluster.ControlPlanes()))
	return nil
}
