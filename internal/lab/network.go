package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	bridgeName = "br0"
	// hostInterface is a host's only network interface besides lo.
	hostInterface = "eth0"
	// routeProtocol marks the routes that labs make (it has no meaning to the
	// kernel), so that nobody else's is ever deleted.
	routeProtocol = netlink.RouteProtocol(177)
	// lastResort is the metric of the route that keeps packets for a lab from
	// leaving the machine while the lab's own interface is away.
	lastResort = 1 << 24
	uplinkPort = "uplink"
)

// network is a lab's switch: a network namespace with a bridge in it that
// every host and the operator's machine are plugged into.
type network struct {
	lab    string
	subnet subnet
}

// netnsName is the name of the switch's network namespace.
func (n network) netnsName() string { return "quorate-lab-" + n.lab }

// alias is put on the operator's interface to tell whose it is.
func (n network) alias() string { return "quorate-lab/" + n.lab }

func (n network) netnsPath() string { return filepath.Join(netnsDir, n.netnsName()) }

// handle opens a netlink connection into the switch.
func (n network) handle() (*netlink.Handle, error) { return netlinkIn(n.netnsPath()) }

func netlinkIn(path string) (*netlink.Handle, error) {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return nil, fmt.Errorf("opening network namespace %s: %w", path, err)
	}
	defer ns.Close()
	handle, err := netlink.NewHandleAt(ns)
	if err != nil {
		return nil, fmt.Errorf("opening netlink in %s: %w", path, err)
	}
	return handle, nil
}

// up makes the switch and the operator's way into it, or what is missing of them.
func (n network) up() error {
	if err := n.createSwitch(); err != nil {
		return fmt.Errorf("setting up the switch of lab %s: %w", n.lab, err)
	}
	if err := n.createUplink(); err != nil {
		return fmt.Errorf("connecting this machine to lab %s: %w", n.lab, err)
	}
	return nil
}

func (n network) createSwitch() error {
	if !netnsExists(n.netnsName()) {
		if err := deleteNetns(n.netnsName()); err != nil { // what an interrupted run left
			return err
		}
		if err := createNetns(n.netnsName()); err != nil {
			return err
		}
	}
	if err := inNetns(n.netnsPath(), configureSwitch); err != nil {
		return err
	}
	handle, err := n.handle()
	if err != nil {
		return err
	}
	defer handle.Close()
	if err := linkUp(handle, "lo"); err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = bridgeName
	attrs.HardwareAddr = n.subnet.mac(gatewayOctet) // else it follows the ports that come and go
	if err := handle.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("creating the bridge: %w", err)
	}
	bridge, err := handle.LinkByName(bridgeName)
	if err != nil {
		return fmt.Errorf("finding the bridge: %w", err)
	}
	if err := handle.AddrReplace(bridge, address(n.subnet.gateway())); err != nil {
		return fmt.Errorf("giving the bridge its address: %w", err)
	}
	if err := handle.LinkSetUp(bridge); err != nil {
		return fmt.Errorf("starting the bridge: %w", err)
	}
	// The hosts' default route ends here, with a refusal instead of silence:
	// an air-gapped server learns at once that there is no way out.
	err = handle.RouteReplace(&netlink.Route{
		Dst:      &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
		Type:     unix.RTN_UNREACHABLE,
		Protocol: routeProtocol,
		Priority: lastResort,
	})
	if err != nil {
		return fmt.Errorf("closing the way out: %w", err)
	}
	return nil
}

// configureSwitch sets the switch's network settings; it runs inside its namespace.
func configureSwitch() error {
	for _, file := range []string{"iptables", "ip6tables", "arptables"} {
		path := "/proc/sys/net/bridge/bridge-nf-call-" + file
		if err := writeFile(path, "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("turning bridge filtering off: %w", err)
		}
	}
	if err := writeFile("/proc/sys/net/ipv4/ip_forward", "1"); err != nil { // only to refuse, see above
		return fmt.Errorf("turning forwarding on in the switch: %w", err)
	}
	return nil
}

