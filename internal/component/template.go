package component

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"text/template"
)

// Render executes an embedded template. A template that does not parse or
// asks for what is not there is a defect, so Render panics; tests render
// every template.
func Render(files fs.FS, name string, data any) []byte {
	t, err := template.New(path.Base(name)).Option("missingkey=error").ParseFS(files, name)
	if err != nil {
		panic(fmt.Sprintf("component: template %s: %v", name, err))
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		panic(fmt.Sprintf("component: template %s: %v", name, err))
	}
	return b.Bytes()
}
