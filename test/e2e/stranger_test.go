package e2e

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

const (
	vrrpProtocol = 112
	vrrpHops     = 255 // what every receiver asks for
	vrrpGroup    = "224.0.0.18"
	// strangerEvery is the time between a stranger's adverts.
	strangerEvery = 100 * time.Millisecond
)

// stranger VIPFILE ROUTERIDFILE sends, from this machine and until the script ends,
// VRRP adverts of the highest priority for a virtual router to the segment, as
// somebody's keepalived with the same number would. The arguments are files with the
// address and the number.
func stranger(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: stranger VIPFILE ROUTERIDFILE")
	}
	vip, err := netip.ParseAddr(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	id, err := strconv.ParseUint(strings.TrimSpace(ts.ReadFile(args[1])), 10, 8)
	ts.Check(err)
	// Nothing is sent: it tells the address from which that would be.
	toVIP, err := net.Dial("udp4", netip.AddrPortFrom(vip, 9).String())
	ts.Check(err)
	own := toVIP.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	ts.Check(toVIP.Close())
	settings := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		controlled := raw.Control(func(fd uintptr) {
			for _, option := range []int{unix.IP_TTL, unix.IP_MULTICAST_TTL} {
				if err == nil {
					err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, option, vrrpHops)
				}
			}
			if err == nil {
				err = unix.SetsockoptInet4Addr(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, own.As4())
			}
		})
		if controlled != nil {
			return controlled
		}
		return err
	}}
	conn, err := settings.ListenPacket(context.Background(), "ip4:"+strconv.Itoa(vrrpProtocol), own.String())
	ts.Check(err)
	segment := netip.MustParseAddr(vrrpGroup)
	ctx, stop := context.WithCancel(context.Background())
	var sending sync.WaitGroup
	sending.Go(func() {
		tick := time.NewTicker(strangerEvery)
		defer tick.Stop()
		for {
			// Without a cable to anybody it is lost, as on a real segment.
			_, _ = conn.WriteTo(advert(own, segment, vip, byte(id)), &net.IPAddr{IP: segment.AsSlice()})
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	ts.Defer(func() {
		stop()
		sending.Wait()
		_ = conn.Close()
	})
}

// advert is a VRRP version 3 advert of the highest priority (RFC 5798, 5.2).
func advert(from, to, vip netip.Addr, id byte) []byte {
	const version3, priority, addresses, everyCentiseconds = 0x31, 255, 1, 10
	p := []byte{version3, id, priority, addresses, 0, everyCentiseconds, 0, 0}
	p = append(p, vip.AsSlice()...)
	// The sum is over the packet and what it will have in front of it.
	summed := append(append(from.AsSlice(), to.AsSlice()...), 0, vrrpProtocol, 0, byte(len(p)))
	summed = append(summed, p...)
	sum := uint32(0)
	for i := 0; i < len(summed); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(summed[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(p[6:], ^uint16(sum))
	return p
}
