package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
)

// saidText is a text of the program's with its place.
type saidText struct{ at, text string }

// texts are the texts of the packages that speak to users, as their source has
// them, and so are the words of further packages that make the texts true.
func texts(t *testing.T, folders ...string) []saidText {
	t.Helper()
	var all []saidText
	files := token.NewFileSet()
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "testdata" || strings.HasSuffix(d.Name(), "test")) {
				return fs.SkipDir
			}
			if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			file, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if sum, ok := n.(*ast.BinaryExpr); ok {
					if text, ok := joined(sum); ok {
						all = append(all, saidText{files.Position(sum.Pos()).String(), text})
						return false
					}
				}
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if text, err := strconv.Unquote(lit.Value); err == nil {
						all = append(all, saidText{files.Position(lit.Pos()).String(), text})
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// joined is the text of literals that are put together, with … for what is not
// one.
func joined(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		left, isLeft := joined(e.X)
		right, isRight := joined(e.Y)
		if !isLeft {
			left = "…"
		}
		if !isRight {
			right = "…"
		}
		return left + right, isLeft || isRight
	}
	return "", false
}

// speaking are the packages whose texts users see.
func speaking() []string {
	var folders []string
	for _, name := range []string{"config", "preflight", "status", "planner", "component", "etcd", "host", "lock", "kube", "bundle", "cli", "ui", "drill", "lab", "secret", "diag"} {
		folders = append(folders, filepath.Join("..", name))
	}
	return folders
}

var (
	// ownCall is a call of quorate in a text, up to where it surely ends.
	ownCall = regexp.MustCompile("(?:^|(\\w+) |[ `(])quorate ([a-z][a-z-]*(?: [^`;,:()\n]*)?)")
	// inProse are words before the program's name where it is no call.
	inProse = []string{"this", "their", "another", "which", "where", "of"}
	anyFlag = regexp.MustCompile(`(?:^|[ (\x60])--([a-z][a-z-]*[a-z])\b`)
	// othersProgram are programs whose flags a text may have.
	othersProgram = regexp.MustCompile(`ansible|kubectl|kubeadm|systemctl|systemd-run|journalctl|etcdctl|crictl|ssh-keygen|sshpass|haproxy|nginx|modprobe|apt|dnf|yum|zypper|rpm|dpkg|curl|ctr |mmdebstrap|swapon|nft |ip |conntrack|openssl|kube-apiserver|outside a container|extraArgs|flag `)
	environment   = regexp.MustCompile(`\bQUORATE_[A-Z_]+\b`)
	ownField      = regexp.MustCompile(`\b([a-z][A-Za-z]+(?:\.[a-z][A-Za-z]+)+)\b`)
	writeField    = regexp.MustCompile(`\b(?:write|add|give) ([a-z][A-Za-z]+): `)
)

// ownCalls counts the calls of quorate in a text, and says what is wrong with them.
func ownCalls(root *cobra.Command, text string) (calls int, wrong []string) {
	for _, m := range ownCall.FindAllStringSubmatch(text, -1) {
		if slices.Contains(inProse, m[1]) {
			continue
		}
		words := strings.Fields(m[2])
		cmd, rest, err := root.Find(words)
		if err != nil || cmd == root {
			wrong = append(wrong, "there is no command `quorate "+words[0]+"`")
			continue
		}
		calls++
		if end := slices.Index(rest, "--"); end >= 0 {
			rest = rest[:end] // what follows is another program's
		}
		for _, word := range rest {
			name, isFlag := strings.CutPrefix(word, "--")
			name, _, _ = strings.Cut(name, "=")
			if isFlag && cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
				wrong = append(wrong, cmd.CommandPath()+" has no flag --"+name)
			}
		}
	}
	return calls, wrong
}

// TestUntrueHintsAreFound checks the check itself.
func TestUntrueHintsAreFound(t *testing.T) {
	for text, want := range map[string]int{
		"run quorate mend": 1, "`quorate apply --force`": 1, "quorate reset --host NAME --now; quorate certs renew": 2,
		"quorate apply puts it right": 0, "`quorate bundle build --kubernetes v1.37.1`": 0, "another quorate holds it": 0,
	} {
		if _, wrong := ownCalls(newRootCommand(), text); len(wrong) != want {
			t.Errorf("%q: %q, want %d", text, wrong, want)
		}
	}
}

