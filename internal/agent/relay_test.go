package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

func TestRelayChooses(t *testing.T) {
	at := func(address, inode string) socket {
		return socket{address: netip.MustParseAddrPort(address), inode: inode}
	}
	for name, tt := range map[string]struct {
		sockets []socket
		want    uint16
		target  string
	}{
		"nobody listens":                   {nil, 0, ""},
		"the API server has the first":     {[]socket{at("[::]:6443", "1")}, 7443, "10.0.0.1:6443"},
		"the API server has the second":    {[]socket{at("0.0.0.0:7443", "1")}, 6443, "10.0.0.1:7443"},
		"on the host's address":            {[]socket{at("10.0.0.1:6443", "1")}, 7443, "10.0.0.1:6443"},
		"the relay itself is not one":      {[]socket{at("[::]:6443", "1"), at("[::]:7443", "own")}, 7443, "10.0.0.1:6443"},
		"the API server has ended":         {[]socket{at("[::]:7443", "own")}, 0, ""},
		"somebody has both":                {[]socket{at("[::]:6443", "1"), at("[::]:7443", "2"), at("[::]:7443", "own")}, 0, ""},
		"a load balancer has it elsewhere": {[]socket{at("10.0.0.100:7443", "2"), at("[::]:6443", "1"), at("10.0.0.100:6443", "2")}, 7443, "10.0.0.1:6443"},
		"other ports":                      {[]socket{at("[::]:22", "2"), at("127.0.0.1:7443", "3")}, 0, ""},
	} {
		r := &relay{address: netip.MustParseAddr("10.0.0.1"), ports: [2]uint16{6443, 7443}, inode: "own"}
		want, target := r.choose(tt.sockets)
		if want != tt.want || (tt.target != "" && target.String() != tt.target) {
			t.Errorf("%s: it holds %d and carries to %s, want %d and %s", name, want, target, tt.want, tt.target)
		}
	}
}

// speak listens on a port and says who it is before it repeats every line.
func speak(t *testing.T, port int, name string) net.Listener {
	t.Helper()
	var l net.Listener
	eventually(t, "the port to be free", func() (err error) {
		l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		return err
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprintln(conn, name)
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	t.Cleanup(func() { l.Close() })
	return l
}

func eventually(t *testing.T, what string, look func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = look(); err == nil {
			return
		}
	}
	t.Fatalf("waited for %s: %v", what, err)
}

// who connects to a port and reads who answers.
func who(port int) (net.Conn, string, error) {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		conn.Close()
		return nil, "", err
	}
	return conn, line, nil
}

func answers(port int, name string) error {
	conn, line, err := who(port)
	if err != nil {
		return err
	}
	conn.Close()
	if line != name+"\n" {
		return fmt.Errorf("%q answers", line)
	}
	return nil
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Whichever port the API server has, both lead to it, and while it has none nobody
// stands in its way.
func TestRelay(t *testing.T) {
	was, now := freePort(t), freePort(t)
	server := speak(t, was, "old")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- Relay(ctx, []string{"127.0.0.1", strconv.Itoa(was), strconv.Itoa(now)}) }()
	eventually(t, "the new port", func() error { return answers(now, "old") })
	if err := answers(was, "old"); err != nil {
		t.Fatal(err)
	}
	server.Close()
	eventually(t, "both ports to be free", func() error {
		for _, port := range []int{was, now} {
			if answers(port, "old") == nil {
				return errors.New("somebody listens")
			}
		}
		return nil
	})
	speak(t, now, "new")
	eventually(t, "the old port", func() error { return answers(was, "new") })
	if err := answers(now, "new"); err != nil {
		t.Fatal(err)
	}

	// A client that ends its side first still gets the whole answer.
	conn, _, err := who(was)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "the last words")
	_ = conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(conn); string(got) != "the last words" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	conn.Close()

	// In the end new connections are refused, and those that are silent are closed.
	conn, _, err = who(was)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("reading after its end: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := answers(was, "new"); err == nil {
		t.Error("somebody still listens")
	}
	if err := answers(now, "new"); err != nil {
		t.Error(err)
	}
}

func TestRelayRefuses(t *testing.T) {
	for _, args := range [][]string{nil, {"10.0.0.1", "6443"}, {"here", "6443", "7443"}, {"10.0.0.1", "6443", "70000"}} {
		if err := Relay(t.Context(), args); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
