package strict

import (
	"fmt"
	"strings"
	"unicode"
)

// DidYouMean is a hint that names the candidate nearest to a word, or "" if
// none is near.
func DidYouMean(word string, candidates []string) string {
	if best := Nearest(word, candidates); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return ""
}

// Nearest returns the candidate that a word is most likely a misspelling of, or
// "". Case, "-" and "_" do not count: private_key_path is privateKeyPath.
func Nearest(word string, candidates []string) string {
	const longest = 64 // nobody misspells a key into that; keeps huge keys cheap
	if len(word) > longest {
		return ""
	}
	word = plain(word)
	best, bestDistance := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := editDistance(word, plain(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// plain is a word without the differences that styles of writing keys make.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// editDistance is how many letters must be added, dropped, changed or swapped
// with their neighbour to make one word of the other.
func editDistance(a, b string) int {
	s, t := []rune(a), []rune(b)
	twoAgo, ago, now := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range now {
		now[j] = j
	}
	for i := 1; i <= len(s); i++ {
		twoAgo, ago, now = ago, now, twoAgo
		now[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			now[j] = min(ago[j]+1, now[j-1]+1, ago[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				now[j] = min(now[j], twoAgo[j-2]+1)
			}
		}
	}
	return now[len(t)]
}
