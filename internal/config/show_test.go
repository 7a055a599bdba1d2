package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/golden"
)

// TestShow checks both forms against golden files, and, for every good file,
// that what is shown can be read again, comes to the same cluster but for its
// hidden passwords, and shows none of them.
func TestShow(t *testing.T) {
	for _, path := range append(files(t, "testdata/*.good.yaml"), files(t, "../../examples/*.yaml")...) {
		file, list := readTestFile(t, path)
		if file == nil {
			t.Errorf("%s: %v", path, list)
			continue
		}
		for _, defaults := range []bool{false, true} {
			text := string(file.Show(defaults))
			if strings.Contains(text, testSecret) {
				t.Errorf("%s: a secret is shown:\n%s", path, text)
			}
			again, list := read([]*strict.File{strict.NewFile("/files/"+filepath.Base(path), []byte(text))}, testOptions())
			if again == nil {
				t.Errorf("%s: what is shown is not read: %v\n%s", path, list, text)
				continue
			}
			want, _ := hideLiterals(file.Document)
			if diff := cmp.Diff(want, again.Document); diff != "" {
				t.Errorf("%s, defaults %t: not the same (-want +got):\n%s", path, defaults, diff)
			}
		}
	}
	for _, name := range []string{"minimal", "secrets"} {
		path := "testdata/show-" + name + ".yaml"
		file, list := readTestFile(t, path)
		if file == nil {
			t.Fatal(list)
		}
		golden.Check(t, goldenPath(path), string(file.Show(false))+"--- with defaults ---\n"+string(file.Show(true)))
	}
}

// TestShowIsWhatWasRead checks that nothing of the defaults is in a file that is
// shown without them.
func TestShowIsWhatWasRead(t *testing.T) {
	data, err := os.ReadFile("testdata/show-minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file, list := readTestFile(t, "testdata/show-minimal.yaml")
	if file == nil {
		t.Fatal(list)
	}
	if diff := cmp.Diff(string(data), string(file.Show(false))); diff != "" {
		t.Errorf("(-file +shown):\n%s", diff)
	}
}

// TestEverySecretCanBeAskedFor checks that every field that may hold a secret
// itself has one beside it that refers to it: what is shown needs it.
func TestEverySecretCanBeAskedFor(t *testing.T) {
	found, seen := 0, map[reflect.Type]bool{}
	var look func(t reflect.Type)
	look = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		fields := strict.Fields(typ)
		for _, f := range fields {
			look(f.Type)
			if f.Type != reflect.TypeFor[v1alpha1.SecretText]() {
				continue
			}
			found++
			if from := fieldWithKey(fields, f.Key+"From"); from == nil || from.Type != reflect.TypeFor[*v1alpha1.SecretSource]() {
				t.Errorf("%v: %s has no %sFrom", typ, f.Key, f.Key)
			}
		}
	}
	look(reflect.TypeFor[v1alpha1.Cluster]())
	if found < 4 {
		t.Errorf("found only %d", found)
	}
}

// TestSecretsAreHiddenEverywhere checks secrets behind everything that a
// document's types may be made of, and that the original keeps them.
func TestSecretsAreHiddenEverywhere(t *testing.T) {
	type account struct {
		Password     v1alpha1.SecretText    `yaml:"password"`
		PasswordFrom *v1alpha1.SecretSource `yaml:"passwordFrom"`
	}
	type inner struct {
		account  `yaml:",inline"`
		Accounts map[string]*account `yaml:"accounts"`
	}
	type document struct {
		List []inner        `yaml:"list"`
		Free map[string]any `yaml:"free"`
	}
	secret := account{Password: "hunter2"}
	doc := document{List: []inner{{Accounts: map[string]*account{"x": &secret}}}, Free: map[string]any{"a": []any{nil, int64(1)}}}
	var hidden []strict.Path
	out := withoutLiterals(reflect.ValueOf(doc), "", &hidden).Interface().(document)
	got := out.List[0].Accounts["x"]
	if got.Password != "" || got.PasswordFrom == nil || !got.PasswordFrom.Prompt {
		t.Errorf("%+v, password %q", got, string(got.Password))
	}
	if len(hidden) != 1 || hidden[0] != "list[0].accounts.x.passwordFrom" {
		t.Errorf("hidden: %v", hidden)
	}
	if secret.Password != "hunter2" || !reflect.DeepEqual(doc.Free, out.Free) {
		t.Errorf("the original changed, or what is free is not the same: %v", out.Free)
	}
}
