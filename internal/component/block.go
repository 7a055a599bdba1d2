package component

import "strings"

// The lines around what Quorate keeps in a file that it shares with others.
const (
	blockBegin = "# begin quorate\n"
	blockEnd   = "# end quorate\n"
)

// SwapOff stands before the swap entries of a host's fstab that Quorate has
// commented out.
const SwapOff = "# off for the kubelet (quorate): "

// ReplaceBlock returns the text with Quorate's block set to the given lines:
// replaced where it stands, else added at the end; removed when empty. What
// others wrote is kept to the letter.
func ReplaceBlock(text, lines string) string {
	before, after, _ := strings.Cut(text, blockBegin)
	if _, rest, ok := strings.Cut(after, blockEnd); ok {
		after = rest
	}
	if lines == "" {
		return before + after
	}
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += "\n"
	}
	if !strings.HasSuffix(lines, "\n") {
		lines += "\n"
	}
	return before + blockBegin + lines + blockEnd + after
}

// Block returns the lines of Quorate's block in a text; empty where it has none.
func Block(text string) string {
	_, after, _ := strings.Cut(text, blockBegin)
	lines, _, ok := strings.Cut(after, blockEnd)
	if !ok {
		return ""
	}
	return lines
}
