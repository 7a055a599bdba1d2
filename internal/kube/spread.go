package kube

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/internal/state"
)

// coreDNS is the workload of which not all pods are to be on one node.
const coreDNS = "Deployment/kube-system/coredns"

// together is the node that has all pods of CoreDNS, where there are several.
func (c *Client) together(ctx context.Context, w state.Workload) (string, error) {
	if w.Desired < 2 || w.Ready < 2 {
		return "", nil
	}
	pods, err := c.dnsPods(ctx)
	return sameNode(pods), err
}

// sameNode is the node of all pods; empty where there is none.
func sameNode(pods []*corev1.Pod) string {
	for _, p := range pods {
		if p.Spec.NodeName != pods[0].Spec.NodeName {
			return ""
		}
	}
	if len(pods) < 2 {
		return ""
	}
	return pods[0].Spec.NodeName
}

// dnsPods are the pods of CoreDNS that serve.
func (c *Client) dnsPods(ctx context.Context) ([]*corev1.Pod, error) {
	list, err := c.dynamic.Resource(resource("", "v1", "pods")).Namespace(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	if err != nil {
		return nil, err
	}
	var out []*corev1.Pod
	for i := range list.Items {
		p, err := decode[corev1.Pod](&list.Items[i])
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(p.Name, "coredns-") && podReady(p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// SpreadDNS has one of CoreDNS' pods made anew where all are on one node: the
// scheduler rather puts it on another one. The others serve meanwhile.
func (c *Client) SpreadDNS(ctx context.Context) error {
	pods, err := c.dnsPods(ctx)
	if err != nil || sameNode(pods) == "" {
		return err
	}
	p := pods[len(pods)-1]
	return c.DeletePod(ctx, Pod{Namespace: p.Namespace, Name: p.Name, UID: string(p.UID)})
}
