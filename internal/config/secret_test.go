package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config/strict"
)

// planted are the parts of the secrets in the files of this test. None of them
// may be in anything that is said.
const planted = "Rest7q"

// The frames that lines with secrets are put into.
func ownBlock(line string) string {
	return header + "spec:\n  hosts:\n  - name: n1\n    address: 192.0.2.1\n    roles: [control-plane]\n    ssh:\n      user: root\n      " + line + "\n      port: 22\n"
}

func ownFlow(entry string) string {
	return header + "spec:\n  hosts:\n  - {name: n1, address: 192.0.2.1, roles: [control-plane], ssh: {user: root, " + entry + "}}\n  - {name: n2, address: 192.0.2.2, roles: [worker], colour: red}\n"
}

func kubeKeyBlock(line string) string {
	return "apiVersion: kubekey.kubesphere.io/v1alpha2\nkind: Cluster\nspec:\n  hosts:\n  - name: n1\n    address: 192.0.2.1\n    user: root\n    " + line + "\n    arch: amd64\n    colour: red\n  roleGroups: {etcd: [n1], control-plane: [n1], worker: [n1]}\n  kubernetes: {version: v1.37.1}\n  network: {plugin: flannel}\n"
}

func kubeKeyFlow(entry string) string {
	return "apiVersion: kubekey.kubesphere.io/v1alpha2\nkind: Cluster\nspec:\n  hosts:\n  - {name: n1, address: 192.0.2.1, colour: red, " + entry + "}\n  roleGroups: {etcd: [n1], control-plane: [n1], worker: [n1]}\n  kubernetes: {version: v1.37.1}\n  network: {plugin: flannel}\n"
}

func kubesprayYAML(entry string) string {
	return "all:\n  hosts:\n    n1: {ansible_host: 192.0.2.1, ip: 192.0.2.1, " + entry + "}\n  children:\n    kube_control_plane: {hosts: {n1: {}}}\n    kube_node: {hosts: {n1: {}}}\n    etcd: {hosts: {n1: {}}}\n  vars:\n    kube_network_plugin: flannel\n    colour: red\n"
}

func kubesprayBlock(line string) string {
	return "all:\n  hosts:\n    n1:\n      ansible_host: 192.0.2.1\n      " + line + "\n      colour: red\n  children:\n    kube_control_plane: {hosts: {n1: {}}}\n    kube_node: {hosts: {n1: {}}}\n    etcd: {hosts: {n1: {}}}\n  vars:\n    kube_network_plugin: flannel\n"
}

func ini(words string) string {
	return "[kube_control_plane]\nn1 ansible_host=192.0.2.1 " + words + "\n[etcd]\nn1\n[kube_node]\nn1\n[k8s_cluster:vars]\nkube_network_plugin=flannel\n"
}

