package strict

import (
	"fmt"
	"strings"
)

// glued takes apart a key such as port:22 or user=root: what a line in braces is
// to YAML where the blank behind a colon is missing, or where the colon is an
// equals sign. name is empty for all other keys.
func glued(key string) (name string) {
	if i := strings.IndexAny(key, ":=：＝"); i > 0 {
		return strings.TrimSpace(key[:i])
	}
	return ""
}

// KeyName is a key as messages show it: shortened, and without what is glued to
// it, should that be a secret.
func KeyName(key string) string {
	if name := glued(key); name != "" && IsSecretKey(name) {
		return Clip(name) + ":…"
	}
	return Clip(key)
}

// KeyHint is a hint about a key that is unknown among some, or "".
func KeyHint(key string, known []string) string {
	if best := Nearest(glued(key), known); best != "" {
		return fmt.Sprintf("YAML wants a blank behind the colon: write %s: …", best)
	}
	return DidYouMean(key, known)
}
