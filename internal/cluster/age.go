package cluster

import "strings"

// How a text encrypted with age begins: in age's own armor, and in the form of
// one line, which is the same bytes in base64 without armor.
const (
	AgeArmor   = "-----BEGIN AGE ENCRYPTED FILE-----"
	AgeOneLine = "YWdlLWVuY3J5cHRpb24ub3JnL3Yx" // "age-encryption.org/v1"
)

// IsAge reports whether a text looks as if it were encrypted with age, in one
// of the two forms. Only decrypting it tells whether it is whole.
func IsAge(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, AgeArmor) || strings.HasPrefix(text, AgeOneLine)
}
