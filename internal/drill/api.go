package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/quorate/quorate/internal/probe"
)

// The objects of a run. They are ConfigMaps in a namespace of its own, which
// is removed at the end; one that a killed run left is removed by the next.
const (
	runLabel     = "quorate.dev/drill"     // on the namespace
	keyLabel     = "quorate.dev/drill-key" // on the objects with unique keys
	registerName = "register"
)

// NamespacePrefix begins the name of a run's namespace; the run's ID follows.
const NamespacePrefix = "quorate-drill-"

// object is what is used of an API object.
type object struct {
	Metadata struct {
		Name            string `json:"name"`
		UID             string `json:"uid"`
		ResourceVersion string `json:"resourceVersion"`
		Continue        string `json:"continue"`
	} `json:"metadata"`
	Data  map[string]string `json:"data"`
	Items []object          `json:"items"`
}

func (o object) revision() uint64 {
	n, _ := strconv.ParseUint(o.Metadata.ResourceVersion, 10, 64) // 0 for what is no number, which fits nowhere
	return n
}

// api is the API as one client uses it.
type api struct {
	view      probe.Viewpoint
	client    *http.Client
	namespace string
}

func (a api) configMaps() string { return "/api/v1/namespaces/" + a.namespace + "/configmaps" }

// call makes one request with a JSON body, if any, and reads the JSON answer.
func (a api) call(ctx context.Context, method, path string, body, into any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, a.view.URL(path), bytes.NewReader(text))
	if err != nil {
		return err
	}
	// A write is never sent twice by the HTTP library on its own account.
	request.GetBody = nil
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := probe.Do(a.client, request)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(answer, into)
}

func (a api) configMap(name, revision string, labels, data map[string]string) map[string]any {
	metadata := map[string]any{"name": name, "namespace": a.namespace, "labels": labels}
	if revision != "" {
		metadata["resourceVersion"] = revision
	}
	return map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
}

// create makes an object with a key that is used once.
func (a api) create(ctx context.Context, key string) (object, error) {
	var made object
	body := a.configMap(key, "", map[string]string{keyLabel: "true"}, map[string]string{"key": key})
	err := a.call(ctx, http.MethodPost, a.configMaps(), body, &made)
	return made, err
}

// look reads the register, as it is now: without a revision in the question,
// the API answers what a quorum has.
func (a api) look(ctx context.Context) (object, int64, error) {
	var o object
	if err := a.call(ctx, http.MethodGet, a.configMaps()+"/"+registerName, nil, &o); err != nil {
		return o, 0, err
	}
	n, err := strconv.ParseInt(o.Data["value"], 10, 64)
	return o, n, err
}

// swap replaces the register if it still is as it was read.
func (a api) swap(ctx context.Context, read object, value int64) (object, error) {
	var now object
	body := a.configMap(registerName, read.Metadata.ResourceVersion, nil, map[string]string{"value": strconv.FormatInt(value, 10)})
	err := a.call(ctx, http.MethodPut, a.configMaps()+"/"+registerName, body, &now)
	return now, err
}

// pageSize is how many objects are listed at a time.
const pageSize = 2000

// list gives all objects with keys, and the revision of the list.
func (a api) list(ctx context.Context) (map[string]Object, string, error) {
	out, next := map[string]Object{}, ""
	for {
		query := url.Values{"labelSelector": {keyLabel}, "limit": {strconv.Itoa(pageSize)}}
		if next != "" {
			query.Set("continue", next)
		}
		var page object
		if err := a.call(ctx, http.MethodGet, a.configMaps()+"?"+query.Encode(), nil, &page); err != nil {
			return nil, "", err
		}
		for _, o := range page.Items {
			out[o.Metadata.Name] = Object{UID: o.Metadata.UID, Revision: o.revision()}
		}
		if next = page.Metadata.Continue; next == "" {
			return out, page.Metadata.ResourceVersion, nil
		}
	}
}

