package strict

import (
	"regexp"
	"slices"
	"strings"
)

// IsSecretKey reports whether a key is, or looks like a misspelling of, one whose
// value is a secret. It is generous: hiding too much of an excerpt does no harm.
func IsSecretKey(key string) bool {
	k := plain(key)
	if strings.HasSuffix(k, "path") || strings.HasSuffix(k, "file") {
		return false
	}
	if IsPasswordKey(key) || k == "auth" {
		return true
	}
	for _, part := range []string{"secret", "token", "privatekey", "credential", "密钥", "秘钥", "私钥", "令牌", "凭证"} {
		if strings.Contains(k, part) {
			return true
		}
	}
	return k != "key" && strings.HasSuffix(k, "key") // access_key, activationKey
}

// IsPasswordKey reports whether a key is, or looks like a misspelling of, one
// whose value is a password.
func IsPasswordKey(key string) bool {
	k := plain(key)
	if strings.HasSuffix(k, "path") || strings.HasSuffix(k, "file") {
		return false
	}
	for _, part := range []string{"pass", "pasw", "pwd", "psw", "密码", "密碼", "口令"} {
		if strings.Contains(k, part) {
			return true
		}
	}
	if strings.HasPrefix(k, "pw") || strings.HasSuffix(k, "pw") {
		return true
	}
	return misspells(k, "password", 2) || misspells(k, "sudopassword", 3)
}

// misspells reports whether a word is another with at most so many mistakes.
func misspells(word, other string, mistakes int) bool {
	difference := len(word) - len(other)
	return max(difference, -difference) <= mistakes && editDistance(word, other) <= mistakes
}

// credentials are a user's name and password in a URL.
var credentials = regexp.MustCompile(`://[^/@\s]*:[^/@\s]*@`)

// HasCredentials reports whether a text holds a URL with a password in it.
func HasCredentials(text string) bool { return credentials.MatchString(text) }

// login is a user's name and password in front of an address, in a URL or not.
var login = regexp.MustCompile(`[^\s/:@"'=({\[]*:\S+@`)

// hasLogin reports whether a text holds a password in front of an address, as
// root:password@192.0.2.1 does. The digest of an image stands behind an @, too.
func hasLogin(text string) bool {
	return slices.ContainsFunc(login.FindAllStringIndex(text, -1), func(m []int) bool { return !strings.HasPrefix(text[m[1]:], "sha256:") })
}

// withoutLogins is a text, such as a message that quotes a value, without the
// names and passwords in front of addresses.
func withoutLogins(text string) string {
	if !hasLogin(text) {
		return text
	}
	return login.ReplaceAllString(text, "…@")
}

// IsPrivateKey reports whether a text is a private key, such as people put where
// the path of one belongs.
func IsPrivateKey(text string) bool { return strings.Contains(text, "PRIVATE KEY-----") }

// keyValue finds what looks like a key and the start of its value in a line,
// with the colon of Chinese keyboards, too.
var keyValue = regexp.MustCompile(`([\p{L}\p{N}_.-]+)["']?[\s\p{Zs}]*[:=：＝][\s\p{Zs}]*`)

// secretsIn is where the values of secret keys begin in a line, in bytes.
func secretsIn(text string) []int {
	var begin []int
	for _, m := range keyValue.FindAllStringSubmatchIndex(text, -1) {
		if IsSecretKey(text[m[2]:m[3]]) {
			begin = append(begin, m[1])
		}
	}
	return begin
}
