package v1alpha1

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON schema (draft 7) of cluster files, for editors and other
// programs. Files that are right by it may still be refused: it knows names,
// types, words and bounds, not how the parts of a file fit together.
func Schema() []byte { return slices.Clone(schema) }
