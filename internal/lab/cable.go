package lab

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
)

// connect gives a booting host its network interface: a cable from the
// network namespace of process pid to a port of the switch, with the host's
// fixed MAC and address. A cut cable leads to a port outside the bridge.
func (n network) connect(host HostSpec, pid int, cut bool) error {
	sw, err := n.handle()
	if err != nil {
		return err
	}
	defer sw.Close()
	mac, err := net.ParseMAC(host.MAC)
	if err != nil {
		return fmt.Errorf("host %s: %w", host.Name, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = host.Name
	cable := &netlink.Veth{
		LinkAttrs:        attrs,
		PeerName:         hostInterface,
		PeerHardwareAddr: mac,
		PeerNamespace:    netlink.NsPid(pid),
	}
	if err := sw.LinkAdd(cable); err != nil {
		return fmt.Errorf("creating the cable of %s: %w", host.Name, err)
	}
	if err := n.configureHostEnd(host, pid); err != nil {
		return fmt.Errorf("configuring the network of %s: %w", host.Name, err)
	}
	if cut {
		return linkUp(sw, host.Name)
	}
	return plugInto(sw, host.Name)
}

func (n network) configureHostEnd(host HostSpec, pid int) error {
	handle, err := netlinkIn(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	defer handle.Close()
	if err := linkUp(handle, "lo"); err != nil {
		return err
	}
	link, err := handle.LinkByName(hostInterface)
	if err != nil {
		return err
	}
	if err := handle.AddrReplace(link, address(host.Address)); err != nil {
		return err
	}
	if err := handle.LinkSetUp(link); err != nil {
		return err
	}
	return handle.RouteReplace(&netlink.Route{
		Dst:       &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
		Gw:        n.subnet.gateway().AsSlice(),
		LinkIndex: link.Attrs().Index,
	})
}

// disconnect deletes the host's cable, both ends. It goes first when a host
// is switched off: a network namespace that outlives its processes would go
// on answering ARP for the addresses in it.
func (n network) disconnect(host string) error {
	if !netnsExists(n.netnsName()) {
		return nil
	}
	sw, err := n.handle()
	if err != nil {
		return err
	}
	defer sw.Close()
	link, err := sw.LinkByName(host)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err == nil {
		err = sw.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("removing the cable of %s: %w", host, err)
	}
	return nil
}

// hasPort reports whether the host's cable leads to the switch, be it plugged in or not.
func (n network) hasPort(host string) (bool, error) {
	found := false
	err := n.withPort(host, func(*netlink.Handle, netlink.Link) error {
		found = true
		return nil
	})
	return found, err
}

// cut takes the host's port out of the bridge: the host sees its link up and
// hears nobody, as when a cable is pulled behind the next switch.
func (n network) cut(host string) error {
	return n.withPort(host, func(sw *netlink.Handle, port netlink.Link) error { return sw.LinkSetNoMaster(port) })
}

// heal undoes cut.
func (n network) heal(host string) error {
	return n.withPort(host, func(sw *netlink.Handle, _ netlink.Link) error { return plugInto(sw, host) })
}

// withPort calls fn with the host's port, if the host has one: a host that is
// off has no cable, and gets it cut or whole when it boots.
func (n network) withPort(host string, fn func(*netlink.Handle, netlink.Link) error) error {
	sw, err := n.handle()
	if err != nil {
		return err
	}
	defer sw.Close()
	port, err := sw.LinkByName(host)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err == nil {
		err = fn(sw, port)
	}
	if err != nil {
		return fmt.Errorf("rewiring %s: %w", host, err)
	}
	return nil
}
