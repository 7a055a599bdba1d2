package component

import (
	"strings"
	"testing"
)

func TestReplaceBlock(t *testing.T) {
	for _, tt := range []struct{ name, text, lines, want string }{
		{"empty", "", "a\n", "# begin quorate\na\n# end quorate\n"},
		{"at the end", "x\n", "a\n", "x\n# begin quorate\na\n# end quorate\n"},
		{"a last line without its end", "x", "a", "x\n# begin quorate\na\n# end quorate\n"},
		{"where it stands", "x\n# begin quorate\nold\n# end quorate\ny\n", "a\nb\n", "x\n# begin quorate\na\nb\n# end quorate\ny\n"},
		{"removed", "x\n# begin quorate\nold\n# end quorate\ny\n", "", "x\ny\n"},
		{"nothing to remove", "x", "", "x"},
		{"cut off in the middle", "x\n# begin quorate\nold\n", "a\n", "x\n# begin quorate\na\n# end quorate\nold\n"},
		{"lines that speak of it", "# begin quorate, they say\n", "a\n", "# begin quorate, they say\n# begin quorate\na\n# end quorate\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ReplaceBlock(tt.text, tt.lines); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// Whatever others wrote: setting the block twice is setting it once, removing
// it leaves what was there, and their lines are never touched.
func FuzzReplaceBlock(f *testing.F) {
	for _, seed := range []string{"", "127.0.0.1 localhost\n", "a", "a\r\n\r\n", "\n\n", "x # begin quorate\n", "# end quorate\n"} {
		f.Add(seed, "10.0.0.1 api\n")
	}
	f.Fuzz(func(t *testing.T, text, lines string) {
		if strings.Contains(text, "# begin quorate") || strings.Contains(lines, "# begin") || strings.Contains(lines, "# end") || lines == "" {
			t.Skip("the block is Quorate's own")
		}
		once := ReplaceBlock(text, lines)
		if twice := ReplaceBlock(once, lines); twice != once {
			t.Errorf("twice: %q, once: %q", twice, once)
		}
		if !strings.HasPrefix(once, text) {
			t.Errorf("%q does not begin with what was there, %q", once, text)
		}
		if back, want := ReplaceBlock(once, ""), text; back != want && back != want+"\n" {
			t.Errorf("removed again: %q, want %q", back, want)
		}
	})
}
