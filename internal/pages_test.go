package internal_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// page is one Markdown file of the repository.
type page struct {
	path     string // from the top of the repository
	words    int    // as `wc -w` counts them
	headings []string
	anchors  []string // of its headings, as GitHub makes them, and of its marks
	links    []string
	console  []string // its blocks of commands and what they print, without comments
	blocks   []string // its fenced blocks, with their fences, as they are
}

// levels are the levels of its headings: "##".
func (p page) levels() (out []string) {
	for _, h := range p.headings {
		level, _, _ := strings.Cut(h, " ")
		out = append(out, level)
	}
	return out
}

var (
	pageLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	pageMark = regexp.MustCompile(`<a id="([^"]+)">`)
	codeSpan = regexp.MustCompile("`[^`]*`")
)

// pages reads every page, by its path.
func pages(t *testing.T) map[string]page {
	t.Helper()
	out := map[string]page{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == ".git" || name == "bin" || name == "testdata") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", path)
		out[rel] = readPage(rel, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 15 {
		t.Fatalf("found %d pages, want them all", len(out))
	}
	return out
}

func readPage(path, text string) page {
	p := page{path: path, words: len(strings.Fields(text))}
	fence := ""
	for raw := range strings.Lines(text) {
		line := strings.TrimSpace(raw)
		opens := fence == "" && strings.HasPrefix(line, "```")
		if opens {
			p.blocks = append(p.blocks, "")
		}
		if opens || fence != "" {
			p.blocks[len(p.blocks)-1] += raw
		}
		switch {
		case opens:
			fence = line
		case strings.HasPrefix(line, "```"):
			fence = ""
		case fence == "```console":
			command, _, _ := strings.Cut(line, " #")
			p.console = append(p.console, strings.TrimSpace(command))
		case fence != "":
		default:
			if level := strings.IndexFunc(line, func(r rune) bool { return r != '#' }); level > 0 && line[level] == ' ' {
				title := strings.TrimSpace(line[level:])
				p.headings = append(p.headings, line[:level]+" "+title)
				p.anchors = append(p.anchors, anchor(title, p.anchors))
			}
			for _, m := range pageMark.FindAllStringSubmatch(line, -1) {
				p.anchors = append(p.anchors, m[1])
			}
			for _, m := range pageLink.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, "`"), -1) {
				p.links = append(p.links, m[1])
			}
		}
	}
	return p
}

// anchor is the name that GitHub gives a heading, among those that the page has before it.
func anchor(title string, before []string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
	unique := name
	for n := 1; slices.Contains(before, unique); n++ {
		unique = fmt.Sprint(name, "-", n)
	}
	return unique
}

// TestLinksLeadSomewhere follows every link of a page that stays in the repository.
func TestLinksLeadSomewhere(t *testing.T) {
	all, followed := pages(t), 0
	for _, p := range all {
		for _, link := range p.links {
			if strings.Contains(link, ":") {
				continue // another site's
			}
			followed++
			file, heading, _ := strings.Cut(link, "#")
			target := p.path
			if file != "" {
				target = filepath.Join(filepath.Dir(p.path), file)
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s links to %s, and there is no %s", p.path, link, target)
			} else if heading != "" && !slices.Contains(all[target].anchors, heading) {
				t.Errorf("%s links to %s, and %s has no heading #%s", p.path, link, target, heading)
			}
		}
	}
	if followed < 60 {
		t.Errorf("followed %d links, want at least 60: they are not found any more", followed)
	}
}

// TestFirstPagesStayShort holds what a newcomer reads first to what is read at one sitting.
func TestFirstPagesStayShort(t *testing.T) {
	all := pages(t)
	for path, most := range map[string]int{"README.md": 1200, "ARCHITECTURE.md": 1600} {
		if got := all[path].words; got == 0 || got > most {
			t.Errorf("%s has %d words, want at most %d: move what is not needed first to a page in docs", path, got, most)
		}
	}
}

// TestReadmesAreTwins compares the two languages: as many headings of each level, in the
// same order, and the same commands with the same output.
func TestReadmesAreTwins(t *testing.T) {
	all := pages(t)
	english, chinese := all["README.md"], all["README.zh.md"]
	if got, want := chinese.levels(), english.levels(); !slices.Equal(got, want) {
		t.Errorf("README.zh.md has the headings %q, want those of README.md: %q", chinese.headings, english.headings)
	}
	if d := cmp.Diff(english.console, chinese.console); d != "" {
		t.Errorf("the blocks of commands differ (-README.md +README.zh.md):\n%s", d)
	}
}

