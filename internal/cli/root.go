// Package cli is the command line: one file a command, each an options struct
// and a function that runs. It is the only package that wires everything.
//
// What goes where: results that one might pipe go to standard output, all
// talk goes to standard error. An error is printed once, here, as "error:"
// and, where there is one, "hint:".
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/session"
	"github.com/quorate/quorate/internal/version"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2 // wrong usage, or a bad file
	exitPending     = 3 // plan --detailed-exitcode: there are changes
	exitUnjudged    = 4 // drill run: this machine is too busy to judge
	exitInterrupted = 130
)

// exitError carries an exit code; with no error of its own, everything has
// been said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// silent ends with a code without printing anything more.
func silent(code int) error { return &exitError{code: code} }

// usageError is what is wrong with how the tool was called or with a file.
func usageError(err error) error { return &exitError{code: exitUsage, err: err} }

// fileError carries the diagnostics of a bad file.
type fileError struct{ list diag.List }

func (e *fileError) Error() string { return e.list.Err().Error() }

// Main runs the tool on the process's arguments and returns its exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the process at once: the first has put the default
	// handling back.
	context.AfterFunc(ctx, stop)
	silenceLibraries()
	root, stderr := newRootCommand(), printable.NewOutput(os.Stderr)
	root.SetOut(printable.NewOutput(os.Stdout))
	root.SetErr(stderr)
	return run(ctx, root, stderr)
}

// silenceLibraries keeps the Kubernetes libraries' own log off the terminal: what
// matters of it comes as errors, and the rest are questions that were asked again.
func silenceLibraries() {
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
}

func run(ctx context.Context, root *cobra.Command, stderr io.Writer) int {
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code := exitFailed
	var exit *exitError
	var file *fileError
	var refused *session.Refusal
	switch {
	case errors.As(err, &refused):
		_ = printList(stderr, refused.List)
		fmt.Fprintln(stderr, "\nNothing was changed.")
		return exitFailed
	case errors.As(err, &file):
		_ = printList(stderr, file.list)
		return exitUsage
	case errors.As(err, &exit):
		if code = exit.code; exit.err == nil {
			return code
		}
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "interrupted: what is done stays done; run the same command again to go on")
		return exitInterrupted
	}
	fmt.Fprintf(stderr, "error: %v\n", err)
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		fmt.Fprintf(stderr, "hint: %s\n", hinted.Hint())
	}
	return code
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "quorate",
		Short: "Highly available Kubernetes on plain Linux servers: build it, prove it, look after it",
		Long: `Quorate builds highly available Kubernetes clusters on plain Linux servers over
SSH, shows what it will change before it does, and can be interrupted and run
again at any time.`,
		Example: `  quorate lab up                     # a real cluster on this one machine, to try
  quorate init                       # a cluster file to start from
  quorate bundle build               # what is installed, once for each version
  quorate preflight -f cluster.yaml  # are the hosts fit?
  quorate plan -f cluster.yaml       # what would change on your servers
  quorate apply -f cluster.yaml      # do it
  quorate status -f cluster.yaml     # is it healthy, how many failures does it stand`,
		Version:       version.String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		// For SuggestionsFor; cobra sets it only where it makes the error itself.
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.NoArgs,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if words := cmd.Flags().Args(); cmd.HasAvailableSubCommands() && len(words) > 0 {
			err = noCommand(cmd, words[0]) // whose flags these may be
		}
		return usageError(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
	})
	addGroup(root, "Start", newInitCommand(), newBundleCommand(), newLabCommand(applyForLab))
	addGroup(root, "Operate", newPreflightCommand(), newPlanCommand(), newApplyCommand(), newStatusCommand(), newKubectlCommand(), newResetCommand())
	addGroup(root, "Prove", newDrillCommand(), newProbeCommand(), newEndpointCommand())
	addGroup(root, "Cluster files", newValidateCommand(), newConfigCommand(), newImportCommand(), newSecretCommand())
	root.AddCommand(newVersionCommand())
	checkArguments(root)
	return root
}

// addGroup adds commands that help shows together under a title.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title + ":"})
	for _, cmd := range commands {
		cmd.GroupID = title
	}
	root.AddCommand(commands...)
}

// noCommand says that there is no such command below cmd, and which is meant.
func noCommand(cmd *cobra.Command, word string) error {
	err := fmt.Errorf("there is no command %q", word)
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))
	}
	return err
}

// checkArguments makes wrong arguments of a command, and of those below it, wrong
// usage, and says more of them than cobra does.
func checkArguments(cmd *cobra.Command) {
	for _, inner := range cmd.Commands() {
		checkArguments(inner)
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		// Else cobra shows the help of whatever is misspelt below it, and all seems well.
		cmd.Args, cmd.RunE = cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	check := cmd.Args
	if check == nil {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		var exit *exitError
		switch {
		case err == nil || errors.As(err, &exit):
			return err
		case cmd.HasAvailableSubCommands() && len(args) > 0:
			err = noCommand(cmd, args[0])
		case strings.HasPrefix(err.Error(), "unknown command") && cmd.Flags().Lookup("file") != nil:
			err = fmt.Errorf("%q is one word too many; the cluster file is named with -f", args[0])
		case strings.HasPrefix(err.Error(), "unknown command"):
			err = fmt.Errorf("%q is one word too many", args[0])
		}
		return usageError(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
	}
}
