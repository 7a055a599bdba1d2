package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// awaitBoot waits until the host has booted so far that anyone can log in over
// SSH: its login ban is lifted, and root can log in with the lab's key and
// finds the host key that the lab gave it. No login is tried on a host whose
// cable is cut. It gives up early when the host is not even running.
func (l *Lab) awaitBoot(ctx context.Context, host HostSpec) error {
	config, err := l.sshConfig(host)
	if err != nil {
		return err
	}
	layout, err := readCgroupLayout()
	if err != nil {
		return err
	}
	group := l.hostCgroup(layout, host.Name)
	started := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, bootTimeout, fmt.Errorf("it did not answer within %s", bootTimeout))
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	err = poll(ctx, 25*time.Millisecond, func() error {
		// A new supervisor needs a moment to take its lock.
		if recordLockHolder(l.supervisorLock(host.Name)) == 0 && time.Since(started) > 5*time.Second {
			giveUp(fmt.Errorf("host %s does not run", host.Name))
			return errors.New("it ended, or it could not be started")
		}
		if err := loginAllowed(group); err != nil {
			return err
		}
		if l.isCut(host.Name) {
			return nil
		}
		return login(ctx, host, config)
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w%s", host.Name, err, l.consoleTail(host.Name))
	}
	return nil
}

// loginAllowed looks into the running host for systemd's mark that users may
// not log in yet.
func loginAllowed(group cgroup) error {
	processes, err := group.processes()
	if err != nil {
		return err
	}
	init := findInit(processes)
	if init == 0 {
		return errors.New("it has not started yet")
	}
	// The ban is there from early on until this unit lifts it; systemd marks
	// a unit that it has started with a link.
	run := fmt.Sprintf("/proc/%d/root/run/", init)
	_, started := os.Lstat(run + "systemd/units/invocation:systemd-user-sessions.service")
	_, banned := os.Stat(run + "nologin")
	if started != nil || !errors.Is(banned, fs.ErrNotExist) {
		return errors.New("it is still booting")
	}
	return nil
}

func (l *Lab) sshConfig(host HostSpec) (*ssh.ClientConfig, error) {
	private, err := os.ReadFile(l.KeyPath())
	if err != nil {
		return nil, fmt.Errorf("reading the lab's SSH key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("reading the lab's SSH key: %w", err)
	}
	line, err := os.ReadFile(filepath.Join(l.hostDir(host.Name), "ssh_host_ed25519_key.pub"))
	if err != nil {
		return nil, fmt.Errorf("reading the host key of %s: %w", host.Name, err)
	}
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		return nil, fmt.Errorf("reading the host key of %s: %w", host.Name, err)
	}
	return &ssh.ClientConfig{
		User:              "root",
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   ssh.FixedHostKey(hostKey),
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
	}, nil
}

// login connects, authenticates and hangs up.
func login(ctx context.Context, host HostSpec, config *ssh.ClientConfig) error {
	const patience = 5 * time.Second
	address := net.JoinHostPort(host.Address.String(), "22")
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	client, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if err != nil {
		return err
	}
	return ssh.NewClient(client, channels, requests).Close()
}

// consoleTail is the end of what the host's supervisor and init said, for an error message.
func (l *Lab) consoleTail(host string) string {
	content, err := os.ReadFile(l.consolePath(host))
	if err != nil || strings.TrimSpace(string(content)) == "" {
		return ""
	}
	return fmt.Sprintf("\nthe end of %s:\n%s", l.consolePath(host), lastLines(content, 8))
}
