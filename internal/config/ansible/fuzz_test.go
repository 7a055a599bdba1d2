package ansible

import (
	"strings"
	"testing"
)

// FuzzHosts feeds host patterns, lines and values of INI inventories. Ranges
// never make more names than they may, and nothing stands twice for one number;
// words are inside the line, one behind the other.
func FuzzHosts(f *testing.F) {
	for _, seed := range []string{
		"node[01:20]", "rack-[a:c]-[1:3]", "node[1:10:2]:2222", "[2001:db8::1]:22", "2001:db8::1", "n[1:", "n]", "n[a:ff]", "n[09:10]", "n[1:99999999999]",
		"master ansible_host=10.0.0.1 ansible_ssh_pass='a b#c' x=\"q\\\"q\" # end", "{'a': ['b', 1, None], 'c': (True, 1.5)}", "'it\\'s'", "[[[[",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const most = 300
		names, port, err := expandHosts(s, most)
		if err == nil && (len(names) == 0 || len(names) > most) {
			t.Errorf("%q: %d names", s, len(names))
		}
		for _, name := range names {
			if name == "" || strings.ContainsAny(name, "[]") && err == nil {
				t.Errorf("%q: the name %q", s, name)
			}
		}
		if len(port) > 5 {
			t.Errorf("%q: the port %q", s, port)
		}
		length := len([]rune(s))
		words, _ := splitWords(s)
		behind := 1
		for _, w := range words {
			if w.from < behind || w.to <= w.from || w.to > length+1 {
				t.Errorf("%q: the word %+v behind column %d of %d", s, w, behind, length)
			}
			behind = w.to
		}
		if n := pythonValue(s); n == nil {
			t.Errorf("%q is no value", s)
		}
	})
}