// plantings are ways to write a secret, well and badly. Those that are refused
// would be a shorter password, or none, where they were accepted.
func plantings() []planting {
	const R = planted
	return []planting{
		{"own, well", ownFlow("password: " + R), true}, // for the colour
		{"own, in quotes", ownBlock(`password: "a,` + R + `"`), false},
		{"own, comma", ownFlow("password: x," + R), true},
		{"own, comma and blank", ownFlow("password: x, " + R), true},
		{"own, commas", ownFlow("password: x," + R + ",y" + R), true},
		{"own, comma and colon", ownFlow("password: x," + R + ": y"), true},
		{"own, comma, first", ownFlow("password: x," + R + ", port: 22"), true},
		{"own, braces", ownFlow("password: {" + R + "}"), true},
		{"own, brackets", ownFlow("password: [" + R + "]"), true},
		{"own, brackets and braces", ownFlow("password: [{" + R + "}]"), true},
		{"own, closing brace", ownFlow("password: x}" + R), true},
		{"own, mapping below", ownBlock("password:\n        " + R + ": x" + R), true},
		{"own, list below", ownBlock("password:\n      - " + R), true},
		{"own, tag", ownBlock("password: !" + R), true},
		{"own, tag with a value", ownBlock("password: !" + R + " x"), true},
		{"own, anchor", ownBlock("password: &" + R), true},
		{"own, anchor with a value", ownBlock("password: &" + R + " x"), true},
		{"own, alias", ownBlock("password: *" + R), true},
		{"own, comment", ownBlock("password: #" + R), true},
		{"own, comment behind", ownBlock("password: x #" + R), true},
		{"own, comment far behind", ownBlock("password: x # " + R), false},
		{"own, at", ownBlock("password: @" + R), true},
		{"own, percent", ownBlock("password: %" + R), true},
		{"own, backquote", ownBlock("password: `" + R), true},
		{"own, folded", ownBlock("password: >" + R), true},
		{"own, literal", ownBlock("password: |" + R), true},
		{"own, open quote", ownBlock("password: \"" + R), true},
		{"own, text behind quotes", ownBlock("password: \"x\"" + R), true},
		{"own, colon", ownBlock("password: a: " + R), true},
		{"own, question", ownBlock("password: ? " + R), true},
		{"own, dash", ownBlock("password: - " + R), true},
		{"own, full-width colon", ownBlock("password：" + R), true},
		{"own, full-width colon in braces", ownFlow("password：" + R), true},
		{"own, no blank", ownFlow("password:" + R), true},
		{"own, misspelt", ownFlow("passwrod: " + R), true},
		{"own, another name", ownFlow("pw: " + R), true},
		{"own, another name, block", ownBlock("my_pw: " + R), true},
		{"own, Chinese", ownBlock("密码: " + R), true},
		{"own, unknown mapping", ownBlock("credentials: {user: x, value: [" + R + "]}"), true},
		{"own, in an address", header + "spec: {hosts: [{name: n1, address: \"root:" + R + "@192.0.2.1\", roles: [control-plane]}]}\n", true},
		{"own, in a glued address", header + "spec:\n  hosts:\n  - name: n1\n    address: ssh://root:" + R + "@192.0.2.1:22\n    roles: [control-plane]\n", true},
		{"own, in the user", ownFlow("user2: x, user: \"root:" + R + "\""), true},
		{"own, in a mirror", header + "spec:\n  hosts: [{name: n1, address: 192.0.2.1, roles: [control-plane]}]\n  registry: {mirrors: {docker.io: [\"https://u:" + R + "@192.0.2.9\"]}}\n", true},
		{"own, shell variable", ownBlock("password: \"${" + R + "}\""), true},
		{"own, typographic quotes", ownBlock("password: “" + R + "”"), true},
		{"own, reference", ownFlow("passwordFrom: {" + R + "}"), true},
		{"own, reference to nothing", ownFlow("passwordFrom: " + R), true},
		{"own, given twice", ownFlow("password: x" + R + ", password: y" + R), true},
		{"KubeKey, comma", kubeKeyFlow("user: root, password: x," + R), true},
		{"KubeKey, comma and more", kubeKeyFlow("user: root, password: x," + R + ", arch: amd64"), true},
		{"KubeKey, tag", kubeKeyBlock("password: !" + R), true},
		{"KubeKey, anchor", kubeKeyBlock("password: &" + R), true},
		{"KubeKey, comment", kubeKeyBlock("password: #" + R), true},
		{"KubeKey, braces", kubeKeyBlock("password: {" + R + "}"), true},
		{"KubeKey, shell variable in braces", kubeKeyFlow("password: ${" + R + "}"), true},
		{"KubeKey, unknown names", kubeKeyFlow("pw: " + R + ", 密码: " + R + ", my_pw: " + R), false},
		{"KubeKey, misspelt with a comma", kubeKeyFlow("passwrod: x," + R), true},
		{"KubeKey, comment behind the braces", strings.Replace(kubeKeyFlow("user: root, password: x, color: red"), "red}\n", "red} #"+R+"\n", 1), false},
		{"KubeKey, private registry", strings.Replace(kubeKeyFlow("user: root"), "  network:", "  registry: {privateRegistry: \"u:"+R+"@host\", auths: {}, colour: red}\n  network:", 1), false},
		{"kubespray, comma", kubesprayYAML("ansible_password: x," + R), true},
		{"kubespray, comma and more", kubesprayYAML("ansible_password: x," + R + ": y, colour: red"), false},
		{"kubespray, tag", kubesprayBlock("ansible_ssh_pass: !" + R), true},
		{"kubespray, anchor", kubesprayBlock("ansible_become_pass: &" + R), true},
		{"kubespray, comment", kubesprayBlock("ansible_become_pass: #" + R), true},
		{"kubespray, no blank", kubesprayYAML("ansible_password:" + R), false},
		{"INI, well", ini("ansible_ssh_pass=" + R + " colour=red"), false},
		{"INI, in quotes", ini("ansible_ssh_pass='a " + R + "' colour=red"), false},
		{"INI, words", ini("ansible_ssh_pass=x " + R), true},
		{"INI, words and more", ini("ansible_ssh_pass=x " + R + " y" + R + "=1 ansible_user=root"), true},
		{"INI, semicolon", ini("ansible_ssh_pass=x ;" + R), true},
		{"INI, hash inside", ini("ansible_ssh_pass=x#" + R), true},
		{"INI, hash first", ini("ansible_ssh_pass=#" + R), true},
		{"INI, hash behind", ini("ansible_ssh_pass=x #" + R), true},
		{"INI, open quote", ini("ansible_ssh_pass=x'" + R), true},
		{"INI, brackets", ini("ansible_ssh_pass=['" + R + "']"), false},
		{"INI, unknown name", ini("my_pw=" + R + " 密码=" + R), false},
		{"INI, address", ini("ip=root:" + R + "@192.0.2.1"), true},
		{"INI, section", ini("") + "ansible_become_pass = x " + R + " #" + R + "\n", false},
	}
}

