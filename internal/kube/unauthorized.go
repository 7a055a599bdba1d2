package kube

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// UnauthorizedError is an API server that answers, and does not take the
// administrator's credentials of its host.
type UnauthorizedError struct {
	Host   string
	Reason string // in the API server's words
}

// Error implements error.
func (e *UnauthorizedError) Error() string {
	return fmt.Sprintf("%s: the API server does not take the credentials in %s: %s", e.Host, adminConf, e.Reason)
}

// NoneAnswers is why no API server told anything. It wraps the first that refused
// the administrator's credentials.
func NoneAnswers(reasons []error) error {
	var words []string
	for _, err := range reasons {
		words = append(words, err.Error())
	}
	e := &noneAnswers{text: "no API server answers: " + strings.Join(words, "; ")}
	i := slices.IndexFunc(reasons, func(err error) bool { _, is := errors.AsType[*UnauthorizedError](err); return is })
	if i >= 0 {
		e.text, e.unauthorized = "no API server lets Quorate ask: "+strings.Join(words, "; "), reasons[i]
	}
	return e
}

type noneAnswers struct {
	text         string
	unauthorized error // nil where none answered
}

func (e *noneAnswers) Error() string { return e.text }
func (e *noneAnswers) Unwrap() error { return e.unauthorized }
