package component

import (
	"strings"

	"github.com/quorate/quorate/internal/plan"
)

// WhyOf puts what was observed into words, from the changes it asks for.
func WhyOf(changes []plan.Change) string {
	words := make([]string, 0, len(changes))
	for _, c := range changes {
		switch c.Action {
		case "create":
			words = append(words, c.What+" missing")
		case "start":
			words = append(words, c.What+" not running")
		case "enable":
			words = append(words, c.What+" not enabled")
		case "remove":
			words = append(words, c.What+" no longer wanted")
		case "restart", "reload":
		default:
			words = append(words, c.What+" differs")
		}
	}
	if len(words) == 0 && len(changes) > 0 {
		words = append(words, changes[0].What+" has not taken in what was replaced")
	}
	return strings.Join(words, "; ")
}
