package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
)

// comment is what a type's or a field's comment says, taken apart.
type comment struct {
	// text is the meaning, in Markdown: sentences, and lists with "- ".
	text string
	// fallback is what stands behind "Default:", without the full stop.
	fallback string
	// example is what stands behind "Example:".
	example string
}

// readComments reads the comments of a folder's types, under "Type", and of
// their fields, under "Type.Field".
func readComments(folder string) (map[string]comment, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	comments := map[string]comment{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("reading comments: %w", err)
		}
		for _, declaration := range file.Decls {
			group, ok := declaration.(*ast.GenDecl)
			if !ok || group.Tok != token.TYPE {
				continue
			}
			for _, spec := range group.Specs {
				readType(comments, group.Doc, spec.(*ast.TypeSpec))
			}
		}
	}
	return comments, nil
}

func readType(comments map[string]comment, doc *ast.CommentGroup, spec *ast.TypeSpec) {
	comments[spec.Name.Name] = takeApart(doc.Text())
	structure, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range structure.Fields.List {
		for _, name := range field.Names {
			comments[spec.Name.Name+"."+name.Name] = takeApart(field.Doc.Text())
		}
	}
}

// takeApart makes paragraphs of a comment's lines, keeps lists, and finds the
// default and the example.
func takeApart(doc string) comment {
	var c comment
	var blocks []string // paragraphs and list items, each one line
	fresh := true       // the next line begins a block
	for line := range strings.Lines(doc) {
		line = strings.TrimSpace(line)
		example, isExample := strings.CutPrefix(line, "Example: ")
		switch {
		case isExample:
			c.example = example
		case line == "":
			fresh = true
		case fresh || strings.HasPrefix(line, "- "):
			blocks = append(blocks, line)
			fresh = false
		default:
			blocks[len(blocks)-1] += " " + line
		}
	}
	for i, block := range blocks {
		before, fallback, found := strings.Cut(block, "Default: ")
		if found {
			c.fallback = strings.TrimSuffix(fallback, ".")
			blocks[i] = strings.TrimSpace(before)
		}
	}
	for i, block := range blocks {
		if block == "" {
			continue
		}
		if i > 0 && !strings.HasPrefix(block, "- ") {
			c.text += "\n"
		}
		c.text += block + "\n"
	}
	c.text = strings.TrimSpace(c.text)
	return c
}
