package strict

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Words are what another tool's files call what our messages name. A finding about
// the document that an importer made speaks of the file that its reader has.
type Words struct {
	// Fields are its names of our fields, by their paths below spec without indices,
	// such as network.podCIDR. Where the importer noted the name that the file has
	// in the field's place, that is used.
	Fields map[Path]string
	// Phrases are its words for parts of messages that name no field.
	Phrases map[string]string
}

// vocabulary finds our names in messages.
type vocabulary struct {
	forms   map[string]Path // how messages name fields
	words   Words
	pattern *regexp.Regexp
}

// Speak has the findings about this document use a file's own words.
func (r *Report) Speak(w Words) {
	v := &vocabulary{forms: map[string]Path{}, words: w}
	count := map[string]int{}
	for p := range w.Fields {
		for _, form := range formsOf(p) {
			v.forms[form] = p
			count[form]++
		}
	}
	var texts []string
	for form := range v.forms {
		if count[form] > 1 {
			delete(v.forms, form)
			continue
		}
		texts = append(texts, edged(form))
	}
	for phrase := range w.Phrases {
		texts = append(texts, edged(phrase))
	}
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	v.pattern = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|` + strings.Join(texts, "|"))
	r.words = v
}

// edged matches a text where it does not go on as a longer word.
func edged(text string) string {
	pattern := regexp.QuoteMeta(text)
	if regexp.MustCompile(`^\w`).MatchString(text) {
		pattern = `\b` + pattern
	}
	if regexp.MustCompile(`\w$`).MatchString(text) {
		pattern += `\b`
	}
	return pattern
}

// formsOf are the ways in which messages name a field: by the end of its path, of
// two words at least, or of one that no other text has.
func formsOf(p Path) []string {
	parts := strings.Split(string(p), ".")
	last := parts[len(parts)-1]
	var forms []string
	switch {
	case parts[0] == "ssh":
		return []string{"ssh: " + last}
	case strings.ToLower(last) != last:
		forms = append(forms, last)
	case parts[0] == "hosts":
		forms = append(forms, ": "+last)
	}
	for i := range len(parts) - 1 {
		forms = append(forms, strings.Join(parts[i:], "."))
	}
	return forms
}

// indices are those of lists in a path.
var indices = regexp.MustCompile(`\[\d+\]`)

// InFilesWords is a message about a path with the file's own words for what it names.
// What stands in quotes is the file's already.
func (r *Report) InFilesWords(p Path, text string) string {
	if r.words == nil {
		return text
	}
	return r.words.pattern.ReplaceAllStringFunc(text, func(found string) string {
		if phrase, ok := r.words.words.Phrases[found]; ok {
			return phrase
		}
		field, ok := r.words.forms[found]
		if !ok {
			return found
		}
		name := r.nameOf(field, p)
		if strings.HasPrefix(found, ": ") {
			name = ": " + name
		}
		return name
	})
}

// nameOf is what the file calls a field, in a finding about a path.
func (r *Report) nameOf(field, p Path) string {
	plain := func(p Path) Path {
		text := indices.ReplaceAllString(strings.TrimPrefix(string(p), "spec."), "")
		if login, ok := strings.CutPrefix(text, "hosts.ssh."); ok {
			text = "ssh." + login
		}
		return Path(text)
	}
	if at, q := r.at.nearest(p); at.Name != "" && (plain(q) == field || strings.HasPrefix(string(plain(q)), string(field)+".")) {
		return at.Name
	}
	return cmp.Or(r.at["spec."+field].Name, r.words.words.Fields[field])
}
