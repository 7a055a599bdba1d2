package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/kube"
)

// SaveKubeconfig writes the administrator's kubeconfig for this machine,
// readable for its user only. An existing file is replaced only when it is of
// the same cluster.
func (s *Session) SaveKubeconfig(ctx context.Context, path string, warn func(*kube.CredentialsError)) error {
	credentials, err := s.Credentials(ctx, warn)
	if err != nil {
		return err
	}
	config := operatorKubeconfig(credentials, s.Cluster)
	if err := MayReplaceKubeconfig(path, s.Cluster); err != nil {
		return err
	}
	text, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	if err := ReplaceFile(path, text); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return nil
}

// Credentials are an administrator's, of the first control-plane host that gives them.
// A host whose file is not used for what is in it is named, whatever the others give.
func (s *Session) Credentials(ctx context.Context, warn func(*kube.CredentialsError)) (kube.Credentials, error) {
	var reasons []error
	for _, h := range s.Cluster.ControlPlanes() {
		handle := s.Hosts[h.Name]
		if handle == nil {
			reasons = append(reasons, s.Failed[h.Name])
			continue
		}
		credentials, err := kube.AdminCredentials(ctx, handle)
		if err == nil {
			for _, reason := range reasons {
				if refused, ok := errors.AsType[*kube.CredentialsError](reason); ok {
					warn(refused)
				}
			}
			return credentials, nil
		}
		reasons = append(reasons, err)
	}
	return kube.Credentials{}, fmt.Errorf("no control-plane host gives its %s: %w", component.AdminConf, errors.Join(reasons...))
}

// earlyKubeconfig writes the kubeconfig in the middle of a run, once the first
// API server is ready: whoever watches the rest of the run, or looks into why it
// hangs, has it. The end of the run writes it again, and tells what went wrong.
type earlyKubeconfig struct {
	write func()
	once  sync.Once
	group sync.WaitGroup
}

func (s *Session) earlyKubeconfig(ctx context.Context, path string) *earlyKubeconfig {
	return &earlyKubeconfig{write: func() {
		if path != "" {
			_ = s.SaveKubeconfig(ctx, path, func(*kube.CredentialsError) {})
		}
	}}
}

// send implements event.Sink. It never blocks: the views wait behind it.
func (e *earlyKubeconfig) send(ev event.Event) {
	if done, ok := ev.Body.(event.StepDone); ok && done.ID.Subject() == component.StepControlPlane {
		e.once.Do(func() { e.group.Go(e.write) })
	}
}

func (e *earlyKubeconfig) wait() { e.group.Wait() }

// ReplaceFile writes a file that only its owner can read, whole or not at all.
func ReplaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".quorate-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// operatorKubeconfig makes the kubeconfig of a machine outside the cluster. Its
// context is the balancer's address where there is one. In localhost mode the
// endpoint's name means something only on the nodes: there is a context for
// each API server, any of them good, none special, and the first is named after
// the cluster. All are verified under the endpoint's name.
func operatorKubeconfig(credentials kube.Credentials, c *cluster.Cluster) *clientcmdapi.Config {
	user := c.Name + "-admin"
	out := clientcmdapi.NewConfig()
	out.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: credentials.Certificate, ClientKeyData: credentials.Key}
	add := func(name, server string) {
		out.Clusters[name] = &clientcmdapi.Cluster{
			Server: server, TLSServerName: c.Endpoint.Domain,
			CertificateAuthorityData: credentials.Authority,
		}
		out.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: user}
	}
	server := func(host string, port int) string { return "https://" + net.JoinHostPort(host, strconv.Itoa(port)) }
	switch lb := c.Endpoint.LoadBalancer; {
	case lb.VIP.IsValid():
		add(c.Name, server(lb.VIP.String(), c.Endpoint.Port))
	case lb.VIPHost != "":
		add(c.Name, server(lb.VIPHost, c.Endpoint.Port))
	}
	for _, h := range c.ControlPlanes() {
		name := c.Name + "-" + h.Name
		if out.Contexts[c.Name] == nil {
			name = c.Name
		}
		add(name, server(h.Address, c.Kubernetes.APIServerPort))
	}
	out.CurrentContext = c.Name
	return out
}

// MayReplaceKubeconfig refuses to write over a kubeconfig of another cluster.
func MayReplaceKubeconfig(path string, c *cluster.Cluster) error {
	old, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || old.Contexts[c.Name] == nil {
		return fmt.Errorf("%s exists and is not a kubeconfig of this cluster; name another file with --kubeconfig", path)
	}
	return nil
}