type planting struct {
	name, text string
	refused    bool
}

// said is all that is said about files: in text, as JSON, and in the comment at
// the head of what import writes.
func said(t *testing.T, files ...*strict.File) (string, *File) {
	t.Helper()
	file, list := read(files, testOptions())
	asJSON, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	text := printed(t, list) + string(asJSON) + string(origin(files, list))
	if file != nil {
		text += string(file.Show(false)) + string(file.Show(true))
	}
	return text, file
}

// TestSecretsNeverShow checks that no part of a secret is in anything that is
// said of a file, however it is written, and that one which YAML or Ansible cuts
// is refused.
func TestSecretsNeverShow(t *testing.T) {
	for _, p := range plantings() {
		t.Run(p.name, func(t *testing.T) {
			text, file := said(t, strict.NewFile("/files/cluster.yaml", []byte(p.text)))
			if strings.Contains(text, planted) {
				t.Errorf("a part of the secret shows:\n%s", text)
			}
			if (file == nil) != p.refused {
				t.Errorf("refused %t, want %t:\n%s", file == nil, p.refused, text)
			}
		})
	}
}

// TestCutPasswordsSayQuotes checks that what cuts a password is told with what to
// do about it.
func TestCutPasswordsSayQuotes(t *testing.T) {
	for _, secret := range []string{"x,y", "x, y", "!y", "&y", "{y}", "[y]", "x}y", "%y", "@y", "`y", ">y", "|y", "'y", "#y"} {
		for format, frame := range map[string]func(string) string{"own": ownFlow, "KubeKey": kubeKeyFlow, "kubespray": func(e string) string { return kubesprayYAML("ansible_" + e) }} {
			_, list := read([]*strict.File{strict.NewFile("/files/c.yaml", []byte(frame("password: "+secret)))}, testOptions())
			if !list.HasErrors() || !strings.Contains(fmt.Sprint(list.Errors()[0].Hint, list.Errors()[0].Summary), "quote") {
				t.Errorf("%s: password: %s: %v", format, secret, list)
			}
		}
	}
}

// FuzzPlanted puts a secret behind a key that says so, with anything around it:
// it never shows.
func FuzzPlanted(f *testing.F) {
	for _, p := range plantings() {
		before, after, ok := strings.Cut(p.text, planted)
		if ok && !strings.Contains(after, planted) {
			f.Add(before, after)
		}
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		// Only what stands behind a secret key, in its line, is a secret for sure.
		line := before[strings.LastIndexByte(before, '\n')+1:]
		key := strings.LastIndex(line, "password: ")
		if key < 0 || strings.TrimLeft(line[:key], " -") != "" || strings.ContainsAny(before, "\r\u0085\u2028\u2029|>'\"") {
			t.Skip()
		}
		text, _ := said(t, strict.NewFile("/files/fuzz.yaml", []byte(before+planted+after)))
		if strings.Contains(text, planted) {
			t.Errorf("the secret shows:\n%s", text)
		}
	})
}
