package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// SavedVersion is the version of the format that Saved is written in.
const SavedVersion = 1

// MaxSavedSize is the largest file that DecodeSaved takes, in bytes: room for
// the plan of a thousand bare hosts.
const MaxSavedSize = 64 << 20

// Saved is a plan in a file: for review, and to be applied as it was reviewed
// or not at all. It is never run itself. An apply plans anew and goes on only
// when the new plan is this one. It holds no secrets, since plans hold none.
type Saved struct {
	FormatVersion int    `json:"formatVersion"`
	Quorate       string `json:"quorate"` // the version that made it
	// Made is when the hosts were observed, in UTC.
	Made time.Time `json:"made"`
	// ClusterFiles are the files that the desired cluster was read from.
	ClusterFiles []Source `json:"clusterFiles"`
	// Kubernetes is the version that was said in place of the files' own; empty
	// for theirs.
	Kubernetes string `json:"kubernetes,omitempty"`
	// NetworkPlugin is the same for the network plugin.
	NetworkPlugin string `json:"networkPlugin,omitempty"`
	// Bundle is what would be installed from; nil where there was none.
	Bundle *Source `json:"bundle,omitempty"`
	Plan   *Plan   `json:"plan"`
	// Digest is of all the above, in hex: a file that was damaged or edited
	// does not match it. It is no signature.
	Digest string `json:"digest"`
}

// Source is something that a plan was made from, as it was then.
type Source struct {
	// Path is absolute; empty for the default bundle.
	Path   string `json:"path,omitempty"`
	SHA256 string `json:"sha256"` // of its content, in hex
	// Gathered is true for a file that was not named but belongs to one that was.
	Gathered bool `json:"gathered,omitempty"`
}

// SourceOf is the source that has this content.
func SourceOf(path string, content []byte) Source {
	sum := sha256.Sum256(content)
	return Source{Path: path, SHA256: hex.EncodeToString(sum[:])}
}

// Encode makes the file's content; the version and the digest are filled in.
func (s Saved) Encode() ([]byte, error) {
	s.FormatVersion, s.Made = SavedVersion, s.Made.UTC().Round(0)
	var err error
	if s.Digest, err = s.digest(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false) // diffs are read by people, too
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return b.Bytes(), nil
}

// digest fails for what cannot be written, such as a time beyond the year 9999.
func (s Saved) digest() (string, error) {
	s.Digest = ""
	b, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("plan: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// IsSaved reports whether data looks like a saved plan of any version, sound or
// not: what may be written over by a newer one.
func IsSaved(data []byte) bool {
	var head struct {
		FormatVersion int
		Quorate       string
		Plan          json.RawMessage
	}
	return json.Unmarshal(data, &head) == nil && head.FormatVersion > 0 && head.Quorate != "" && head.Plan != nil
}

// DecodeSaved reads a saved plan. The content may be anybody's: whatever
// Encode would not have written is refused.
func DecodeSaved(data []byte) (*Saved, error) {
	if len(data) > MaxSavedSize {
		return nil, fmt.Errorf("larger than %d MiB; it is no saved plan", MaxSavedSize>>20)
	}
	if !IsSaved(data) {
		return nil, errors.New("it is no saved plan; a cluster file is named with -f")
	}
	var version struct{ FormatVersion int }
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, fmt.Errorf("it is no saved plan; a cluster file is named with -f: %w", err)
	}
	if version.FormatVersion != SavedVersion {
		return nil, fmt.Errorf("its format is version %d, and this quorate reads version %d; make it anew", version.FormatVersion, SavedVersion)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var s Saved
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("it was damaged or edited: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it was damaged or edited: something follows the plan")
	}
	if digest, err := s.digest(); err != nil || s.Digest != digest {
		return nil, errors.New("it was damaged or edited: its content does not match its digest")
	}
	return &s, s.check()
}

// check refuses what no planner makes, though its digest is right.
func (s *Saved) check() error {
	if s.Plan == nil || s.Plan.Verb != "apply" || s.Plan.Cluster == "" {
		return errors.New("it holds no plan of an apply")
	}
	if len(s.ClusterFiles) == 0 {
		return errors.New("it names no cluster file")
	}
	for _, f := range s.ClusterFiles {
		if f.Path == "" {
			return errors.New("it names no cluster file")
		}
	}
	before := s.Plan.Digest()
	again, err := New(s.Plan.Cluster, s.Plan.Verb, s.Plan.Steps)
	if err != nil {
		return fmt.Errorf("it was damaged or edited: %w", err)
	}
	if again.Digest() != before {
		return errors.New("it was damaged or edited: its steps are not in order")
	}
	return nil
}