// TestHintsCallWhatThereIs checks that each call of quorate, flag and environment
// variable that a text of the program's names is one that there is.
func TestHintsCallWhatThereIs(t *testing.T) {
	root := newRootCommand()
	flags := map[string]bool{}
	var gather func(cmd *cobra.Command)
	gather = func(cmd *cobra.Command) {
		cmd.InitDefaultHelpFlag()
		note := func(f *pflag.Flag) { flags[f.Name] = true }
		cmd.Flags().VisitAll(note)
		cmd.PersistentFlags().VisitAll(note)
		for _, inner := range cmd.Commands() {
			gather(inner)
		}
	}
	gather(root)
	all := texts(t, speaking()...)
	calls := 0
	for _, s := range all {
		found, wrong := ownCalls(root, s.text)
		calls += found
		for _, what := range wrong {
			t.Errorf("%s: %s, in %q", s.at, what, s.text)
		}
		for _, m := range anyFlag.FindAllStringSubmatch(s.text, -1) {
			if !flags[m[1]] && strings.Contains(s.text, " ") && !othersProgram.MatchString(s.text) {
				t.Errorf("%s: no command has the flag --%s, in %q", s.at, m[1], s.text)
			}
		}
	}
	if calls < 20 {
		t.Errorf("only %d calls of quorate were found in the texts", calls)
	}
	read := map[string]bool{} // a name that stands alone is one that is read
	for _, s := range texts(t, "..", "../../cmd") {
		read[s.text] = true
	}
	for _, s := range all {
		for _, name := range environment.FindAllString(s.text, -1) {
			if !read[name] {
				t.Errorf("%s: nothing reads %s, in %q", s.at, name, s.text)
			}
		}
	}
}

// TestHintsNameFieldsThatThereAre checks that each field of a cluster file that a
// text names is one that there is.
func TestHintsNameFieldsThatThereAre(t *testing.T) {
	var paths []string
	known := map[string]bool{}
	var walk func(t reflect.Type, path string, depth int)
	walk = func(t reflect.Type, path string, depth int) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || depth > 8 || t.PkgPath() == "time" {
			return
		}
		for _, f := range strict.Fields(t) {
			known[f.Key] = true
			paths = append(paths, path+"."+f.Key+".")
			walk(f.Type, path+"."+f.Key, depth+1)
		}
	}
	walk(reflect.TypeFor[v1alpha1.Cluster](), "", 0)
	// What begins like a field of ours and is something else: a file, a unit, a
	// name in DNS, or a field of whom a text is about.
	others := regexp.MustCompile(`\.(service|conf|yaml|yml|ini|json|io|local|internal|example|com|key|crt|sock|toml|target|slice|go|svc|tmpl|env|lock|db|d|drop|net|kubernetes|dev|default|system)(\.|$)|^kubernetes\.default|^etcd\.(type|external|backup|port)|^kubernetes\.kubeProxy(Args|Configuration)`)
	found := 0
	for _, s := range texts(t, speaking()...) {
		if !strings.Contains(s.text, " ") {
			continue
		}
		for _, m := range ownField.FindAllStringSubmatch(s.text, -1) {
			first, _, _ := strings.Cut(m[1], ".")
			if !known[first] || others.MatchString(m[1]) || strings.Contains(s.at, "/kubekey/") || strings.Contains(s.at, "/ansible/") {
				continue
			}
			found++
			if !slices.ContainsFunc(paths, func(path string) bool { return strings.Contains(path, "."+m[1]+".") }) {
				t.Errorf("%s: a cluster file has no %s, in %q", s.at, m[1], s.text)
			}
		}
		if strings.Contains(s.at, "/kubekey/") || strings.Contains(s.at, "/ansible/") || strings.Contains(s.at, "/strict/") {
			continue // which speak of the fields of others
		}
		for _, m := range writeField.FindAllStringSubmatch(s.text, -1) {
			if !known[m[1]] {
				t.Errorf("%s: a cluster file has no field %s, in %q", s.at, m[1], s.text)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d fields were found in the texts", found)
	}
}
