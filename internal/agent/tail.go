package agent

// tail is a writer that keeps the last max bytes written to it.
type tail struct {
	max  int
	kept []byte
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if n >= t.max {
		t.kept = append(t.kept[:0], p[n-t.max:]...)
		return n, nil
	}
	// Letting the buffer grow to twice its bound before it is cut makes the
	// copying cost constant for each byte.
	if len(t.kept)+n > 2*t.max {
		keep := t.kept[len(t.kept)-(t.max-n):]
		t.kept = append(t.kept[:0], keep...)
	}
	t.kept = append(t.kept, p...)
	return n, nil
}

// bytes is what is kept.
func (t *tail) bytes() []byte {
	if len(t.kept) > t.max {
		return t.kept[len(t.kept)-t.max:]
	}
	return t.kept
}
