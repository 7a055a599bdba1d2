package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// pageHead is the page's beginning.
const pageHead = `# Reference of the cluster file

Every field of ` + "`apiVersion: quorate.dev/v1alpha1`" + `. How to write a file is in
[cluster-file.md](cluster-file.md); whole files are in [examples](../examples).

This page is made from the program, like the
[JSON schema](../api/v1alpha1/schema.json) for editors, which ` + "`quorate config schema`" + `
prints. What a file of yours comes to, with every default that is filled in, is what
` + "`quorate config show --defaults`" + ` prints. Names such as ` + "`spec.hosts[].name`" + ` say where a
field stands; ` + "`[]`" + ` is each element of a list.
`

// pageOf makes the page of all fields: a section for each type of block, with a
// row for each of its fields.
func pageOf(document *block) []byte {
	sections := collect(document, nil)
	var b strings.Builder
	b.WriteString(pageHead)
	b.WriteString("\n## Contents\n\n")
	for _, s := range sections {
		fmt.Fprintf(&b, "- [%s](#%s)\n", s.title(), s.anchor())
	}
	for _, s := range sections {
		fmt.Fprintf(&b, "\n<a id=\"%s\"></a>\n\n## %s\n\n%s\n\n", s.anchor(), s.title(), s.blocks[0].meaning)
		b.WriteString("| field | type | default | meaning |\n|---|---|---|---|\n")
		for _, f := range s.blocks[0].own() {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.key, cell(typeText(f.value)), cell(defaultText(f)), cell(meaningText(f)))
		}
		if s.blocks[0].goType == "Bastion" {
			fmt.Fprintf(&b, "\nand the fields of an [ssh block](#%s).\n", anchor("SSH"))
		}
	}
	return []byte(b.String())
}

// own are the fields that the block's type does not have from another.
func (b *block) own() []field {
	return slices.DeleteFunc(slices.Clone(b.fields), func(f field) bool { return f.inlined })
}

// section holds the blocks of one type; they have the same fields.
type section struct{ blocks []*block }

func (s section) title() string {
	if s.blocks[0].path == "" {
		return "the file"
	}
	if first := s.blocks[0]; first.shared {
		return wordsOf(first.goType)
	}
	var paths []string
	for _, b := range s.blocks {
		paths = append(paths, "`"+b.path+"`")
	}
	return strings.Join(paths, ", ")
}

func (s section) anchor() string { return anchor(s.blocks[0].goType) }

// anchor names a type's section: its paths hold characters that links may not.
func anchor(goType string) string { return "type-" + strings.ToLower(goType) }

// collect adds a block and all inside it to the sections, in the document's order.
func collect(b *block, sections []section) []section {
	i := slices.IndexFunc(sections, func(s section) bool { return s.blocks[0].goType == b.goType })
	switch {
	case i < 0:
		sections = append(sections, section{[]*block{b}})
	case slices.Contains(sections[i].blocks, b):
		return sections // a shared one
	default:
		sections[i].blocks = append(sections[i].blocks, b)
		return sections
	}
	for _, f := range b.fields {
		v := f.value
		for v.element != nil {
			if v = *v.element; v.block != nil {
				v.block.path = f.path + "[]"
			}
		}
		if v.block != nil {
			sections = collect(v.block, sections)
		}
	}
	return sections
}

// typeText says what a value is.
func typeText(v value) string {
	switch v.kind {
	case kindNumber:
		if v.rule.Bounded {
			return fmt.Sprintf("whole number, %d to %d", v.rule.Least, v.rule.Most)
		}
		return "whole number"
	case kindTruth:
		return "true or false"
	case kindDuration:
		return "duration"
	case kindList:
		return "list: " + typeText(*v.element)
	case kindMapping:
		return "mapping: text → " + typeText(*v.element)
	case kindFree:
		return "anything"
	case kindBlock:
		name := "block"
		if v.block.shared {
			name = wordsOf(v.block.goType)
		}
		return fmt.Sprintf("[%s](#%s)", name, anchor(v.block.goType))
	}
	if v.rule.Choices == nil {
		return "text"
	}
	return "`" + strings.Join(v.rule.Choices, "`, `") + "`"
}

// wordsOf is a Go name in words: "SecretSource" is "secret source".
func wordsOf(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// defaultText says what a field is without being given, and why.
func defaultText(f field) string {
	switch {
	case f.required:
		return "**required**"
	case f.value.rule.Default != "":
		return fmt.Sprintf("`%s`: %s", f.value.rule.Default, f.value.rule.Why)
	case f.fallback != "":
		return f.fallback
	case f.value.kind == kindBlock && !f.value.block.shared:
		return ""
	}
	return "none"
}

func meaningText(f field) string {
	// The key stands in the row already, and in front of the sentence.
	text := strings.Replace(f.meaning, f.key, "`"+f.key+"`", 1)
	if f.example != "" && !f.required || f.example != "" && f.value.rule.Choices == nil {
		text += "\nExample: `" + f.example + "`"
	}
	return text
}

// cell makes a text fit in a table's cell.
func cell(text string) string {
	return strings.NewReplacer("\n\n", "<br>", "\n", "<br>", "|", `\|`).Replace(text)
}
