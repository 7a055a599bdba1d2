package strict

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/diag"
)

// What a parser says of a slip is seldom what is wrong, and where it says so is
// often a line too late. These are the slips of files that were copied out of
// guides, chats and merges.

// slip is a mistake that the lines around a syntax error can be searched for.
type slip struct {
	// in finds it in a line: the columns before it, or -1.
	in func(line string) int
	// anywhere says that it can be far before the place that the parser names.
	anywhere bool
	what     string
	hint     string
}

// matching is a slip's search by an expression whose first group is what is wrong.
func matching(expression string) func(string) int {
	compiled := regexp.MustCompile(expression)
	return func(line string) int {
		m := compiled.FindStringSubmatchIndex(line)
		if m == nil {
			return -1
		}
		return utf8.RuneCountInString(line[:m[2]])
	}
}

// slips lists them, the surest first.
func slips() []slip {
	return []slip{
		{matching("^\\s*(```)"), true, "the line is the fence of a listing in a text", "remove the lines of ``` around it"},
		{matching(`^(<<<<<<< |>>>>>>> |=======$)`), true, "the line is the mark of a merge that was not finished", "keep one of the two versions between <<<<<<< and >>>>>>>, and remove the three marks"},
		{matching(`^\s+(---)\s*$`), false, "the line between two documents is indented", "begin --- in the first column"},
		{matching(`(&nbsp;)`), false, "the line holds &nbsp;, which a web page left", "remove it, or write a blank instead"},
		{inCode(oddBlanks), false, oddBlankWhat, oddBlankHint},
		{inCode("："), false, "the line holds a full-width colon (：)", "write an ordinary colon, and a blank behind it"},
		{inCode("，"), false, "the line holds a full-width comma (，)", "write an ordinary comma, and a blank behind it"},
		{hashForPassword, false, "a # begins a comment where the password should be", quotePassword},
		{matching(`^\s*(-)[^\s-]`), false, "the dash of a list has no blank behind it", "write - and a blank before the element"},
		{matching(`(\$\{)`), false, "nothing fills in ${…} here, and its brace is YAML's", "write the value itself; for a password, passwordFrom: {env: VARIABLE} in a cluster file of Quorate's own"},
	}
}

// oddBlanks look like blanks, or like nothing, and are letters to YAML.
const (
	oddBlanks    = "\u00a0\u2002\u2003\u2007\u2009\u200b\u202f\u2060\u3000\ufeff"
	oddBlankWhat = "the line holds a blank that is none to YAML, such as web pages and Chinese keyboards make"
	oddBlankHint = "write ordinary blanks instead of it"
)

// CheckBlanks refuses such blanks around a key or value without quotes, and reports
// whether there are none: YAML takes them for a part of it.
func CheckBlanks(r *Report, roots []*yaml.Node) bool {
	fine := true
	var check func(n *yaml.Node)
	check = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && n.Style == 0 && (n.Value != strings.Trim(n.Value, oddBlanks) || oddBlankBehindColon.MatchString(n.Value)) {
			r.ErrorAt(Position(n), oddBlankHint, oddBlankWhat)
			fine = false
		}
		for _, inner := range n.Content {
			check(inner)
		}
	}
	for _, root := range roots {
		check(root)
	}
	return fine
}

var oddBlankBehindColon = regexp.MustCompile(`^[\w.-]+:[` + oddBlanks + `]`)

// gluedHint is a hint about a text where a mapping should be: what has no colon
// that YAML knows.
func gluedHint(text string) string {
	if glued(text) == "" {
		return ""
	}
	return "write an ordinary colon, and a blank behind it"
}

// inCode finds the first of some characters in a line that is neither in quotes
// nor in a comment.
func inCode(characters string) func(string) int {
	return func(line string) int {
		var quote, before rune
		column := 0
		for _, char := range line {
			switch {
			case quote != 0:
				if char == quote {
					quote = 0
				}
			case char == '#' && (before == 0 || before == ' ' || before == '\t'):
				return -1
			case (char == '"' || char == '\'') && strings.ContainsRune(" \t,:{[(", before):
				quote = char
			case strings.ContainsRune(characters, char):
				return column
			}
			before = char
			column++
		}
		return -1
	}
}

// findSlip searches the lines at and before a syntax error. It returns false
// where there is none of those that are known.
func findSlip(src *diag.Source, at diag.Position) (diag.Position, *slip) {
	const longest = 16 << 10
	for _, s := range slips() {
		for line := 1; line <= src.LineCount(); line++ {
			if !s.anywhere && (line < at.Line-1 || line > at.Line) || len(src.Line(line)) > longest {
				continue
			}
			if column := s.in(src.Line(line)); column >= 0 {
				return diag.Position{Line: line, Column: column + 1}, &s
			}
		}
	}
	return at, nil
}

// hashForPassword finds a # where a password should be.
func hashForPassword(line string) int {
	for _, m := range keyValue.FindAllStringSubmatchIndex(line, -1) {
		if IsPasswordKey(line[m[2]:m[3]]) && strings.HasPrefix(line[m[1]:], "#") {
			return utf8.RuneCountInString(line[:m[1]])
		}
	}
	return -1
}

// passwordLine begins a password without quotes.
var passwordLine = regexp.MustCompile(`^\s*[^\s"'*]`)

// hasBarePassword reports whether a line has a password without quotes.
func hasBarePassword(line string) bool {
	for _, m := range keyValue.FindAllStringSubmatchIndex(line, -1) {
		if IsPasswordKey(line[m[2]:m[3]]) && passwordLine.MatchString(line[m[1]:]) {
			return true
		}
	}
	return false
}
