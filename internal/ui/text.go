package ui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/quorate/quorate/internal/printable"
)

// clean makes text from a host safe and whole lines.
func clean(s string) string { return printable.Text(s) }

// oneLine is clean text with its line breaks folded into spaces.
func oneLine(s string) string { return printable.Line(s) }

// width is the number of terminal cells of s.
func width(s string) int { return ansi.StringWidth(s) }

// pad fills s with spaces up to n cells.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-width(s))) }

// clip cuts s to n cells, ending in tail where something was cut.
func clip(s string, n int, tail string) string {
	if width(s) <= n {
		return s
	}
	if n <= width(tail) {
		return ansi.Truncate(s, max(n, 0), "")
	}
	return ansi.Truncate(s, n, tail)
}

// squeeze cuts s to n cells like clip, but keeps what s ends with in
// parentheses: "waiting for https://10.0... (connection refused)" says why.
func squeeze(s string, n int, tail string) string {
	i := strings.LastIndex(s, " (")
	if width(s) <= n || i < 0 || !strings.HasSuffix(s, ")") || width(s[i:]) > n-8 {
		return clip(s, n, tail)
	}
	return clip(s[:i], n-width(s[i:]), tail) + s[i:]
}

// wrap breaks s into lines of at most n cells, also within long words.
func wrap(s string, n int) []string {
	return strings.Split(ansi.Wrap(s, max(n, 10), ""), "\n")
}

// indent puts prefix before every line of s, without trailing blank lines.
func indent(s, prefix string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return prefix + strings.Join(lines, "\n"+prefix)
}

// elapsed words a duration for people: "0.4s", "42s", "3m05s", "1h02m".
func elapsed(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 9950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < 59500*time.Millisecond:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour-500*time.Millisecond:
		s := int(d.Round(time.Second).Seconds())
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	m := int(d.Round(time.Minute).Minutes())
	return fmt.Sprintf("%dh%02dm", m/60, m%60)
}

// stamp words a time since the start for logs, in tenths: "12.3s", "1h02m03.4s".
func stamp(d time.Duration) string {
	tenths := int64(max(d, 0).Round(100*time.Millisecond) / (100 * time.Millisecond))
	h, m, s := tenths/36000, tenths/600%60, float64(tenths%600)/10
	switch {
	case h > 0:
		return fmt.Sprintf("%dh%02dm%04.1fs", h, m, s)
	case m > 0:
		return fmt.Sprintf("%dm%04.1fs", m, s)
	}
	return fmt.Sprintf("%.1fs", s)
}

// count words a number of things: "1 step", "3 steps".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// place names where a step is done.
func place(host string) string {
	if host == "" {
		return "cluster"
	}
	return clean(host)
}
