package cli

import (
	"errors"
	"os"
	"os/exec"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/internal/lab"
)

// newLabSSHCommand becomes the system's ssh.
func newLabSSHCommand(name *string) *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:     "ssh HOST [-- COMMAND [ARG]...]",
		Short:   "Log in to a host, or run a command on it, over SSH",
		Example: "  quorate lab ssh cp-1\n  quorate lab ssh cp-1 -- journalctl -u kubelet -f\n  quorate lab ssh --user admin worker-1",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := lab.DefaultStore().Open(*name)
			if err != nil {
				return err
			}
			options, err := l.SSHArgs(args[0], user)
			if err != nil {
				return err
			}
			ssh, err := exec.LookPath("ssh")
			if err != nil {
				return errors.New("ssh is not installed; install openssh-client")
			}
			argv := append(append([]string{"ssh"}, options...), args[1:]...)
			return unix.Exec(ssh, argv, os.Environ())
		},
	}
	cmd.Flags().StringVarP(&user, "user", "l", "root", "log in as root, admin (sudo without a password) or operator (password in the lab's folder)")
	return cmd
}

// newLabExecCommand becomes the way into a host.
func newLabExecCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:     "exec HOST -- COMMAND [ARG]...",
		Short:   "Run a command on a host without its network: also when its cable is cut",
		Example: "  quorate lab exec cp-1 -- ip addr\n  quorate lab exec cp-1 -- bash",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.DefaultStore().Open(*name)
			if err != nil {
				return err
			}
			enter, err := l.Command(cmd.Context(), args[0], args[1:]...)
			if err != nil {
				return err
			}
			return unix.Exec(enter.Path, enter.Args, os.Environ())
		},
	}
}
