package ui

import (
	"os"
	"strings"

	"charm.land/lipgloss/v2"
	"golang.org/x/term"
)

// Look is what the terminal can show. The zero value is plain ASCII.
type Look struct {
	Unicode bool // symbols beyond ASCII
	Color   bool
	// Terminal is set where lines end with the screen. Elsewhere texts are not
	// cut: a log is searched for what the end of a line says.
	Terminal bool
}

// LookFor asks the environment: UTF-8 by the locale, colour when out is a
// terminal and neither NO_COLOR nor TERM=dumb says otherwise.
func LookFor(out *os.File) Look {
	return lookFor(term.IsTerminal(int(out.Fd())), os.Getenv)
}

func lookFor(terminal bool, env func(string) string) Look {
	locale := ""
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale = env(name); locale != "" {
			break
		}
	}
	locale = strings.ToLower(locale)
	return Look{
		Unicode:  strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8"),
		Terminal: terminal,
		Color:    terminal && env("NO_COLOR") == "" && env("TERM") != "dumb",
	}
}

// mark is what a line is about.
type mark int

const (
	markWaiting mark = iota
	markRunning
	markDone
	markFailed
	markSkipped
)

// symbol is one cell wide. None of the Unicode ones is of ambiguous width, so
// that columns hold in Chinese and Japanese terminals too.
func (l Look) symbol(m mark, frame int) string {
	if !l.Unicode {
		return [...]string{markWaiting: ".", markRunning: spin(`|/-\`, frame), markDone: "+", markFailed: "x", markSkipped: "-"}[m]
	}
	return [...]string{markWaiting: "◦", markRunning: spin("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", frame), markDone: "✓", markFailed: "✗", markSkipped: "⊘"}[m]
}

func spin(frames string, n int) string {
	runes := []rune(frames)
	return string(runes[n%len(runes)])
}

func (l Look) ellipsis() string {
	if l.Unicode {
		return "…"
	}
	return "..."
}

// paint colours text by the mark it goes with.
func (l Look) paint(m mark, text string) string {
	if !l.Color {
		return text
	}
	switch m {
	case markRunning:
		return lipgloss.NewStyle().Foreground(lipgloss.Cyan).Render(text)
	case markDone:
		return lipgloss.NewStyle().Foreground(lipgloss.Green).Render(text)
	case markFailed:
		return lipgloss.NewStyle().Foreground(lipgloss.Red).Render(text)
	case markWaiting, markSkipped:
		return l.faint(text)
	}
	return text
}

func (l Look) faint(text string) string {
	if !l.Color {
		return text
	}
	return lipgloss.NewStyle().Faint(true).Render(text)
}

func (l Look) bold(text string) string {
	if !l.Color {
		return text
	}
	return lipgloss.NewStyle().Bold(true).Render(text)
}