// createUplink connects the operator's machine to the switch, as .1 of the subnet.
func (n network) createUplink() error {
	// First the route of last resort, then the interface: at no moment can a
	// packet for the lab take the machine's default route.
	if err := netlink.RouteReplace(n.unreachableRoute()); err != nil {
		return fmt.Errorf("adding an unreachable route for %s: %w", n.subnet.prefix(), err)
	}
	handle, err := n.handle()
	if err != nil {
		return err
	}
	defer handle.Close()
	link, err := netlink.LinkByName(n.subnet.uplinkName())
	if err == nil && !n.owns(link) {
		return fmt.Errorf("interface %s exists and is not this lab's (alias %q); remove it with `ip link del %[1]s` if it is not needed",
			n.subnet.uplinkName(), link.Attrs().Alias)
	}
	if _, noPort := handle.LinkByName(uplinkPort); err != nil || noPort != nil {
		link, err = n.replaceUplink(link)
	}
	if err != nil {
		return fmt.Errorf("creating interface %s: %w", n.subnet.uplinkName(), err)
	}
	if err := netlink.LinkSetAlias(link, n.alias()); err != nil {
		return fmt.Errorf("marking interface %s: %w", n.subnet.uplinkName(), err)
	}
	if err := plugInto(handle, uplinkPort); err != nil {
		return err
	}
	// A host that takes this machine for a router must not get anywhere.
	for path, value := range map[string]string{
		"/proc/sys/net/ipv4/conf/" + n.subnet.uplinkName() + "/forwarding":   "0",
		"/proc/sys/net/ipv6/conf/" + n.subnet.uplinkName() + "/disable_ipv6": "1",
	} {
		if err := writeFile(path, value); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("closing the way through this machine: %w", err)
		}
	}
	if err := netlink.AddrReplace(link, address(n.subnet.operator())); err != nil {
		return fmt.Errorf("giving %s its address: %w", n.subnet.uplinkName(), err)
	}
	return netlink.LinkSetUp(link)
}

// replaceUplink makes the pair of interfaces, one end here and one in the
// switch. old is our end of a pair into a switch that is gone, or nil.
func (n network) replaceUplink(old netlink.Link) (netlink.Link, error) {
	if old != nil {
		// The kernel may be about to delete it by itself.
		if err := netlink.LinkDel(old); err != nil && !errors.Is(err, unix.ENODEV) {
			return nil, err
		}
	}
	ns, err := netns.GetFromPath(n.netnsPath())
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = n.subnet.uplinkName()
	attrs.HardwareAddr = n.subnet.mac(operatorOctet)
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: uplinkPort, PeerNamespace: netlink.NsFd(int(ns))}
	if err := netlink.LinkAdd(pair); err != nil {
		return nil, err
	}
	return netlink.LinkByName(n.subnet.uplinkName())
}

// owns reports whether the interface is this lab's: it has its alias, or no
// alias yet (its creation was interrupted) and the address only we give.
func (n network) owns(link netlink.Link) bool {
	attrs := link.Attrs()
	return attrs.Alias == n.alias() ||
		attrs.Alias == "" && attrs.HardwareAddr.String() == n.subnet.mac(operatorOctet).String()
}

func (n network) unreachableRoute() *netlink.Route {
	return &netlink.Route{
		Dst:      ipNet(n.subnet.prefix()),
		Type:     unix.RTN_UNREACHABLE,
		Protocol: routeProtocol,
		Priority: lastResort,
	}
}

// isUp reports whether the operator's machine has its way into the lab. No
// packet is sent to a lab's address unless it has.
func (n network) isUp() bool {
	link, err := netlink.LinkByName(n.subnet.uplinkName())
	return err == nil && n.owns(link) && link.Attrs().Flags&net.FlagUp != 0
}

// down removes the switch, the operator's interface and the route, if they are this lab's.
func (n network) down() error {
	var errs []error
	if link, err := netlink.LinkByName(n.subnet.uplinkName()); err == nil && n.owns(link) {
		if err := netlink.LinkDel(link); err != nil {
			errs = append(errs, fmt.Errorf("removing interface %s: %w", n.subnet.uplinkName(), err))
		}
	}
	if err := deleteNetns(n.netnsName()); err != nil {
		errs = append(errs, err)
	}
	if err := netlink.RouteDel(n.unreachableRoute()); err != nil && !errors.Is(err, unix.ESRCH) {
		errs = append(errs, fmt.Errorf("removing the route for %s: %w", n.subnet.prefix(), err))
	}
	return errors.Join(errs...)
}

// usedPrefixes lists the networks this machine has a route to, except the default route.
func usedPrefixes() ([]netip.Prefix, error) {
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	var prefixes []netip.Prefix
	for _, route := range routes {
		if route.Dst == nil {
			continue
		}
		addr, ok := netip.AddrFromSlice(route.Dst.IP.To4())
		if ones, _ := route.Dst.Mask.Size(); ok && ones > 0 {
			prefixes = append(prefixes, netip.PrefixFrom(addr, ones))
		}
	}
	return prefixes, nil
}

func address(addr netip.Addr) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(24, 32)}}
}

func ipNet(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), 32)}
}

func linkUp(handle *netlink.Handle, name string) error {
	link, err := handle.LinkByName(name)
	if err == nil {
		err = handle.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("starting interface %s: %w", name, err)
	}
	return nil
}

// plugInto puts a port into the switch's bridge and starts it.
func plugInto(handle *netlink.Handle, port string) error {
	bridge, err := handle.LinkByName(bridgeName)
	if err != nil {
		return fmt.Errorf("finding the bridge: %w", err)
	}
	link, err := handle.LinkByName(port)
	if err != nil {
		return fmt.Errorf("finding port %s: %w", port, err)
	}
	if err := handle.LinkSetMaster(link, bridge); err != nil {
		return fmt.Errorf("plugging %s into the switch: %w", port, err)
	}
	return linkUp(handle, port)
}
