package containerd

import (
	"context"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

const (
	registriesDir = "/etc/containerd/certs.d"
	// registriesRecord names the registries that Quorate has written settings
	// for, one a line: those that the cluster file no longer names are removed,
	// and those that somebody else wrote are left alone.
	registriesRecord = component.QuorateDir + "/registries"
)

// askRegistries asks for what planRegistries compares.
func askRegistries(c *cluster.Cluster, q *protocol.FactsRequest) {
	component.AskFiles(q, registriesRecord)
	for _, f := range registryFiles(c.Registry) {
		component.AskFiles(q, f.Path)
	}
}

// planRegistries plans how a host's containerd reaches registries. It reads
// these files for each image that it pulls, so nothing is restarted.
func planRegistries(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	names := registryNames(in.Cluster.Registry)
	before := recordedRegistries(facts.Files[registriesRecord].Content)
	op := registries{host: h.Name}
	var changes []plan.Change
	op.files, changes = component.FileChanges(facts, registryFiles(in.Cluster.Registry))
	for _, name := range before {
		if !slices.Contains(names, name) {
			op.remove = append(op.remove, path.Join(registriesDir, name))
			changes = append(changes, plan.Change{What: path.Join(registriesDir, name), Action: "remove"})
		}
	}
	if len(names) == 0 && len(before) == 0 {
		return
	}
	_, record := component.FileChanges(facts, []component.File{registriesFile(names)})
	if changes = append(changes, record...); len(changes) == 0 {
		return
	}
	// What is about to be written is noted before, what is removed afterwards:
	// a run that is cut off forgets nothing.
	op.before, op.after = registriesFile(slices.Concat(before, names)), registriesFile(names)
	out.Add(plan.Step{
		ID: plan.On("containerd/registries", h.Name), Host: h.Name, Title: "set how registries are reached",
		Why: component.WhyOf(changes), Changes: changes,
	}, op)
}

// registryNames are the registries that the cluster file says something of, sorted.
func registryNames(r cluster.Registry) []string {
	names := append(slices.Collect(maps.Keys(r.Mirrors)), r.Insecure...)
	slices.Sort(names)
	return slices.Compact(names)
}

// registryFiles are the settings of these registries.
func registryFiles(r cluster.Registry) []component.File {
	type mirror struct {
		URL      string
		Insecure bool
		// HasAPIPath tells that the URL leads to the registry's API itself, as
		// that of a project of Harbor's does, so that containerd puts no /v2
		// behind it.
		HasAPIPath bool
	}
	var files []component.File
	for _, name := range registryNames(r) {
		data := struct {
			Server   string
			Insecure bool
			Mirrors  []mirror
		}{Server: "https://" + name, Insecure: slices.Contains(r.Insecure, name)}
		switch {
		case name == "docker.io":
			data.Server = "https://registry-1.docker.io"
		case data.Insecure:
			// With skip_verify this means TLS first, and then without.
			data.Server = "http://" + name
		}
		for _, m := range r.Mirrors[name] {
			u, err := url.Parse(m)
			data.Mirrors = append(data.Mirrors, mirror{
				URL: m, Insecure: err == nil && u.Scheme == "https" && slices.Contains(r.Insecure, u.Host),
				HasAPIPath: err == nil && (u.Path == "/v2" || strings.HasPrefix(u.Path, "/v2/")),
			})
		}
		files = append(files, component.File{
			Path: path.Join(registriesDir, name, "hosts.toml"), Mode: 0o644, Content: component.Render(templates, "hosts.toml.tmpl", data),
		})
	}
	return files
}

func registriesFile(names []string) component.File {
	slices.Sort(names)
	text := ""
	for _, name := range slices.Compact(names) {
		text += name + "\n"
	}
	return component.File{Path: registriesRecord, Content: []byte(text), Mode: 0o644}
}

// recordedRegistries reads a record. What cannot be a registry's name, and so not
// the name of a folder either, was not written by Quorate.
func recordedRegistries(content string) []string {
	var names []string
	for line := range strings.Lines(content) {
		if name := strings.TrimSpace(line); name != "" && !strings.HasPrefix(name, ".") && !strings.ContainsAny(name, "/\\") {
			names = append(names, name)
		}
	}
	return names
}

// registries is the work of writing and removing the settings of registries.
type registries struct {
	host          string
	files         []component.File
	remove        []string // folders
	before, after component.File
}

// Apply implements component.Op.
func (o registries) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	if _, err := component.WriteFiles(ctx, rt, o.host, append([]component.File{o.before}, o.files...)); err != nil {
		return err
	}
	for _, folder := range o.remove {
		if err := h.RemoveAll(ctx, folder); err != nil {
			return err
		}
	}
	_, err = component.WriteFiles(ctx, rt, o.host, []component.File{o.after})
	return err
}
