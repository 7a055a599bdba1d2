package ui

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTimes(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		-time.Second:               {"0.0s", "0.0s"},
		40 * time.Millisecond:      {"0.0s", "0.0s"},
		9949 * time.Millisecond:    {"9.9s", "9.9s"},
		9950 * time.Millisecond:    {"10s", "10.0s"},
		59499 * time.Millisecond:   {"59s", "59.5s"},
		59999 * time.Millisecond:   {"1m00s", "1m00.0s"},
		185 * time.Second:          {"3m05s", "3m05.0s"},
		3599600 * time.Millisecond: {"1h00m", "59m59.6s"},
		3723400 * time.Millisecond: {"1h02m", "1h02m03.4s"},
	} {
		if got := [2]string{elapsed(d), stamp(d)}; got != want {
			t.Errorf("%s: %v, want %v", d, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	got := Table([]string{"NAME", "ROLE", "STATE"}, [][]string{
		{"cp-1", "control-plane", "healthy"},
		{"节点-2", "worker", ""},
		{"\x1b[31mnode-3\x1b[0m", "worker", "down", "a fourth"},
	})
	want := "NAME    ROLE           STATE\n" +
		"cp-1    control-plane  healthy\n" +
		"节点-2  worker\n" +
		"\x1b[31mnode-3\x1b[0m  worker         down     a fourth\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("table (-want +got):\n%s", d)
	}
	if got := Table(nil, nil); got != "" {
		t.Errorf("an empty table is %q", got)
	}
}

func TestClip(t *testing.T) {
	for _, tt := range []struct {
		in   string
		n    int
		tail string
		want string
	}{
		{"short", 10, "...", "short"}, {"exactly", 7, "...", "exactly"}, {"too long", 7, "...", "too ..."},
		{"中文很长", 5, "…", "中文…"}, {"中文很长", 4, "…", "中…"}, {"abc", 2, "...", "ab"}, {"abc", 0, "...", ""},
	} {
		if got := clip(tt.in, tt.n, tt.tail); got != tt.want {
			t.Errorf("clip(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		mode     string
		terminal bool
		env      map[string]string
		want     Mode
		fails    bool
	}{
		{"auto", true, map[string]string{"TERM": "xterm"}, Live, false},
		{"", true, map[string]string{"TERM": "xterm"}, Live, false},
		{"auto", false, map[string]string{"TERM": "xterm"}, Plain, false},
		{"auto", true, map[string]string{"TERM": "dumb"}, Plain, false},
		{"auto", true, nil, Plain, false},
		{"auto", true, map[string]string{"TERM": "xterm", "CI": "true"}, Plain, false},
		{"live", true, map[string]string{"TERM": "xterm", "CI": "true"}, Live, false},
		{"live", true, map[string]string{"TERM": "dumb"}, Plain, false},
		{"live", false, nil, "", true},
		{"plain", true, map[string]string{"TERM": "xterm"}, Plain, false},
		{"json", true, nil, JSON, false},
		{"yaml", true, nil, "", true},
	} {
		got, err := choose(tt.terminal, tt.mode, func(k string) string { return tt.env[k] })
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
	}
}

func TestLookFor(t *testing.T) {
	for _, tt := range []struct {
		terminal bool
		env      map[string]string
		want     Look
	}{
		{true, map[string]string{"LANG": "zh_CN.UTF-8", "TERM": "xterm"}, Look{Unicode: true, Color: true, Terminal: true}},
		{true, map[string]string{"LANG": "C.utf8", "NO_COLOR": "1"}, Look{Unicode: true, Terminal: true}},
		{true, map[string]string{"LC_ALL": "C", "LANG": "en_US.UTF-8", "TERM": "xterm"}, Look{Color: true, Terminal: true}},
		{true, map[string]string{"LANG": "zh_CN.GB18030", "TERM": "dumb"}, Look{Terminal: true}},
		{false, map[string]string{"LC_CTYPE": "en_US.UTF-8"}, Look{Unicode: true}},
		{false, nil, Look{}},
	} {
		if got := lookFor(tt.terminal, func(k string) string { return tt.env[k] }); got != tt.want {
			t.Errorf("%+v: got %+v", tt, got)
		}
	}
}

// Columns hold only if every symbol is one cell wide.
func TestSymbolsAreOneCell(t *testing.T) {
	for _, l := range []Look{{}, {Unicode: true}} {
		for _, m := range []mark{markWaiting, markRunning, markDone, markFailed, markSkipped} {
			for frame := range 12 {
				if s := l.symbol(m, frame); width(s) != 1 {
					t.Errorf("%+v: symbol %q of mark %d is %d cells wide", l, s, m, width(s))
				}
			}
		}
	}
}

func TestSqueeze(t *testing.T) {
	const s = "waiting for https://10.0.0.2:6443/readyz (connection refused)"
	for n, want := range map[int]string{
		80: s,
		50: "waiting for https://10.0.0... (connection refused)",
		30: "waitin... (connection refused)",
		25: "waiting for https://10...",
	} {
		if got := squeeze(s, n, "..."); got != want {
			t.Errorf("squeeze to %d: %q, want %q", n, got, want)
		}
	}
}
