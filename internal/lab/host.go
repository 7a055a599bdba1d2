package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
)

// State is what a host is doing, as the kernel tells.
type State string

// The states of a host. A frozen host may have its cable cut as well; Frozen
// is then what is shown.
const (
	Running State = "running"
	Off     State = "off"
	Frozen  State = "frozen"
	Cut     State = "cut"
)

// Host is one host of a lab and how it is.
type Host struct {
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
	Roles   []Role     `json:"roles"`
	State   State      `json:"state"`
	// Init is the process id, on this machine, of the host's systemd; 0 when off.
	Init int `json:"init,omitempty"`
	// Processes is the number of processes of the host.
	Processes int `json:"processes"`
	// MemoryBytes is the memory charged to the host, page cache included; 0
	// where the kernel does not account for it.
	MemoryBytes int64 `json:"memoryBytes"`
}

// Hosts asks the kernel how each host is. It sends no packets.
func (l *Lab) Hosts() ([]Host, error) {
	hosts := make([]Host, len(l.record.Hosts))
	for i, spec := range l.record.Hosts {
		var err error
		if hosts[i], err = l.Host(spec.Name); err != nil {
			return nil, err
		}
	}
	return hosts, nil
}

// Host asks the kernel how one host is. It sends no packets.
func (l *Lab) Host(name string) (Host, error) {
	spec, err := l.spec(name)
	if err != nil {
		return Host{}, err
	}
	layout, err := readCgroupLayout()
	if err != nil {
		return Host{}, err
	}
	group := l.hostCgroup(layout, name)
	processes, err := group.processes()
	if err != nil {
		return Host{}, err
	}
	host := Host{
		Name: spec.Name, Address: spec.Address, Roles: spec.Roles,
		State: Running, Init: findInit(processes), Processes: len(processes), MemoryBytes: group.memory(),
	}
	switch {
	case host.Init == 0:
		host.State = Off
	case group.frozen():
		host.State = Frozen
	case !l.isPlugged(name):
		host.State = Cut
	}
	return host, nil
}

// isPlugged reports whether the host's cable is in the switch's bridge.
func (l *Lab) isPlugged(host string) bool {
	sw, err := l.network().handle()
	if err != nil {
		return false
	}
	defer sw.Close()
	port, err := sw.LinkByName(host)
	return err == nil && port.Attrs().MasterIndex != 0 && port.Attrs().OperState != netlink.OperDown
}

// cutMark is a file that says that the host's cable is cut, so that it stays
// cut when the host boots again.
func (l *Lab) cutMark(host string) string { return filepath.Join(l.hostDir(host), "cut") }

func (l *Lab) isCut(host string) bool {
	_, err := os.Stat(l.cutMark(host))
	return err == nil
}

func (l *Lab) setCut(host string, cut bool) error {
	if cut {
		return replaceFile(l.cutMark(host), nil, 0o600)
	}
	if err := os.Remove(l.cutMark(host)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// memory is what the group is charged for, in bytes.
func (g cgroup) memory() int64 {
	for _, h := range g.layout.hierarchies {
		file := ""
		switch {
		case g.layout.pureV2():
			file = "memory.current"
		case h.holds("memory"):
			file = "memory.usage_in_bytes"
		default:
			continue
		}
		content, err := os.ReadFile(filepath.Join(h.mount, g.path, file))
		if err != nil {
			return 0
		}
		bytes, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
		if err != nil {
			return 0
		}
		return bytes
	}
	return 0
}

// Status is a lab and its hosts, as `lab status` shows them.
type Status struct {
	Name        string       `json:"name"`
	Subnet      netip.Prefix `json:"subnet"`
	Dir         string       `json:"dir"`
	ClusterFile string       `json:"clusterFile"`
	Hosts       []Host       `json:"hosts"`
}

// Status asks the kernel how the lab is.
func (l *Lab) Status() (Status, error) {
	hosts, err := l.Hosts()
	if err != nil {
		return Status{}, fmt.Errorf("lab %s: %w", l.Name(), err)
	}
	return Status{Name: l.Name(), Subnet: l.Subnet(), Dir: l.dir, ClusterFile: l.ClusterFilePath(), Hosts: hosts}, nil
}

// SSHArgs are the arguments with which OpenSSH's ssh logs in to a host as
// user: the lab's key and host keys, and nothing of the caller's own
// configuration.
func (l *Lab) SSHArgs(host, user string) ([]string, error) {
	spec, err := l.spec(host)
	if err != nil {
		return nil, err
	}
	if !l.network().isUp() { // else the packets would find another way
		return nil, fmt.Errorf("lab %s is not up; start it with: quorate lab up --name %[1]s --hosts-only", l.Name())
	}
	return []string{
		"-F", "/dev/null", "-i", l.KeyPath(), "-o", "IdentitiesOnly=yes",
		"-o", "UserKnownHostsFile=" + l.KnownHostsPath(), "-o", "StrictHostKeyChecking=yes",
		"-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR", "-l", user, spec.Address.String(),
	}, nil
}
