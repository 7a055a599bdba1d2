package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/ssh"
	"github.com/quorate/quorate/internal/lab"
)

// balancerTimeout bounds setting a lab's external balancer up: one package,
// one file, one service.
const balancerTimeout = 2 * time.Minute

// setUpBalancer makes a lab's external balancer one that its owner has set up:
// the distribution's HAProxy in front of the control planes. What is there
// already is left alone, since it stands for something that is not Quorate's.
func setUpBalancer(ctx context.Context, l *lab.Lab, errOut io.Writer) error {
	spec, ok := l.ExternalBalancer()
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, balancerTimeout)
	defer cancel()
	t := target{files: filesAt(l.ClusterFilePath())}
	s, err := t.load(ctx, errOut)
	if err != nil {
		return err
	}
	defer s.Close()
	h, err := ssh.Connect(ctx, ssh.Options{
		Name: spec.Name, Address: spec.Address.String(), User: "root",
		PrivateKeyPath: l.KeyPath(), KnownHostsPaths: []string{l.KnownHostsPath()},
	})
	if err != nil {
		return err
	}
	s.Hosts[spec.Name] = h // closed with the session
	facts, err := h.Facts(ctx, protocol.FactsRequest{Packages: []string{"haproxy"}})
	if err != nil {
		return err
	}
	if facts.Packages["haproxy"] != "" {
		return nil
	}
	if s.Bundle == nil {
		return errors.New("the external balancer's HAProxy comes from a bundle, and there is none: make one with `quorate bundle build`")
	}
	say := func(line string) { fmt.Fprintf(errOut, "%s: %s\n", spec.Name, line) }
	rt := &component.Runtime{Bundle: s.Bundle, Hosts: map[string]*host.Host{spec.Name: h}}
	if err := (component.Packages{Host: spec.Name, OS: facts.OS, Names: []string{"haproxy"}}).Apply(ctx, rt, say); err != nil {
		return err
	}
	if _, err := h.WriteFile(ctx, lab.BalancerConfigPath, l.BalancerConfig(), 0o644); err != nil {
		return err
	}
	_, err = h.Unit(ctx, protocol.UnitRequest{Name: "haproxy.service", Enable: "enable", Verb: "restart"})
	return err
}
