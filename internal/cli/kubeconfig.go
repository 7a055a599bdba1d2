package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// kubeconfigPath is where the administrator's kubeconfig goes.
func kubeconfigPath(o applyOptions, c *cluster.Cluster) string {
	if o.kubeconfig != "" {
		return o.kubeconfig
	}
	return filepath.Join(o.files.folder(), c.Name+".kubeconfig")
}

// writeKubeconfig writes the administrator's kubeconfig and says where it is.
func (s *session) writeKubeconfig(ctx context.Context, o applyOptions, stderr io.Writer) error {
	path := kubeconfigPath(o, s.cluster)
	if err := s.saveKubeconfig(ctx, path, warnOf(stderr)); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Kubeconfig: %s\n", path)
	return nil
}

// saveKubeconfig writes the administrator's kubeconfig for this machine,
// readable for its user only. An existing file is replaced only when it is of
// the same cluster.
func (s *session) saveKubeconfig(ctx context.Context, path string, warn func(*kube.CredentialsError)) error {
	credentials, err := s.credentials(ctx, warn)
	if err != nil {
		return err
	}
	config := operatorKubeconfig(credentials, s.cluster)
	if err := mayReplace(path, s.cluster); err != nil {
		return err
	}
	text, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	if err := replaceFile(path, text); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return nil
}

// credentials are an administrator's, of the first control-plane host that gives them.
// A host whose file is not used for what is in it is named, whatever the others give.
func (s *session) credentials(ctx context.Context, warn func(*kube.CredentialsError)) (kube.Credentials, error) {
	var reasons []error
	for _, h := range s.cluster.ControlPlanes() {
		handle := s.hosts[h.Name]
		if handle == nil {
			reasons = append(reasons, s.failed[h.Name])
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

// warnOf tells of a host whose credentials are not used, where another host's are.
func warnOf(stderr io.Writer) func(*kube.CredentialsError) {
	return func(e *kube.CredentialsError) { fmt.Fprintf(stderr, "warning: %v\nhint: %s\n", e, e.Hint()) }
}

// earlyKubeconfig writes the kubeconfig in the middle of a run, once the first
// API server is ready: whoever watches the rest of the run, or looks into why it
// hangs, has it. The end of the run writes it again, and tells what went wrong.
type earlyKubeconfig struct {
	write func()
	once  sync.Once
	group sync.WaitGroup
}

func (s *session) earlyKubeconfig(ctx context.Context, path string) *earlyKubeconfig {
	return &earlyKubeconfig{write: func() {
		if path != "" {
			_ = s.saveKubeconfig(ctx, path, func(*kube.CredentialsError) {})
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

// replaceFile writes a file that only its owner can read, whole or not at all.
func replaceFile(path string, content []byte) error {
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

// mayWriteKubeconfig refuses, before anything is changed, a place for the
// kubeconfig that could not be written in the end.
func mayWriteKubeconfig(path string, c *cluster.Cluster) error {
	if err := mayReplace(path, c); err != nil {
		return err
	}
	probe, err := os.CreateTemp(filepath.Dir(path), ".kubeconfig-*")
	if err != nil {
		if pathError, ok := errors.AsType[*os.PathError](err); ok {
			err = pathError.Err
		}
		return usageError(fmt.Errorf("the kubeconfig cannot be written to %s: %w; name another file with --kubeconfig", path, err))
	}
	probe.Close()
	return os.Remove(probe.Name())
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

// mayReplace refuses to write over a kubeconfig of another cluster.
func mayReplace(path string, c *cluster.Cluster) error {
	old, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || old.Contexts[c.Name] == nil {
		return usageError(fmt.Errorf("%s exists and is not a kubeconfig of this cluster; name another file with --kubeconfig", path))
	}
	return nil
}