// withoutTwin are the pages that are English only: a reference that is generated, and a
// record that grows by itself.
var withoutTwin = []string{"docs/cluster-file-reference.md", "docs/track-record.md"}

// twinOf is where the Chinese twin of an English page is, if it has one.
func twinOf(path string) string {
	if path == "README.md" {
		return "README.zh.md"
	}
	return filepath.Join(filepath.Dir(path), "zh", filepath.Base(path))
}

// TestTwins compares each page with its twin in the other language. A page that was changed
// alone tells its readers two things.
func TestTwins(t *testing.T) {
	all, compared := pages(t), 0
	for path, english := range all {
		if filepath.Dir(path) != "docs" || slices.Contains(withoutTwin, path) {
			continue
		}
		twin := twinOf(path)
		chinese, found := all[twin]
		if !found {
			t.Errorf("%s has no twin %s", path, twin)
			continue
		}
		compared++
		if got, want := chinese.levels(), english.levels(); !slices.Equal(got, want) {
			t.Errorf("%s has the headings %q, want those of %s: %q", twin, chinese.headings, path, english.headings)
		}
		if d := cmp.Diff(english.blocks, chinese.blocks); d != "" {
			t.Errorf("the fenced blocks differ (-%s +%s):\n%s", path, twin, d)
		}
		if want := "zh/" + filepath.Base(path); !slices.Contains(english.links, want) {
			t.Errorf("%s does not link to its twin: no link to %s", path, want)
		}
		if want := "../" + filepath.Base(path); !slices.Contains(chinese.links, want) {
			t.Errorf("%s does not link to its twin: no link to %s", twin, want)
		}
	}
	for path, chinese := range all {
		if filepath.Dir(path) != "docs/zh" && path != "README.zh.md" {
			continue
		}
		if english := filepath.Join("docs", filepath.Base(path)); path != "README.zh.md" && all[english].path == "" {
			t.Errorf("%s is the twin of %s, and there is none", path, english)
		}
		for _, link := range chinese.links { // a reader of Chinese stays with it
			file, _, _ := strings.Cut(link, "#")
			twin := twinOf(filepath.Join(filepath.Dir(path), file))
			if _, found := all[twin]; found && twin != path {
				t.Errorf("%s links to %s, and there is %s", path, link, twin)
			}
		}
	}
	if compared == 0 {
		t.Error("no twins were compared: they are not found any more")
	}
}

var (
	// quotedError is an error at the beginning of a row, or of an entry of a list.
	quotedError = regexp.MustCompile("^(?:\\| |- \\*\\*)[^|]*?`[^|]*`")
	aQuote      = regexp.MustCompile("`([^`]+)`")
	joined      = regexp.MustCompile("\"\\s*\\+\\s*\"") // a text in two parts
)

// TestTroubleshootingQuotesTheTool finds what the page, in both languages, quotes in the
// tool's own texts: a reader searches the page for what the terminal says.
func TestTroubleshootingQuotesTheTool(t *testing.T) {
	said := toolTexts(t)
	for _, path := range []string{"docs/troubleshooting.md", "docs/zh/troubleshooting.md"} {
		page, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for line := range strings.Lines(string(page)) {
			for _, quote := range aQuote.FindAllStringSubmatch(quotedError.FindString(line), -1) {
				for part := range strings.SplitSeq(quote[1], "…") {
					if part = strings.TrimSpace(part); len(part) < 6 {
						continue // a command, or what stands between two names
					}
					found++
					if !strings.Contains(said, part) {
						t.Errorf("%s quotes %q, and no text of the tool says %q", path, quote[1], part)
					}
				}
			}
		}
		if found < 25 {
			t.Errorf("%s quotes %d texts, want at least 25: they are not found any more", path, found)
		}
	}
}

// toolTexts is the source of all that the tool says.
func toolTexts(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		out.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return joined.ReplaceAllString(out.String(), "")
}

// What `hack/changelog` gathers is one line a file, of a kind that it knows.
func TestChangesAreOneLineEach(t *testing.T) {
	files, err := filepath.Glob("../changes/*.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^(added|changed|fixed|removed): [^\n]+\.\n$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) != "README.md" && !line.Match(text) {
			t.Errorf("%s is %q, not one line that begins with its kind and ends with a full stop", file, text)
		}
	}
}
