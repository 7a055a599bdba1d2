package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
)

// Show writes the file as a cluster file of ours: what was read and nothing
// more, or with its defaults, each with a comment that says why. Passwords that
// stand in the file are not written: where one stands, the written file has
// them asked for, and a comment says so. It can therefore be shown to others,
// and is itself a file that can be used.
func (f *File) Show(defaults bool) []byte {
	doc := f.asRead
	if defaults {
		doc = f.Document
	}
	shown, hidden := hideLiterals(doc)
	root := documentNode(shown)
	for _, path := range hidden {
		annotate(root, path, "the file has it in the clear; it is not shown here")
	}
	if defaults {
		for _, filled := range f.Filled {
			why := filled.Why
			if strings.HasSuffix(filled.Path, ".roles") {
				why = filled.Value + ", as " + why
			}
			annotate(root, strict.Path(filled.Path), "default: "+why)
		}
	}
	text := dump(root)
	if f.KubeSphere != nil {
		text = append(text, "# What the file says of KubeSphere, in a document of its own, is not shown.\n"...)
	}
	return text
}

// asRead is a copy of a document that filling in defaults does not change.
func asRead(doc *v1alpha1.Cluster) *v1alpha1.Cluster {
	read := *doc
	read.Spec.Hosts = slices.Clone(doc.Spec.Hosts)
	return &read
}

// hideLiterals returns a copy of a document that asks for every password that
// stands in it, with the paths of those.
func hideLiterals(doc *v1alpha1.Cluster) (*v1alpha1.Cluster, []strict.Path) {
	out, hidden := asRead(doc), []strict.Path(nil)
	var hide func(s *v1alpha1.SSH, p strict.Path)
	hide = func(s *v1alpha1.SSH, p strict.Path) {
		if s.Password != "" {
			s.Password, s.PasswordFrom = "", &v1alpha1.SecretSource{Prompt: true}
			hidden = append(hidden, p.Key("passwordFrom"))
		}
		if s.SudoPassword != "" {
			s.SudoPassword, s.SudoPasswordFrom = "", &v1alpha1.SecretSource{Prompt: true}
			hidden = append(hidden, p.Key("sudoPasswordFrom"))
		}
		if s.Bastion != nil {
			bastion := *s.Bastion
			s.Bastion = &bastion
			hide(&bastion.SSH, p.Key("bastion"))
		}
	}
	hide(&out.Spec.SSH, "spec.ssh")
	for i := range out.Spec.Hosts {
		hide(&out.Spec.Hosts[i].SSH, strict.Path("spec.hosts").Index(i).Key("ssh"))
	}
	return out, hidden
}

// documentNode is a whole document as YAML.
func documentNode(doc *v1alpha1.Cluster) *yaml.Node {
	whole := *doc
	whole.APIVersion, whole.Kind = v1alpha1.APIVersion, v1alpha1.Kind
	return writeStruct(reflect.ValueOf(whole), "")
}

// annotate puts a comment behind the value at a path. Mappings around it that
// are written in one line are written in several for it.
func annotate(root *yaml.Node, path strict.Path, comment string) {
	n := root
	for key := range strings.FieldsFuncSeq(string(path), func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		n.Style &^= yaml.FlowStyle
		if n.Kind == yaml.SequenceNode {
			at, err := strconv.Atoi(key)
			if err != nil || at >= len(n.Content) {
				return
			}
			n = n.Content[at]
		} else if n = strict.Child(n, key); n == nil {
			return
		}
	}
	n.LineComment = comment
}
