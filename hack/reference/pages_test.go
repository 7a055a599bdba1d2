package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/config"
)

// yamlBlock is a fenced block of YAML in a page.
var yamlBlock = regexp.MustCompile("(?s)\n```yaml\n(.*?)\n```")

// TestPagesHoldGoodFiles reads every whole cluster file that a page shows.
func TestPagesHoldGoodFiles(t *testing.T) {
	found := 0
	for _, path := range files(t, "docs/*.md", "README*.md") {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlock.FindAllStringSubmatch(string(page), -1) {
			if !strings.Contains(block[1], "apiVersion: "+v1alpha1.APIVersion) {
				continue
			}
			found++
			c, list := config.Parse(path, []byte(block[1]), config.Options{DefaultKubernetes: catalog.Default(), Supported: catalog.Supported(), Home: "/home/me"})
			if c == nil || len(list) > 0 {
				t.Errorf("%s: %v in\n%s", path, list, block[1])
			}
		}
	}
	if found < 3 {
		t.Errorf("only %d files were found", found)
	}
}
