package component

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"text/template"
)

// Render executes an embedded template. A template that does not parse or
// asks for what is not there is a defect, so Render panics; tests render
// every template. Templates have the function quote: a text in double quotes,
// as YAML and TOML read it.
func Render(files fs.FS, name string, data any) []byte {
	return RenderPart(files, name, path.Base(name), data)
}

// RenderPart executes one of the templates that a file defines.
func RenderPart(files fs.FS, name, part string, data any) []byte {
	funcs := template.FuncMap{"quote": quote}
	t, err := template.New(path.Base(name)).Funcs(funcs).Option("missingkey=error").ParseFS(files, name)
	if err != nil {
		panic(fmt.Sprintf("component: template %s: %v", name, err))
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, part, data); err != nil {
		panic(fmt.Sprintf("component: template %s: %v", name, err))
	}
	return b.Bytes()
}

// quote writes a text as a JSON string, which is one of YAML's and TOML's too.
func quote(text string) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(b.Bytes())), nil
}
