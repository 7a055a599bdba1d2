package agent

import (
	"net"
	"os"
	"time"
)

// Stdio is a connection made of a process's standard input and output.
func Stdio(in, out *os.File) net.Conn { return &stdio{in: in, out: out} }

type stdio struct{ in, out *os.File }

func (s *stdio) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *stdio) Write(p []byte) (int, error) { return s.out.Write(p) }

func (s *stdio) Close() error {
	err := s.in.Close()
	if outErr := s.out.Close(); err == nil {
		err = outErr
	}
	return err
}

func (s *stdio) LocalAddr() net.Addr  { return stdioAddr{} }
func (s *stdio) RemoteAddr() net.Addr { return stdioAddr{} }

// Deadlines are best effort: pipes and sockets have them, plain files do not.
func (s *stdio) SetDeadline(t time.Time) error {
	s.SetReadDeadline(t)
	s.SetWriteDeadline(t)
	return nil
}

func (s *stdio) SetReadDeadline(t time.Time) error {
	s.in.SetReadDeadline(t)
	return nil
}

func (s *stdio) SetWriteDeadline(t time.Time) error {
	s.out.SetWriteDeadline(t)
	return nil
}

type stdioAddr struct{}

func (stdioAddr) Network() string { return "stdio" }
func (stdioAddr) String() string  { return "stdio" }
