package ansible

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

func TestExpandHosts(t *testing.T) {
	tests := map[string]struct {
		names, port string // names with blanks between
		err         string
	}{
		"node1":                           {names: "node1"},
		"node[1:3]":                       {names: "node1 node2 node3"},
		"node[08:11]":                     {names: "node08 node09 node10 node11"},
		"node[001:002].a.b":               {names: "node001.a.b node002.a.b"},
		"node[1:7:3]":                     {names: "node1 node4 node7"},
		"node[:2]":                        {names: "node0 node1 node2"},
		"rack-[a:c]":                      {names: "rack-a rack-b rack-c"},
		"r[a:b]-n[1:2]":                   {names: "ra-n1 ra-n2 rb-n1 rb-n2"},
		"node1:2222":                      {names: "node1", port: "2222"},
		"node[1:2]:2222":                  {names: "node1 node2", port: "2222"},
		"10.0.0.1:22":                     {names: "10.0.0.1", port: "22"},
		"2001:db8::1":                     {names: "2001:db8::1"},
		"[2001:db8::1]:22":                {names: "2001:db8::1", port: "22"},
		"node[1:100]":                     {err: "more than"},
		"node[01:100]":                    {err: "different numbers of digits"},
		"node[3:1]":                       {err: "ends before it begins"},
		"node[c:a]":                       {err: "ends before it begins"},
		"node[1:]":                        {err: "no end"},
		"node[1]":                         {err: "not of the form"},
		"node[1:2:0]":                     {err: "step"},
		"node[1:x]":                       {err: "neither a range"},
		"node[aa:bb]":                     {err: "neither a range"},
		"node[1:2":                        {err: "without a ]"},
		"node1]":                          {err: "without a ["},
		"n[1:2][1:2][1:2][1:2][1:2][1:2]": {err: "too many ranges"},
	}
	for pattern, want := range tests {
		names, port, err := expandHosts(pattern, 20)
		switch {
		case want.err != "":
			if err == nil || !strings.Contains(err.Error(), want.err) {
				t.Errorf("%s: error %v, want one with %q", pattern, err, want.err)
			}
		case err != nil || strings.Join(names, " ") != want.names || port != want.port:
			t.Errorf("%s = %q, port %q, %v; want %q, port %q", pattern, names, port, err, want.names, want.port)
		}
	}
}