// setUp makes the run's namespace and register, and removes what killed runs
// left.
func (a api) setUp(ctx context.Context) error {
	var left object
	if err := a.call(ctx, http.MethodGet, "/api/v1/namespaces?labelSelector="+runLabel, nil, &left); err != nil {
		return fmt.Errorf("looking for what earlier drills left: %w", err)
	}
	for _, o := range left.Items {
		if err := a.removeNamespace(ctx, o.Metadata.Name); err != nil {
			return err
		}
	}
	namespace := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{
		"name": a.namespace, "labels": map[string]string{runLabel: "true"},
	}}
	if err := a.call(ctx, http.MethodPost, "/api/v1/namespaces", namespace, nil); err != nil {
		return fmt.Errorf("making namespace %s: %w", a.namespace, err)
	}
	if err := a.call(ctx, http.MethodPost, a.configMaps(), a.configMap(registerName, "", nil, map[string]string{"value": "0"}), nil); err != nil {
		return fmt.Errorf("making the register: %w", err)
	}
	return nil
}

// removeNamespace removes a run's namespace; one that is gone is no error.
func (a api) removeNamespace(ctx context.Context, name string) error {
	err := a.call(ctx, http.MethodDelete, "/api/v1/namespaces/"+name, nil, nil)
	if status, ok := errors.AsType[*probe.StatusError](err); missing(err) || ok && status.Code == http.StatusConflict {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing namespace %s: %w", name, err)
	}
	return nil
}

// missing reports whether the API says that there is no such thing.
func missing(err error) bool {
	status, ok := errors.AsType[*probe.StatusError](err)
	return ok && status.Code == http.StatusNotFound
}

// podTimeout bounds the start of the pod whose eyes are borrowed.
const podTimeout = 60 * time.Second

// pod starts a pod that does nothing on a node, and gives its address. Its
// image is the one that every node has for every pod's sandbox.
func (a api) pod(ctx context.Context, node, image string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, podTimeout)
	defer cancel()
	path := "/api/v1/namespaces/" + a.namespace + "/pods"
	body := map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "eyes"},
		"spec": map[string]any{
			"nodeName": node, "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
			"tolerations": []any{map[string]any{"operator": "Exists"}},
			"containers":  []any{map[string]any{"name": "pause", "image": image, "imagePullPolicy": "IfNotPresent"}},
		},
	}
	made := false
	var address string
	err := poll(ctx, func() error {
		if !made {
			// Refused until the namespace has its service account.
			if err := a.call(ctx, http.MethodPost, path, body, nil); err != nil {
				return err
			}
			made = true
		}
		var err error
		address, err = a.podAddress(ctx)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("starting a pod on %s to look from: %w", node, err)
	}
	return address, nil
}

// podAddress is the address of the pod that looks, when it runs.
func (a api) podAddress(ctx context.Context) (string, error) {
	var pod struct {
		Status struct{ PodIP, Phase string }
	}
	if err := a.call(ctx, http.MethodGet, "/api/v1/namespaces/"+a.namespace+"/pods/eyes", nil, &pod); err != nil {
		return "", err
	}
	if pod.Status.Phase != "Running" || pod.Status.PodIP == "" {
		return "", fmt.Errorf("it is %s", pod.Status.Phase)
	}
	return pod.Status.PodIP, nil
}

// pollEvery is how often a condition is looked at again.
const pollEvery = 250 * time.Millisecond

// pollGently is poll for a condition that costs something to look at: between two
// looks it lets at least as much time pass as the last one took, so that looking
// does not weigh on what is looked at.
func pollGently(ctx context.Context, cond func() error) error {
	for {
		began := time.Now()
		err := cond()
		if err == nil {
			return nil
		}
		rest := time.NewTimer(max(time.Since(began), pollEvery))
		select {
		case <-ctx.Done():
			rest.Stop()
			return fmt.Errorf("%w (the last reason: %w)", context.Cause(ctx), err)
		case <-rest.C:
		}
	}
}

// poll looks at a condition until it is nil or the context ends, and then
// gives the last reason.
func poll(ctx context.Context, cond func() error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := cond()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (the last reason: %w)", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}
