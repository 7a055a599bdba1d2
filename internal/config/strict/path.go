package strict

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/diag"
)

// Path is a field's place in a document, such as spec.hosts[2].address.
type Path string

// Key is the path of a mapping's value.
func (p Path) Key(name string) Path {
	if p == "" {
		return Path(name)
	}
	return p + "." + Path(name)
}

// Index is the path of a list's element.
func (p Path) Index(i int) Path { return p + Path(fmt.Sprintf("[%d]", i)) }

// parent is the path that p is directly in; the document's is "".
func (p Path) parent() Path {
	return p[:max(strings.LastIndexAny(string(p), ".["), 0)]
}

// Place is where something stands: a position in a text. The zero place is the
// report's own file as a whole.
type Place struct {
	Source   *diag.Source
	Position diag.Position
	// Name is what the file calls it, where the file is another tool's.
	Name string
}

// Called is the place under a name.
func (p Place) Called(name string) Place {
	p.Name = name
	return p
}

// places are where the values of paths stand. A path that is in it was written
// in a file, even if its value is zero.
type places map[Path]Place

// nearest is where a path stands, or else the innermost of the paths around it,
// and which of them that is.
func (ps places) nearest(p Path) (Place, Path) {
	for {
		if at, ok := ps[p]; ok || p == "" {
			return at, p
		}
		p = p.parent()
	}
}
