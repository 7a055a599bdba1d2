package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Seconds is a duration that is a number of seconds in JSON, rounded to
// microseconds: what jq and people can use as it is.
type Seconds time.Duration

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) {
	us := time.Duration(s).Round(time.Microsecond).Microseconds()
	return strconv.AppendFloat(nil, float64(us)/1e6, 'f', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("a duration must be a number of seconds, not %s", b)
	}
	*s = Seconds(time.Duration(f * 1e9).Round(time.Microsecond))
	return nil
}

// Duration is s as a time.Duration.
func (s Seconds) Duration() time.Duration { return time.Duration(s) }

// Unknown is the body of an event whose kind this version does not know: a
// journal written by a newer one. Raw is the whole object.
type Unknown struct {
	Name string
	Raw  json.RawMessage
}

// Kind implements Body.
func (u Unknown) Kind() string { return u.Name }

// envelope is what every event has in JSON.
type envelope struct {
	Kind string    `json:"kind"`
	Time time.Time `json:"time"`
}

// MarshalJSON writes the flat object: kind and time first, then the body's fields.
func (e Event) MarshalJSON() ([]byte, error) {
	if u, ok := e.Body.(Unknown); ok {
		return u.Raw, nil
	}
	if e.Body == nil {
		return nil, fmt.Errorf("event without a body")
	}
	head, err := json.Marshal(envelope{Kind: e.Body.Kind(), Time: e.Time.UTC()})
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(e.Body)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", e.Body.Kind(), err)
	}
	if bytes.Equal(body, []byte("{}")) {
		return head, nil
	}
	out := append(head[:len(head)-1], ',')
	return append(out, body[1:]...), nil
}

// UnmarshalJSON reads what MarshalJSON wrote. A kind it does not know becomes
// an Unknown body, so that old programs read new journals.
func (e *Event) UnmarshalJSON(b []byte) error {
	var head envelope
	if err := json.Unmarshal(b, &head); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	if head.Kind == "" {
		return fmt.Errorf("event: no kind in %.80q", b)
	}
	body, err := decodeBody(head.Kind, b)
	if err != nil {
		return fmt.Errorf("event %s: %w", head.Kind, err)
	}
	e.Time, e.Body = head.Time, body
	return nil
}

func decodeBody(kind string, b []byte) (Body, error) {
	switch kind {
	case KindRunStarted:
		return decode[RunStarted](b)
	case KindStepStarted:
		return decode[StepStarted](b)
	case KindStepProgress:
		return decode[StepProgress](b)
	case KindStepDone:
		return decode[StepDone](b)
	case KindStepFailed:
		return decode[StepFailed](b)
	case KindStepInterrupted:
		return decode[StepInterrupted](b)
	case KindStepSkipped:
		return decode[StepSkipped](b)
	case KindHeartbeat:
		return decode[Heartbeat](b)
	case KindStopping:
		return decode[Stopping](b)
	case KindNote:
		return decode[Note](b)
	case KindRunDone:
		return decode[RunDone](b)
	}
	return Unknown{Name: kind, Raw: bytes.Clone(b)}, nil
}

func decode[T Body](b []byte) (Body, error) {
	var body T
	if err := json.Unmarshal(b, &body); err != nil {
		return nil, err
	}
	return body, nil
}
