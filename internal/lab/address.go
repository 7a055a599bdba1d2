package lab

import (
	"fmt"
	"net"
	"net/netip"
)

// The address plan of a lab, by last octet. It leaves room in every range, so
// that a lab can grow without any host changing its address.
const (
	operatorOctet         = 1   // the machine the lab runs on
	firstControlPlane     = 11  // cp-1 …
	firstEtcd             = 31  // etcd-1 …
	firstLoadBalancer     = 41  // lb-1 …
	vipOctet              = 50  // the load balancers' shared address
	firstExternalBalancer = 61  // balancer-1
	firstWorker           = 101 // worker-1 …
	gatewayOctet          = 254 // the switch: the hosts' default route, which leads nowhere
)

// subnet is the third octet of 10.77.N.0/24: each lab on the machine has its own.
type subnet byte

func (s subnet) host(octet byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, byte(s), octet}) }

func (s subnet) prefix() netip.Prefix { return netip.PrefixFrom(s.host(0), 24) }

func (s subnet) operator() netip.Addr { return s.host(operatorOctet) }

func (s subnet) gateway() netip.Addr { return s.host(gatewayOctet) }

func (s subnet) vip() netip.Addr { return s.host(vipOctet) }

// mac is fixed by the address, as that of a real network card is by the card:
// with a random one, neighbours keep a stale ARP entry for up to a minute
// after a host was switched off and on.
func (s subnet) mac(octet byte) net.HardwareAddr {
	return net.HardwareAddr{0x02, 0x77, 0x00, byte(s), 0x00, octet}
}

// uplinkName is the name of the operator's network interface into the lab.
// It carries the subnet and not the lab's name because the kernel allows 15
// characters; the lab's name is in the interface's alias.
func (s subnet) uplinkName() string { return fmt.Sprintf("qlab-%d", byte(s)) }

// freeSubnet picks the first /24 of 10.77.0.0/16 that overlaps none of the
// taken prefixes.
func freeSubnet(taken []netip.Prefix) (subnet, error) {
	for n := range 256 {
		candidate := subnet(n)
		free := true
		for _, prefix := range taken {
			if prefix.Overlaps(candidate.prefix()) {
				free = false
				break
			}
		}
		if free {
			return candidate, nil
		}
	}
	return 0, fmt.Errorf("no free subnet: every /24 of 10.77.0.0/16 overlaps a lab or a route of this machine; take a lab down or remove the route")
}