// TestSplitWords holds splitting to what Python's shlex.split(line,
// comments=True) does, which Ansible uses.
func TestSplitWords(t *testing.T) {
	tests := map[string]struct {
		words string // with | between
		err   string
	}{
		`a b=c  d="e f"`:      {words: `a|b=c|d=e f`},
		`a p='x#y' # comment`: {words: `a|p=x#y`},
		`a p=x#y z`:           {words: `a|p=x`},
		`a p=x\#y\ z`:         {words: `a|p=x#y z`},
		`a p="x\"y\\z\n"`:     {words: `a|p=x"y\z\n`},
		`a p='x\y'`:           {words: `a|p=x\y`},
		`a "p=x y"`:           {words: `a|p=x y`},
		`a p=''`:              {words: `a|p=`},
		`a p="['b', 'c']"`:    {words: `a|p=['b', 'c']`},
		`a p='it'"'"'s'`:      {words: `a|p=it's`},
		`节点 p=x`:              {words: `节点|p=x`},
		`# only a comment`:    {words: ``},
		`a p='open`:           {err: "a quote is not closed"},
		`a p="open`:           {err: "a quote is not closed"},
		`a p=x\`:              {err: "ends in a backslash"},
	}
	for line, want := range tests {
		words, err := splitWords(line)
		var texts []string
		for _, w := range words {
			texts = append(texts, w.text)
		}
		switch {
		case want.err != "":
			if err == nil || !strings.Contains(err.Error(), want.err) {
				t.Errorf("%s: error %v, want %q", line, err, want.err)
			}
		case err != nil || strings.Join(texts, "|") != want.words:
			t.Errorf("%s = %q, %v; want %s", line, texts, err, want.words)
		}
	}
}

func TestPythonValue(t *testing.T) {
	tests := map[string]string{ // the value's tag and canonical form
		"42": "!!int 42", "-1": "!!int -1", "1.5": "!!float 1.5", "True": "!!bool true", "False": "!!bool false", "None": "!!null ",
		"true": "!!str true", "0123": "!!str 0123", "1e5": "!!str 1e5", "1_000": "!!str 1_000", "0x10": "!!str 0x10", "10.0.0.1": "!!str 10.0.0.1", "v1.36.3": "!!str v1.36.3",
		"'42'": "!!str 42", `"a b"`: "!!str a b", `'it\'s'`: "!!str it's", "'a' 'b'": "!!str 'a' 'b'",
		"['a', 'b',]": "!!seq [a,b]", "('a', 1)": "!!seq [a,1]", "{'a': [1, None], 'b': True}": "!!map {a,[1,],b,true}",
		"[a, b]": "!!str [a, b]", "[1, 2": "!!str [1, 2", "{'a'}": "!!str {'a'}", "6443 # usual": "!!int 6443", "a # b": "!!str a # b",
		strings.Repeat("[", 1000): "!!str " + strings.Repeat("[", 1000), "": "!!str ",
	}
	for s, want := range tests {
		n := pythonValue(s)
		if got := n.Tag + " " + canonical(n); got != want {
			t.Errorf("pythonValue(%q) = %q, want %q", s, got, want)
		}
	}
}

// imported imports files given as pairs of a path and a content, and returns
// the document with all that was said.
func imported(t *testing.T, files ...string) (*v1alpha1.Cluster, diag.List) {
	t.Helper()
	var list []*strict.File
	for i := 0; i+1 < len(files); i += 2 {
		list = append(list, strict.NewFile(files[i], []byte(files[i+1])))
	}
	r := strict.NewReport(list[0].Source)
	for _, f := range list {
		if IsINI(f.Data) {
			continue
		}
		roots, ok := strict.ParseYAML(r.On(f.Source), f.Data)
		if !ok {
			t.Fatalf("%s: %v", f.Path, r.Finish())
		}
		f.Roots = roots
		strict.HideSecrets(f.Source, roots)
	}
	return Import(r, list), r.Finish()
}

// TestPrecedence takes one variable away after the other: what then holds is
// the next in Ansible's order.
func TestPrecedence(t *testing.T) {
	inventory := "[all]\nn1 ansible_host=10.0.0.1%s\n[kube_control_plane]\nn1\n[kube_node]\nn1\n[inner]\nn1\n[outer:children]\ninner\n%s%s%s"
	value := func(v string) string { return "node_labels: {x: " + v + "}\n" }
	levels := []string{"extra", "host_vars", "line", "inner file", "outer file", "all file", "inner section", "outer section", "all section"}
	for i, want := range levels {
		has := func(level string) bool {
			for j, l := range levels {
				if l == level {
					return j >= i
				}
			}
			return false
		}
		section := func(level, group string) string {
			if !has(level) {
				return ""
			}
			return fmt.Sprintf("[%s:vars]\nnode_labels={'x': '%s'}\n", group, level)
		}
		line := ""
		if has("line") {
			line = ` node_labels="{'x': 'line'}"`
		}
		files := []string{"c/hosts.ini", fmt.Sprintf(inventory, line, section("inner section", "inner"), section("outer section", "outer"), section("all section", "all"))}
		for level, name := range map[string]string{"extra": "mine.yml", "host_vars": "c/host_vars/n1.yml", "inner file": "c/group_vars/inner.yml", "outer file": "c/group_vars/outer/x.yml", "all file": "c/group_vars/all/all.yml"} {
			if has(level) {
				files = append(files, name, value(level))
			}
		}
		doc, _ := imported(t, files...)
		if got := doc.Spec.Hosts[0].Labels["x"]; got != want {
			t.Errorf("without %v the value is that of %q, want %q", levels[:i], got, want)
		}
	}
}

// TestTemplates checks what is resolved, and that the rest is refused.
func TestTemplates(t *testing.T) {
	for template, want := range map[string]string{
		"{{ dir }}/x": "d/x", "{{dir}}": "d", "{{ map.a.b }}": "deep", "{{ inventory_hostname }}": "n1", "plain": "plain", "{{ list }}": "", "{{ chain }}": "d", "{{ padded }}": "",
		"{{ missing }}": "", "{{ dir | upper }}": "", "{{ loop }}": "", "{% if x %}{% endif %}": "", "{{ dir }}{{ 'x' }}": "", "{{ map.no }}": "", "{{ hostvars['n1'].dir }}": "",
	} {
		doc, list := imported(t, "c/hosts.yaml", "all: {hosts: {n1: {ansible_host: 10.0.0.1}}, children: {kube_control_plane: {hosts: {n1: }}}}",
			"c/group_vars/all.yml", "dir: d\nmap: {a: {b: deep}}\nlist: [a]\nloop: '{{ loop }}'\nchain: '{{ link }}'\nlink: '{{ end }}'\nend: '{{ dir }}'\npadded: '"+strings.Repeat("{{ long }}", 20)+"'\nlong: "+strings.Repeat("x", 4000)+"\netcd_data_dir: \""+template+"\"\n")
		if got := doc.Spec.Etcd.DataDir; got != want || (want == "") != list.HasErrors() {
			t.Errorf("%s: %q, want %q; %v", template, got, want, list.Errors())
		}
	}
}

// TestSecretsStayHidden puts secrets everywhere, and an error beside each.
func TestSecretsStayHidden(t *testing.T) {
	const secret = "hunter2"
	for _, text := range []string{
		"n1 ansible_ssh_pass=hunter2 odd", "n1 ansible_ssh_pass='hunter2' odd", `n1 "ansible_ssh_pass=x hunter2" odd`, "n1 ansible_ssh_pass = hunter2", "n1 ansible_ssh_pass=\"hunter2",
		"n1 odd # ansible_become_password: hunter2", "n1 x={'password':'hunter2'} odd", "n1 http_proxy=http://me:hunter2@p:1 odd", "n1 ansible_become_pass=a\\ hunter2 odd",
		"[all:vars]\nansible_ssh_pass=x hunter2\nodd", "[all:vars]\nansible_password = x hunter2 # y", "[a:vars]\nvault_token: hunter2", "n[1:x] rest_secret=hunter2",
		"n1 odd" + strings.Repeat(" x=y", 8000) + " my_password=hunter2",
	} {
		r := strict.NewReport(diag.NewSource("hosts.ini", []byte(text)))
		f := strict.NewFile("hosts.ini", []byte("[kube-master]\n"+text+"\n"))
		newInventory(r, f).readINI(f)
		for line := 1; line <= f.Source.LineCount(); line++ { // whatever might be said about it
			for column := 1; column < 120; column += 7 {
				r.Tell(diag.SeverityError, strict.Place{Source: f.Source, Position: diag.Position{Line: line, Column: column}}, "", "", fmt.Sprint("here ", line, column))
			}
		}
		var out bytes.Buffer
		if err := r.Finish().Print(&out, diag.PrintOptions{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), secret) {
			t.Errorf("%.80q: the findings show the secret:\n%s", text, out.String())
		}
	}
}

// TestUsualValues checks that the table of kubespray's defaults can be read.
func TestUsualValues(t *testing.T) {
	usual := usualValues()
	if len(usual) < 100 {
		t.Fatalf("%d variables only", len(usual))
	}
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(`"{{ kube_service_subnets.split(',')|first|ansible.utils.ipaddr('net')|ansible.utils.ipaddr(3)|ansible.utils.ipaddr('address') }}"`), &n); err != nil {
		t.Fatal(err)
	}
	if got := compact(n.Content[0]); !cmp.Equal(usual["skydns_server"][1], got) {
		t.Errorf("the expression is %s, the table has %s", got, usual["skydns_server"][1])
	}
}

// TestHugeInventories checks that files that pretend to be enormous are refused
// soon; the test would run out of memory or time otherwise.
func TestHugeInventories(t *testing.T) {
	const size = 2 << 20
	tests := map[string]string{
		"ranges":    "[kube_node]\n" + strings.Repeat("n[1:4000]-[1:4000] a=b\n", 1000),
		"variables": "[kube_node]\nn[1:5000]" + strings.Repeat(" a=b", size/4) + "\n",
		"vars":      "[all:vars]\n" + strings.Repeat("a=b\n", size/4),
		"groups":    groupsInEachOther(20_000),
		"secrets":   "[kube_node]\nn1" + strings.Repeat(" pass=b", size/7) + "\n",
		"hosts":     "[kube_node]\n" + strings.Repeat("n[1:9]\n", size/7),
		"lists":     "[all:vars]\na=" + strings.Repeat("[", size) + "\n",
		"brackets":  "[kube_node]\n" + strings.Repeat("n[1:1]", size/6) + "\n",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			_, list := imported(t, "hosts.ini", text)
			if len(list) > 2*(strict.MaxFindings+1) {
				t.Errorf("%d findings", len(list))
			}
		})
	}
}

func groupsInEachOther(n int) string {
	var b strings.Builder
	b.WriteString("[g0]\nhost ansible_host=10.0.0.1\n")
	for i := range n {
		fmt.Fprintf(&b, "[g%d:children]\ng%d\n", i+1, i)
	}
	return b.String()
}

// write makes a tree of files below a folder.
func write(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGathering checks what is read beside an inventory, and that links do not
// lead out of its folder or around in circles.
func TestGathering(t *testing.T) {
	outside, folder := t.TempDir(), t.TempDir()
	write(t, outside, map[string]string{"secret.yml": "a: hunter2\n", "folder/x.yml": "b: c\n"})
	write(t, folder, map[string]string{
		"inventory.ini":                          "[kube_control_plane]\nn1.example.com\n",
		"vars.yml":                               "not: gathered\n",
		"group_vars/all.yml":                     "hidden: by the folder\n",
		"group_vars/all/b.yml":                   "x: 1\n",
		"group_vars/all/a.yaml":                  "x: 2\n",
		"group_vars/all/deep/er/c.json":          `{"x": 3}`,
		"group_vars/all/.hidden.yml":             "x: 4\n",
		"group_vars/all/old.yml~":                "x: 5\n",
		"group_vars/all/notes.txt":               "x: 6\n",
		"group_vars/all/comments.yml":            "---\n# nothing\n",
		"group_vars/etcd":                        "x: 7\n",
		"host_vars/n1.example.com":               "x: 8\n",
		"host_vars/n1.example.com.bak":           "x: 9\n",
		"group_vars/kube_node/1/2/3/4/5/far.yml": "x: 10\n",
	})
	for link, target := range map[string]string{
		"group_vars/all/out.yml": filepath.Join(outside, "secret.yml"),
		"group_vars/all/out":     filepath.Join(outside, "folder"),
		"group_vars/all/round":   ".",
		"group_vars/all/in.yml":  "b.yml",
		"group_vars/all/none":    "nowhere",
	} {
		if err := os.Symlink(target, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	named := filepath.Join(folder, "inventory.ini")
	data, _ := strict.ReadFile(named)
	files, list := Beside([]*strict.File{strict.NewFile(named, data)})
	seen := map[string]bool{}
	for _, f := range files {
		rel, _ := filepath.Rel(folder, f.Path)
		if seen[rel] {
			t.Errorf("%s is read twice", rel)
		}
		seen[rel] = true
		if !f.Gathered || bytes.Contains(f.Data, []byte("hunter")) {
			t.Errorf("%s: gathered %t, content %q", rel, f.Gathered, f.Data)
		}
	}
	for _, want := range []string{"group_vars/all/a.yaml", "group_vars/all/b.yml", "group_vars/all/deep/er/c.json", "group_vars/all/in.yml", "group_vars/etcd", "host_vars/n1.example.com"} {
		if !seen[want] {
			t.Errorf("%s is not read", want)
		}
	}
	for _, unwanted := range []string{"group_vars/all.yml", "group_vars/all/.hidden.yml", "group_vars/all/old.yml~", "group_vars/all/notes.txt", "group_vars/all/comments.yml", "vars.yml", "host_vars/n1.example.com.bak", "group_vars/kube_node/1/2/3/4/5/far.yml"} {
		if seen[unwanted] {
			t.Errorf("%s is read", unwanted)
		}
	}
	said := fmt.Sprint(list)
	for _, want := range []string{"out.yml", "group_vars/all/out", "none", "a link to a folder that it is in", "group_vars/all.yml", "too deep"} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing is said about %s: %v", want, list)
		}
	}
	if list.HasErrors() {
		t.Errorf("errors: %v", list)
	}
}

// TestInFolder checks which inventory a folder stands for.
func TestInFolder(t *testing.T) {
	const empty, full = "[all]\n# node1\n[kube_node]\n", "[kube_node]\nn1 ansible_host=10.0.0.1\n"
	tests := map[string]struct {
		files     map[string]string
		want, err string
	}{
		"one":        {files: map[string]string{"inventory.ini": empty}, want: "inventory.ini"},
		"sample":     {files: map[string]string{"inventory.ini": empty, "hosts.yaml": "all: {hosts: {a: {}}}"}, want: "hosts.yaml"},
		"kubeSphere": {files: map[string]string{"hosts.ini": full, "common.yaml": "a: b"}, want: "hosts.ini"},
		"two":        {files: map[string]string{"inventory.ini": full, "hosts.ini": full}, err: "several inventories"},
		"none":       {files: map[string]string{"cluster.yaml": "a: b", "hosts.yaml": "not: an inventory"}, err: "without an inventory"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			write(t, folder, test.files)
			got, d := InFolder(folder)
			if test.err != "" {
				if d == nil || !strings.Contains(d.Summary, test.err) {
					t.Errorf("InFolder = %s, %v; want an error with %q", got, d, test.err)
				}
				if name == "none" && (d == nil || !strings.Contains(d.Hint, "-f "+filepath.Join(folder, "cluster.yaml"))) {
					t.Errorf("the hint names no file of the folder: %v", d)
				}
				return
			}
			if d != nil || got != filepath.Join(folder, test.want) {
				t.Errorf("InFolder = %s, %v; want %s", got, d, test.want)
			}
		})
	}
}
