package secret

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/quorate/quorate/internal/cluster"
)

// MaxSize is the size in bytes of the largest secret.
const MaxSize = 64 << 10

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
	// IdentityFile holds the private keys for values encrypted with age; empty
	// means what IdentityPath says.
	IdentityFile string

	// turn holds one token: whoever has it may ask and use what follows.
	turn    chan struct{}
	answers map[string]Value
	warned  map[string]bool
	keys    *identities // once they were read
	keysErr error       // why they could not be
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
	case ref.Age != "":
		return r.fromAge(ctx, ref.Age, what)
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
	data, warning, err := readPrivate(path)
	if err != nil {
		return Value{}, fmt.Errorf("%s: %w", what, err)
	}
	if warning != "" {
		if err := r.take(ctx); err != nil {
			return Value{}, fmt.Errorf("%s: %w", what, err)
		}
		r.warnOnce(path, warning)
		r.give()
	}
	text := trimLine(data)
	if text == "" {
		return Value{}, fmt.Errorf("%s: %s is empty", what, path)
	}
	return NewValue(text), nil
}

// readPrivate reads a file that holds a secret of at most MaxSize, and returns
// a warning when others than its owner may read it.
func readPrivate(path string) (data []byte, warning string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "", err
	}
	if info.IsDir() {
		return nil, "", fmt.Errorf("%s is a folder: give a file that holds only the secret", path)
	}
	const groupAndOthers = 0o077
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&groupAndOthers != 0 {
		warning = fmt.Sprintf("%s can be read by other users (mode %04o): run chmod 600 %s", path, mode.Perm(), path)
	}
	data, err = io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, "", err
	}
	if len(data) > MaxSize {
		return nil, "", fmt.Errorf("%s is larger than %d KiB: give a file that holds only the secret", path, MaxSize>>10)
	}
	return data, warning, nil
}

// warnOnce passes a warning on unless it was given for the file before. The
// caller has the resolver's token.
func (r *Resolver) warnOnce(path, warning string) {
	if warning == "" || r.warned[path] {
		return
	}
	r.warned[path] = true
	r.Warn(warning)
}

// errNoTerminal is why nothing can be asked in a pipeline.
var errNoTerminal = errors.New("there is no terminal to ask on: give the secret by an environment variable (env), a file (file) or encrypted (age)")
