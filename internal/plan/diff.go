package plan

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"
)

// FileDiff is the unified diff, for a Change, of a text file's content on a
// host; nil stands for a file that isn't there. It is empty when nothing
// differs and when either side isn't text: bytes say nothing to a reviewer.
// Never call it on a file that holds secrets.
func FileDiff(path string, before, after []byte) string {
	if !isText(before) || !isText(after) {
		return ""
	}
	from, to := path, path
	if before == nil {
		from = "/dev/null"
	}
	if after == nil {
		to = "/dev/null"
	}
	out := diff.Diff(from, before, to, after)
	// The library opens with a "diff old new" line, which repeats the next two.
	if i := bytes.Index(out, []byte("--- ")); i >= 0 {
		out = out[i:]
	}
	return string(out)
}

// ChangedLines is a FileDiff without the lines around those that change: what
// others wrote into a file that is shared with them may hold their secrets.
func ChangedLines(diff string) string {
	var b strings.Builder
	for line := range strings.Lines(diff) {
		if !strings.HasPrefix(line, " ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// FileChange is the Change that FileDiff tells: what is done to the file at
// path, and how its text differs. ok is false when nothing is.
func FileChange(path string, before, after []byte) (c Change, ok bool) {
	c = Change{What: path, Action: "update", Diff: FileDiff(path, before, after)}
	switch {
	case before == nil && after == nil:
		return Change{}, false
	case before == nil:
		c.Action = "create"
	case after == nil:
		c.Action = "remove"
	case bytes.Equal(before, after):
		return Change{}, false
	}
	return c, true
}

func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }
