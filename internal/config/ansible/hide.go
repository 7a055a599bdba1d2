package ansible

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// assignment is a key and an = or : inside a line.
var assignment = regexp.MustCompile(`([\p{L}\p{N}_-]+)["']?\s*[:=：＝]\s*`)

// usualVariable begins a word that is surely a host's variable, and no part of
// the password before it.
var usualVariable = regexp.MustCompile(`^(ansible_\w+|ip6?|access_ip6?|etcd_member_name|node_\w+|k8s_nodename|LB_ROLE|EX_APISERVER_\w+|NEW_\w+)=`)

// hideINISecrets keeps the secrets of a line out of all excerpts: where the line
// is of words, a secret variable's value with the words behind it that may belong
// to it, and else all behind a key that looks like a secret's.
func hideINISecrets(src *diag.Source, number int, line string, ofWords bool) {
	const longest = 16 << 10 // in a file of one long line, finding each place in it would take for ever
	words, err := []word(nil), error(nil)
	if len(line) <= longest {
		words, err = splitWords(line)
	}
	if strict.IsPrivateKey(line) {
		src.Hide(diag.Position{Line: number, Column: 1}, -1)
		return
	}
	for _, m := range assignment.FindAllStringSubmatchIndex(line, -1) {
		if !strict.IsSecretKey(line[m[2]:m[3]]) {
			continue
		}
		column := utf8.RuneCountInString(line[:m[1]]) + 1
		end := -1
		if ofWords && err == nil {
			end = endOfSecret(words, line[m[2]:m[3]], column)
		}
		if end < 0 {
			src.Hide(diag.Position{Line: number, Column: column}, -1)
			return
		}
		src.Hide(diag.Position{Line: number, Column: column}, end-column)
	}
	strict.HideURLPasswords(src, number)
	strict.HideLogins(src, number)
}

// endOfSecret is the column behind the value of a secret variable that begins at
// a column, or -1 where all to the end of the line may be a part of it.
func endOfSecret(words []word, name string, column int) int {
	for i, w := range words {
		key, _, ok := strings.Cut(w.text, "=")
		if !ok || key != name || column < w.from || column > w.to {
			continue
		}
		for _, next := range words[i+1:] {
			if usualVariable.MatchString(next.text) || w.isQuoted && strings.Contains(next.text, "=") {
				if next.from == words[i+1].from {
					return w.to
				}
				return next.from
			}
		}
		return -1
	}
	return -1
}

// shown is a variable's name for messages: not that of one which stands where a
// password may go on.
func (v *variable) shown() string {
	if v.at.Source.Hides(v.at.Position) {
		return "a variable right behind a password"
	}
	return strict.Clip(strict.Printable(v.name))
}
