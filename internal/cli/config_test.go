package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfigShow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	const text = "apiVersion: quorate.dev/v1alpha1\nkind: Cluster\nspec:\n  ssh: {password: hunter2}\n  hosts: [{name: a, address: 10.0.0.1, roles: [control-plane]}]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for defaults, want := range map[bool][]string{
		false: {"passwordFrom: {prompt: true} # the file has it in the clear"},
		true:  {"passwordFrom: {prompt: true} # the file has it in the clear", "port: 6443 # default: that on which API servers usually listen"},
	} {
		var out, talk bytes.Buffer
		if err := runConfigShow(t.Context(), configShowOptions{files: filesAt(path), defaults: defaults}, &out, &talk); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(out.String(), part) {
				t.Errorf("defaults %t: no %q in\n%s", defaults, part, &out)
			}
		}
		if strings.Contains(out.String()+talk.String(), "hunter2") || !strings.Contains(talk.String(), "warning:") {
			t.Errorf("defaults %t: the password shows, or the warning does not:\n%s%s", defaults, &out, &talk)
		}
		if !defaults && strings.Contains(out.String(), "6443") {
			t.Errorf("defaults are shown without being asked for:\n%s", &out)
		}
	}
}

func TestConfigShowOfABadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(path, []byte("kind: Cluster\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, talk bytes.Buffer
	if err := runConfigShow(t.Context(), configShowOptions{files: filesAt(path)}, &out, &talk); err == nil || out.Len() > 0 {
		t.Errorf("%v, %q", err, &out)
	}
}

func TestConfigSchema(t *testing.T) {
	var out bytes.Buffer
	cmd := newConfigCommand()
	cmd.SetArgs([]string{"schema"})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(out.Bytes()) || !strings.Contains(out.String(), `"additionalProperties": false`) {
		t.Errorf("no schema: %.200s", &out)
	}
}
