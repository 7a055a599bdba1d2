// Package kubetest is an API server for tests: it keeps objects in memory,
// answers discovery for the kinds that Quorate uses, and understands as much
// of server-side apply as a test can see. It checks nothing about an object.
package kubetest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"
)

// Object is a Kubernetes object as JSON has it.
type Object = map[string]any

// Server is an http.Handler. All its methods may be called at the same time.
type Server struct {
	mu       sync.Mutex
	objects  map[string]Object // by path: /api/v1/namespaces/kube-system/secrets/x
	requests []Request
	forbid   bool
	unready  string
	stranger bool
}

// Request is one request that came in.
type Request struct {
	Method string
	Path   string
	Query  string // encoded, as it came
	Body   []byte
}

// New makes a server without objects that is ready.
func New() *Server { return &Server{objects: map[string]Object{}} }

// Put stores an object at its path.
func (s *Server) Put(path string, o Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[path] = o
}

// Get returns a copy of the object at a path, or nil.
func (s *Server) Get(path string) Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return clone(s.objects[path])
}

// Has reports whether there is an object at a path.
func (s *Server) Has(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[path] != nil
}

// Delete removes the object at a path.
func (s *Server) Delete(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, path)
}

// Paths lists where objects are, sorted.
func (s *Server) Paths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

// Requests lists what came in, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Unready makes /readyz fail with this body; empty makes it well again.
func (s *Server) Unready(body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unready = body
}

// Forbid makes the server refuse everything about objects, or nothing any more:
// an administrator has no rights before somebody bound them.
func (s *Server) Forbid(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forbid = all
}

// Unauthorized makes the server take no credentials for anybody's, or take them again.
func (s *Server) Unauthorized(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stranger = all
}

// RefuseStranger answers as an API server does to credentials that it does not take.
func RefuseStranger(w http.ResponseWriter) {
	refuse(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Body: body})
	switch {
	case s.stranger:
		RefuseStranger(w)
	case r.URL.Path == "/readyz" && s.unready != "":
		http.Error(w, s.unready, http.StatusInternalServerError)
	case r.URL.Path == "/readyz":
		_, _ = io.WriteString(w, "ok")
	case r.URL.Path == "/version":
		answer(w, http.StatusOK, Object{"gitVersion": "v1.37.1"})
	case discover(w, r.URL.Path):
	default:
		s.serveObject(w, r, body)
	}
}

// serveObject needs the lock.
func (s *Server) serveObject(w http.ResponseWriter, r *http.Request, body []byte) {
	if s.forbid {
		refuse(w, http.StatusForbidden, "Forbidden", r.URL.Path+" is forbidden")
		return
	}
	path := r.URL.Path
	have, exists := s.objects[path]
	switch r.Method {
	case http.MethodGet:
		if exists {
			answer(w, http.StatusOK, have)
		} else if isCollection(path) {
			answer(w, http.StatusOK, Object{"kind": "List", "apiVersion": "v1", "metadata": Object{}, "items": onNode(s.below(path), r.URL.Query().Get("fieldSelector"))})
		} else {
			refuse(w, http.StatusNotFound, "NotFound", path+" not found")
		}
	case http.MethodPost:
		o := Object{}
		if err := yaml.Unmarshal(body, &o); err != nil {
			refuse(w, http.StatusBadRequest, "BadRequest", err.Error())
			return
		}
		path += "/" + nameOf(o)
		if _, exists := s.objects[path]; exists {
			refuse(w, http.StatusConflict, "AlreadyExists", path+" already exists")
			return
		}
		s.objects[path] = o
		answer(w, http.StatusCreated, o)
	case http.MethodPatch:
		patch := Object{}
		if err := yaml.Unmarshal(body, &patch); err != nil {
			refuse(w, http.StatusBadRequest, "BadRequest", err.Error())
			return
		}
		s.objects[path] = merge(have, patch)
		answer(w, http.StatusOK, s.objects[path])
	case http.MethodDelete:
		if !exists {
			refuse(w, http.StatusNotFound, "NotFound", path+" not found")
			return
		}
		delete(s.objects, path)
		answer(w, http.StatusOK, Object{"kind": "Status", "apiVersion": "v1", "status": "Success"})
	default:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", r.Method)
	}
}

