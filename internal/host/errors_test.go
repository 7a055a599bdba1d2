package host

import "testing"

// kubeadm's own words are told, and not the hint that it ends with.
func TestExitErrorTellsWhatSaysSomething(t *testing.T) {
	e := &ExitError{Host: "cp-1", Argv: []string{"kubeadm", "init"}, Code: 1, Stderr: "[init] preparing\nerror: unexpected EOF\nTo see the stack trace of this error execute with --v=5 or higher\n"}
	if got, want := e.Error(), "cp-1: error: unexpected EOF (exit code 1 of kubeadm init)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
