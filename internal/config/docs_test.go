package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config/strict"
)

// block is a listing of a page.
var block = regexp.MustCompile("(?ms)^```(yaml|console)\n(.*?)^```$")

// TestThePageOfTheClusterFile: what docs/cluster-file.md shows of files and of what is
// printed is what is read and printed. A place in it was another than the real one.
func TestThePageOfTheClusterFile(t *testing.T) {
	page, err := os.ReadFile("../../docs/cluster-file.md")
	if err != nil {
		t.Fatal(err)
	}
	var whole []string
	shown, isShown := "", false
	for _, found := range block.FindAllStringSubmatch(string(page), -1) {
		kind, text := found[1], found[2]
		switch {
		case strings.HasPrefix(text, "apiVersion:"):
			whole = append(whole, text)
			if file, list := read([]*strict.File{strict.NewFile("/files/cluster.yaml", []byte(text))}, testOptions()); file == nil {
				t.Errorf("a file of the page is refused:\n%s\n%s", text, printed(t, list))
			} else {
				shown += string(file.Show(true))
			}
		case kind == "yaml": // a part of what config show --defaults prints of a file before it
			isShown = true
			if !strings.Contains(shown, text) {
				t.Errorf("config show --defaults does not print\n%s\nbut\n%s", text, shown)
			}
		case strings.HasPrefix(text, "$ quorate validate -f cluster.yaml\n"):
			_, want, _ := strings.Cut(text, "\n")
			slip := strings.Replace(whole[1], "name: cp-1, address:", "name: cp-1, adress:", 1)
			if _, list := read([]*strict.File{strict.NewFile("/files/cluster.yaml", []byte(slip))}, testOptions()); printed(t, list) != want {
				t.Errorf("validate prints\n%s\nwant what the page has\n%s", printed(t, list), want)
			}
			whole = append(whole, "checked")
		}
	}
	if !isShown || len(whole) < 4 || whole[len(whole)-1] != "checked" {
		t.Errorf("the page has not what it had: %d files, defaults %t", len(whole), isShown)
	}
}
