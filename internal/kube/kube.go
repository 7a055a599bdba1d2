// Package kube talks to the Kubernetes API through a host's agent, so that
// the operator's machine needs no route to the API servers. It uses the
// host's own admin.conf, kept in memory, and verifies the server against the
// authority in it.
package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/host"
)

// adminConf is kubeadm's kubeconfig for administrators.
const adminConf = "/etc/kubernetes/admin.conf"

// requestTimeout bounds one request. An API server that works answers within
// milliseconds; one that cannot reach etcd never does.
const requestTimeout = 10 * time.Second

// fieldManager owns what Quorate applies.
const fieldManager = "quorate"

// EndpointInfo is how API servers are addressed.
type EndpointInfo struct {
	// Name is what the servers' certificates carry.
	Name string
	// Addresses of the API servers by host name.
	Addresses map[string]string
	// Port is where they are to listen.
	Port int
}

// serverName is a name that kubeadm gives every API server's certificate, whatever
// the endpoint is called now, was before, or will be.
const serverName = "kubernetes"

// Endpoint describes the API servers of a cluster.
func Endpoint(c *cluster.Cluster) EndpointInfo {
	e := EndpointInfo{Name: serverName, Addresses: map[string]string{}, Port: c.Kubernetes.APIServerPort}
	for _, h := range c.ControlPlanes() {
		e.Addresses[h.Name] = h.InternalAddress.String()
	}
	return e
}

// Client is a client of one API server.
type Client struct {
	via     string
	config  *rest.Config
	dynamic dynamic.Interface
	rest    *rest.RESTClient
}

// First returns a client of the first API server that is ready, asking all
// hosts at once. The error names every host's reason.
func First(ctx context.Context, hosts []*host.Host, e EndpointInfo) (*Client, error) {
	if len(hosts) == 0 {
		return nil, errors.New("no control-plane host is connected")
	}
	type answer struct {
		client *Client
		err    error
		of     int // the host
	}
	answers := make(chan answer, len(hosts))
	for i, h := range hosts {
		go func() {
			c, err := New(ctx, h, e)
			if err == nil {
				err = c.Ready(ctx)
			}
			answers <- answer{c, err, i}
		}()
	}
	reasons := make([]error, len(hosts)) // by host, whoever is first to say no
	for range hosts {
		a := <-answers
		if a.err == nil {
			return a.client, nil
		}
		reasons[a.of] = a.err
	}
	return nil, NoneAnswers(reasons)
}

// New makes a client of the API server on h. It does not ask it anything.
func New(ctx context.Context, h *host.Host, e EndpointInfo) (*Client, error) {
	credentials, err := AdminCredentials(ctx, h)
	if err != nil {
		return nil, err
	}
	e.Port = portOf(ctx, h, e)
	return NewWith(h, credentials, e)
}

// NewWith is New with the host's credentials, on the port that is told.
func NewWith(h *host.Host, credentials Credentials, e EndpointInfo) (*Client, error) {
	address := net.JoinHostPort(e.Addresses[h.Name()], strconv.Itoa(e.Port))
	config := credentials.Config()
	config.Host = "https://" + address
	config.ServerName = e.Name
	config.Timeout = requestTimeout
	config.QPS, config.Burst = 100, 200
	config.WarningHandler = rest.NoWarnings{} // that the API server's own endpoints are of an old kind
	config.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return h.Dial(ctx, "tcp", address) }
	d, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("%s: making an API client: %w", h.Name(), err)
	}
	raw := rest.CopyConfig(config)
	raw.GroupVersion = &schema.GroupVersion{Version: "v1"}
	raw.APIPath = "/api"
	raw.NegotiatedSerializer = unstructuredSerializer()
	rc, err := rest.RESTClientFor(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: making an API client: %w", h.Name(), err)
	}
	return &Client{via: h.Name(), config: config, dynamic: d, rest: rc}, nil
}

// Via is the host whose API server the client asks.
func (c *Client) Via() string { return c.via }

// Ready asks the API server whether it is ready to serve.
func (c *Client) Ready(ctx context.Context) error {
	body, err := c.rest.Get().AbsPath("/readyz").Timeout(2 * time.Second).DoRaw(ctx)
	if apierrors.IsUnauthorized(err) {
		return &UnauthorizedError{Host: c.via, Reason: FailedChecks(string(body))}
	}
	if err != nil && !strings.Contains(string(body), "[-]") {
		return fmt.Errorf("%s: the API server is not ready: %w", c.via, err)
	}
	if string(body) != "ok" {
		return fmt.Errorf("%s: the API server is not ready: %s", c.via, FailedChecks(string(body)))
	}
	return nil
}

// Version is the API server's version: "v1.37.1".
func (c *Client) Version(ctx context.Context) (string, error) {
	body, err := c.rest.Get().AbsPath("/version").DoRaw(ctx)
	if err != nil {
		return "", err
	}
	var v struct{ GitVersion string }
	return v.GitVersion, unmarshal(body, &v)
}

// FailedChecks picks what failed out of a verbose /readyz answer.
func FailedChecks(body string) string {
	var failed []string
	for line := range strings.Lines(body) {
		if name, ok := strings.CutPrefix(line, "[-]"); ok {
			name, _, _ = strings.Cut(name, " ")
			failed = append(failed, name)
		}
	}
	var status struct{ Message string }
	if len(failed) == 0 && json.Unmarshal([]byte(body), &status) == nil && status.Message != "" {
		return status.Message
	}
	if len(failed) == 0 {
		first, _, _ := strings.Cut(strings.TrimSpace(body), "\n")
		return first
	}
	return strings.Join(failed, ", ")
}

// resource names a kind of object for the dynamic client.
func resource(group, version, plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
}

// decode turns a dynamic object into its type.
func decode[T any](u *unstructured.Unstructured) (*T, error) {
	out := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out); err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", u.GetKind(), u.GetName(), err)
	}
	return out, nil
}

func (c *Client) secrets() dynamic.ResourceInterface {
	return c.dynamic.Resource(resource("", "v1", "secrets")).Namespace(metav1.NamespaceSystem)
}

// CreateSecret stores a secret in kube-system; one of the same name is an error.
func (c *Client) CreateSecret(ctx context.Context, s *corev1.Secret) error {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(s)
	if err != nil {
		return fmt.Errorf("encoding secret %s: %w", s.Name, err)
	}
	u := &unstructured.Unstructured{Object: object}
	u.SetAPIVersion("v1")
	u.SetKind("Secret")
	_, err = c.secrets().Create(ctx, u, metav1.CreateOptions{FieldManager: fieldManager})
	return err
}

// DeleteSecret removes a secret from kube-system; a missing one is no error.
func (c *Client) DeleteSecret(ctx context.Context, name string) error {
	err := c.secrets().Delete(ctx, name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
