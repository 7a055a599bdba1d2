package config

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// Import reads files of any format that is known and writes our own: what they
// say, without the defaults, under a comment that tells where it comes from and
// what is not as it was. The list holds what Read finds in the files. Where
// there are errors the text is to be mended by hand; it is nil when the files
// could not be read at all. Literal passwords are written as they are into the
// file to, which should be readable for its user alone; where to is empty they are
// asked for instead. A document that configures KubeSphere comes behind, as it
// stood. Relative paths are written as seen from the folder of the file to, or
// whole where that is empty.
func Import(paths []string, to string, o Options) (*Imported, diag.List) {
	files, opened := open(paths)
	if opened.HasErrors() {
		return nil, opened
	}
	r := strict.NewReport(files[0].Source)
	doc, kubeSphere := document(r, files, &o)
	if doc == nil {
		return nil, append(opened, r.Finish()...)
	}
	replaceVersion(r, doc, o)
	replacePlugin(r, doc, o)
	text, asked := formatFor(to, doc, folderOf(files[0].Path)) // before the defaults are in it
	if kubeSphere != nil {
		text = fmt.Appendf(text, "---\n%s\n", strings.TrimRight(kubeSphere.Text, "\n"))
	}
	complete(r, doc, files, o)
	list := append(opened, r.Finish()...)
	return &Imported{append(origin(files, list), text...), r.Lost(), asked}, list
}

// Imported is what became of files of any format.
type Imported struct {
	// Text is a cluster file.
	Text []byte
	// Lost is what the cluster will not have though the files ask for it.
	Lost []string
	// Asked is how many passwords the text asks for that stand in the files.
	Asked int
}

// origin is the comment at the head of an imported file.
func origin(files []*strict.File, list diag.List) []byte {
	var names []string
	for _, f := range files {
		names = append(names, f.Source.Name())
	}
	var b bytes.Buffer
	comment := func(indent, text string) {
		for line := range strings.Lines(text) {
			b.WriteString(strings.TrimRight("# "+indent+strict.Printable(strings.TrimRight(line, "\n")), " ") + "\n")
		}
	}
	comment("", "Made by `quorate import` from "+strings.Join(names, ", ")+".")
	comment("", "What is not here has its default: see `quorate config show --defaults`.")
	if len(list) > 0 {
		comment("", "\nWhat to look at:")
	}
	for _, d := range list {
		comment("- ", d.String())
		comment("    ", d.Detail)
	}
	return b.Bytes()
}
