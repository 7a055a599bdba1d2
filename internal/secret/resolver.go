package secret

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
)

// maxFileSize is the largest secret file, in bytes, that is read.
const maxFileSize = 64 << 10

// Resolver resolves references. Each question is asked once, and each file
// warned about once, however many hosts need it and however parallel they are.
// Make one with NewResolver.
type Resolver struct {
	// LookupEnv reads an environment variable.
	LookupEnv func(name string) (string, bool)
	// Prompt asks a question and returns the answer, which was not shown.
	Prompt func(ctx context.Context, question string) (string, error)
	// Warn is told of secrets that others can read; it never gets a secret.
	Warn func(message string)

	// turn holds one token: whoever has it may ask and use what follows.
	turn    chan struct{}
	answers map[string]Value
	warned  map[string]bool
}

// NewResolver makes a resolver that uses the process's environment and its
// terminal. warn may be nil.
func NewResolver(warn func(message string)) *Resolver {
	if warn == nil {
		warn = func(string) {}
	}
	return &Resolver{
		LookupEnv: os.LookupEnv,
		Prompt:    AskOnTerminal,
		Warn:      warn,
		turn:      make(chan struct{}, 1),
		answers:   map[string]Value{},
		warned:    map[string]bool{},
	}
}

// Resolve returns the value that a reference stands for; the zero reference is
// the zero value. what names the secret in questions and errors, such as "SSH
// password of ubuntu@192.168.0.2": references with the same what that are asked
// for get the same answer. Errors name the reference and what to do, and never
// hold any part of a value.
func (r *Resolver) Resolve(ctx context.Context, ref cluster.Secret, what string) (Value, error) {
	switch {
	case ref.Env != "":
		text, ok := r.LookupEnv(ref.Env)
		if !ok || text == "" {
			return Value{}, fmt.Errorf("%s: environment variable %s is not set: set it and run again", what, ref.Env)
		}
		return NewValue(text), nil
	case ref.File != "":
		return r.fromFile(ctx, ref.File, what)
	case ref.Prompt:
		return r.ask(ctx, what)
	}
	return NewValue(ref.Literal), nil
}

// Forget drops the answer to a question, so that it is asked again: a mistyped
// password need not end the run.
func (r *Resolver) Forget(ctx context.Context, what string) error {
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.give()
	delete(r.answers, what)
	return nil
}

// take waits for the resolver's one token. Nobody gets it in a context that has
// ended: the one who had it may have ended the run.
func (r *Resolver) take(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if ctx.Err() != nil {
		r.give()
		return context.Cause(ctx)
	}
	return nil
}

func (r *Resolver) give() { <-r.turn }

// ask asks a question, or returns the answer it got before.
func (r *Resolver) ask(ctx context.Context, what string) (Value, error) {
	if err := r.take(ctx); err != nil {
		return Value{}, fmt.Errorf("%s: %w", what, err)
	}
	defer r.give()
	if answer, ok := r.answers[what]; ok {
		return answer, nil
	}
	text, err := r.Prompt(ctx, what)
	switch {
	case err != nil:
		return Value{}, fmt.Errorf("%s: %w", what, err)
	case text == "":
		return Value{}, fmt.Errorf("%s: nothing was typed", what)
	}
	r.answers[what] = NewValue(text)
	return NewValue(text), nil
}

// fromFile reads a secret from a file and warns when others may read it too.
func (r *Resolver) fromFile(ctx context.Context, path, what string) (Value, error) {
	f, err := os.Open(path)
	if err != nil {
		return Value{}, fmt.Errorf("%s: %w", what, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Value{}, fmt.Errorf("%s: %w", what, err)
	}
	if info.IsDir() {
		return Value{}, fmt.Errorf("%s: %s is a folder: give a file that holds only the secret", what, path)
	}
	const groupAndOthers = 0o077
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&groupAndOthers != 0 {
		if err := r.warnOnce(ctx, path, fmt.Sprintf("%s can be read by other users (mode %04o): run chmod 600 %s", path, mode.Perm(), path)); err != nil {
			return Value{}, fmt.Errorf("%s: %w", what, err)
		}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return Value{}, fmt.Errorf("%s: %w", what, err)
	}
	text, _ := strings.CutSuffix(string(data), "\n")
	text, _ = strings.CutSuffix(text, "\r")
	switch {
	case len(data) > maxFileSize:
		return Value{}, fmt.Errorf("%s: %s is larger than %d KiB: give a file that holds only the secret", what, path, maxFileSize>>10)
	case text == "":
		return Value{}, fmt.Errorf("%s: %s is empty", what, path)
	}
	return NewValue(text), nil
}

// warnOnce passes a warning on unless it was given for the file before.
func (r *Resolver) warnOnce(ctx context.Context, path, message string) error {
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.give()
	if !r.warned[path] {
		r.warned[path] = true
		r.Warn(message)
	}
	return nil
}

// errNoTerminal is why nothing can be asked in a pipeline.
var errNoTerminal = errors.New("there is no terminal to ask on: give the secret by an environment variable (env) or a file (file)")