// onNode keeps the pods that a field selector of a node's name selects; another
// selector, or none, selects everything.
func onNode(items []any, selector string) []any {
	node, ok := strings.CutPrefix(selector, "spec.nodeName=")
	if !ok {
		return items
	}
	return slices.DeleteFunc(items, func(item any) bool {
		spec, _ := item.(Object)["spec"].(Object)
		return spec["nodeName"] != node
	})
}

func (s *Server) below(path string) []any {
	items := []any{}
	for _, p := range slices.Sorted(maps.Keys(s.objects)) {
		if rest, ok := strings.CutPrefix(p, path+"/"); ok && !strings.Contains(rest, "/") {
			items = append(items, s.objects[p])
		}
	}
	return items
}

// kinds are what discovery tells of: group/version → kind → resource and scope.
func kinds() map[string][]Object {
	kind := func(kind, plural string, namespaced bool) Object {
		return Object{"name": plural, "singularName": strings.ToLower(kind), "kind": kind, "namespaced": namespaced, "verbs": []string{"get", "patch"}}
	}
	return map[string][]Object{
		"v1": {
			kind("Namespace", "namespaces", false), kind("Node", "nodes", false), kind("ConfigMap", "configmaps", true),
			kind("Secret", "secrets", true), kind("ServiceAccount", "serviceaccounts", true), kind("Pod", "pods", true),
			kind("Service", "services", true), kind("Endpoints", "endpoints", true),
		},
		"apps/v1":                      {kind("DaemonSet", "daemonsets", true), kind("Deployment", "deployments", true), kind("ControllerRevision", "controllerrevisions", true)},
		"rbac.authorization.k8s.io/v1": {kind("ClusterRole", "clusterroles", false), kind("ClusterRoleBinding", "clusterrolebindings", false)},
		"coordination.k8s.io/v1":       {kind("Lease", "leases", true)},
		"discovery.k8s.io/v1":          {kind("EndpointSlice", "endpointslices", true)},
	}
}

func discover(w http.ResponseWriter, path string) bool {
	all := kinds()
	switch path {
	case "/api":
		answer(w, http.StatusOK, Object{"kind": "APIVersions", "versions": []string{"v1"}})
		return true
	case "/apis":
		groups := []Object{}
		for _, gv := range slices.Sorted(maps.Keys(all)) {
			group, version, ok := strings.Cut(gv, "/")
			if !ok {
				continue
			}
			v := Object{"groupVersion": gv, "version": version}
			groups = append(groups, Object{"name": group, "versions": []Object{v}, "preferredVersion": v})
		}
		answer(w, http.StatusOK, Object{"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
		return true
	}
	gv := strings.TrimPrefix(strings.TrimPrefix(path, "/apis/"), "/api/")
	if resources, ok := all[gv]; ok {
		answer(w, http.StatusOK, Object{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": gv, "resources": resources})
		return true
	}
	return false
}

func isCollection(path string) bool {
	last := path[strings.LastIndexByte(path, '/')+1:]
	for _, resources := range kinds() {
		for _, r := range resources {
			if r["name"] == last {
				return true
			}
		}
	}
	return false
}

func nameOf(o Object) string {
	metadata, _ := o["metadata"].(Object)
	return cmp.Or(fmt.Sprint(metadata["name"]), "unnamed")
}

// merge lays a patch over an object, maps into maps.
func merge(have, patch Object) Object {
	out := clone(have)
	if out == nil {
		out = Object{}
	}
	for k, v := range patch {
		if into, ok := out[k].(Object); ok {
			if from, ok := v.(Object); ok {
				out[k] = merge(into, from)
				continue
			}
		}
		out[k] = v
	}
	return out
}

func clone(o Object) Object {
	if o == nil {
		return nil
	}
	out := make(Object, len(o))
	for k, v := range o {
		out[k] = copyOf(v)
	}
	return out
}

// copyOf is a value as it comes out of JSON. Whole objects go through JSON only
// where they must: planning's tests read some a million times.
func copyOf(v any) any {
	switch v := v.(type) {
	case nil, bool, string, float64:
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, inner := range v {
			out[k] = copyOf(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = copyOf(inner)
		}
		return out
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic("kubetest: an object came as JSON and is none: " + err.Error())
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		panic("kubetest: " + err.Error())
	}
	return out
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, reason, message string) {
	answer(w, status, Object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": status})
}
