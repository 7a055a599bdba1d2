package host

import (
	"context"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// Command is one program to run on a host, without a shell.
type Command struct {
	Argv []string
	// Env is added, as KEY=value, to a clean environment.
	Env []string
	Dir string
	// Stdin is how secrets and other data reach the program; nil means none.
	// A pipe's reading end is closed when the program has ended.
	Stdin io.Reader
	// Timeout bounds the run; 0 means only the context does.
	Timeout time.Duration
	// OK are the exit codes besides 0 that are no error.
	OK []int
	// MaxOutput bounds what is kept of each stream's end, in bytes; 0 means 1 MiB.
	MaxOutput int64
}

// Run runs a program to its end. A non-zero exit that is not in OK is an
// *ExitError, and the reply is filled in beside it. Cancelling ctx ends the
// program's whole process group.
func (h *Host) Run(ctx context.Context, command Command) (protocol.RunReply, error) {
	request := protocol.RunRequest{
		Argv:          command.Argv,
		Env:           command.Env,
		Dir:           command.Dir,
		TimeoutMillis: command.Timeout.Milliseconds(),
		MaxOutput:     command.MaxOutput,
	}
	var body io.Reader
	if command.Stdin != nil {
		defer releasePipe(command.Stdin)
		body = bodyReader{command.Stdin}
	}
	var reply protocol.RunReply
	if err := h.callStream(ctx, "running "+shortArgv(command.Argv), protocol.OpRun, request, body, -1, runAnswer(command), &reply); err != nil {
		return reply, err
	}
	if reply.ExitCode != 0 && !slices.Contains(command.OK, reply.ExitCode) {
		return reply, &ExitError{
			Host:   h.name,
			Argv:   command.Argv,
			Code:   reply.ExitCode,
			Stderr: end(reply.Stderr),
			Stdout: end(reply.Stdout),
		}
	}
	return reply, nil
}

// runAnswer bounds the answer to a command: the ends of both its streams, in base64.
func runAnswer(command Command) int64 {
	return max(maxAnswer, 3*command.MaxOutput)
}

// joinSecrets are kubeadm's: a bootstrap token, and the key of certificates that it has
// uploaded. It prints both when it has begun a cluster, and the token in complaints.
var joinSecrets = regexp.MustCompile(`\b[a-z0-9]{6}\.[a-z0-9]{16}\b|(certificate-key[ =]+)[0-9a-f]+`)

// end is the part of a program's output that an error keeps, without what lets join.
func end(output []byte) string {
	const most = 8 << 10
	output = joinSecrets.ReplaceAll(output, []byte("${1}********")) // first: a cut could leave half of one
	if len(output) > most {
		output = output[len(output)-most:]
	}
	return strings.ToValidUTF8(string(output), "�")
}

// Unit brings a systemd unit to the state asked for. What systemd refused is a
// *UnitError that carries the reply.
func (h *Host) Unit(ctx context.Context, request protocol.UnitRequest) (protocol.UnitReply, error) {
	doing := "unit " + request.Name
	if request.Name == "" {
		doing = "reloading systemd's configuration"
	}
	var reply protocol.UnitReply
	if err := h.call(ctx, doing, protocol.OpUnit, request, &reply); err != nil {
		return reply, err
	}
	if reply.Failure != "" {
		return reply, &UnitError{Host: h.name, Name: request.Name, Reply: reply}
	}
	return reply, nil
}

// Packages installs or removes distribution packages.
func (h *Host) Packages(ctx context.Context, request protocol.PackagesRequest) (protocol.PackagesReply, error) {
	doing := "installing packages"
	if request.Remove {
		doing = "removing packages"
	}
	var reply protocol.PackagesReply
	err := h.call(ctx, doing+" "+strings.Join(request.Names, " "), protocol.OpPackages, request, &reply)
	return reply, err
}

// Kill ends every process that matches, at once, and waits until they are
// gone. It tells how many there were.
func (h *Host) Kill(ctx context.Context, request protocol.KillRequest) (ended int, err error) {
	var reply protocol.KillReply
	err = h.call(ctx, "ending processes", protocol.OpKill, request, &reply)
	return reply.Ended, err
}
