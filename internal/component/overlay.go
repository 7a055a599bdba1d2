package component

import "maps"

// Overlay lays a document over another: maps are merged key by key, everything
// else is replaced, lists as a whole, and null takes a key away (RFC 7396).
// Neither of the two is changed.
func Overlay(under, over map[string]any) map[string]any {
	out := maps.Clone(under)
	if out == nil {
		out = map[string]any{}
	}
	for key, value := range over {
		switch v := value.(type) {
		case nil:
			delete(out, key)
		case map[string]any:
			below, _ := out[key].(map[string]any)
			out[key] = Overlay(below, v)
		default:
			out[key] = value
		}
	}
	return out
}
