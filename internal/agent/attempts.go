//lint:file-ignore SA1019 the agent has the standard library only, and these constants do not change

package agent

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
)

// watchAttempts tells of every connection over IPv4 that anybody begins to
// make to this host, until ctx ends; wg counts the goroutine that does. It
// looks at packets where they arrive, before any packet filter: a connection
// to a port that nothing listens on is seen, and one that a firewall drops.
func watchAttempts(ctx context.Context, wg *sync.WaitGroup, tell func(from string, port int)) error {
	const etherIPv4 = syscall.ETH_P_IP<<8&0xff00 | syscall.ETH_P_IP>>8 // in network order
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, etherIPv4)
	if err != nil {
		return fmt.Errorf("watching for connections: %w", err)
	}
	if err := syscall.AttachLsf(fd, onlyBeginnings()); err != nil {
		syscall.Close(fd)
		return fmt.Errorf("watching for connections: %w", err)
	}
	packets := os.NewFile(uintptr(fd), "packets") // in the runtime's poller, so that Close ends Read
	stop := context.AfterFunc(ctx, func() { packets.Close() })
	wg.Go(func() {
		defer stop()
		defer packets.Close()
		buffer := make([]byte, 128) // the two headers; the rest is cut off
		for {
			n, err := packets.Read(buffer)
			if err != nil {
				return
			}
			if from, port, ok := beginning(buffer[:n]); ok {
				tell(from.String(), port)
			}
		}
	})
	return nil
}

// onlyBeginnings lets the kernel pass on only the first packets of TCP
// connections over IPv4: those with SYN and without ACK.
func onlyBeginnings() []syscall.SockFilter {
	const ok, protocolAt, flagsAt, tcp = 128, 9, 13, syscall.IPPROTO_TCP
	return []syscall.SockFilter{
		*syscall.LsfStmt(syscall.BPF_LD|syscall.BPF_B|syscall.BPF_ABS, protocolAt),
		*syscall.LsfJump(syscall.BPF_JMP|syscall.BPF_JEQ|syscall.BPF_K, tcp, 0, 5),
		*syscall.LsfStmt(syscall.BPF_LDX|syscall.BPF_B|syscall.BPF_MSH, 0), // the IP header's length
		*syscall.LsfStmt(syscall.BPF_LD|syscall.BPF_B|syscall.BPF_IND, flagsAt),
		*syscall.LsfStmt(syscall.BPF_ALU|syscall.BPF_AND|syscall.BPF_K, tcpSYN|tcpACK),
		*syscall.LsfJump(syscall.BPF_JMP|syscall.BPF_JEQ|syscall.BPF_K, tcpSYN, 0, 1),
		*syscall.LsfStmt(syscall.BPF_RET|syscall.BPF_K, ok),
		*syscall.LsfStmt(syscall.BPF_RET|syscall.BPF_K, 0),
	}
}

const (
	tcpSYN = 0x02
	tcpACK = 0x10
)

// beginning reads the source and the destination port of an IPv4 packet that
// begins a TCP connection.
func beginning(packet []byte) (from netip.Addr, port int, ok bool) {
	const shortestIP, shortestTCP = 20, 14 // up to the flags
	if len(packet) < shortestIP || packet[0]>>4 != 4 || packet[9] != syscall.IPPROTO_TCP {
		return from, 0, false
	}
	header := int(packet[0]&0x0f) * 4
	if header < shortestIP || len(packet) < header+shortestTCP {
		return from, 0, false
	}
	segment := packet[header:]
	if segment[13]&(tcpSYN|tcpACK) != tcpSYN {
		return from, 0, false
	}
	return netip.AddrFrom4([4]byte(packet[12:16])), int(segment[2])<<8 | int(segment[3]), true
}
