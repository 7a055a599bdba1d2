package agent

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// faultKind is one kind of fault, with all that is particular to it; each has a file
// of its own.
type faultKind interface {
	// check refuses what is not well-formed.
	check() error
	// able tells why this host cannot do the fault, as far as that can be told
	// without doing it.
	able(ctx context.Context, a *Agent) error
	// prepare makes the fault ready and gives what begins it. What fails before that
	// leaves nothing to undo: what undoes it may be missing here, too.
	prepare(ctx context.Context, in faultPlace) (begin func() (begun, error), err error)
	// undo undoes the fault as far as it was done. It may be called any number of times.
	undo(ctx context.Context, in faultPlace) error
}

// faultAtOnce is a kind that may be over when it is done, so that nothing is to be
// undone: done is false where it is not.
type faultAtOnce interface {
	atOnce(ctx context.Context, a *Agent, lasts time.Duration) (reply protocol.FaultReply, done bool, err error)
}

// begun is a fault that was begun.
type begun struct {
	reply protocol.FaultReply
	// later, where it is set, is called BeginsMillis after the operator was answered:
	// it may cut the operator off.
	later func() error
	// end, where it is set, gives up what the process of the fault holds.
	end func()
}

// faultPlace is where a fault notes what it did, and the ID by which its own is known.
type faultPlace struct{ dir, id string }

func (in faultPlace) file(name string) string { return filepath.Join(in.dir, name) }

// kindsIn are the kinds that a request has; a well-formed one has one.
func kindsIn(r protocol.FaultRequest) (kinds []faultKind) {
	add := func(is bool, kind faultKind) {
		if is {
			kinds = append(kinds, kind)
		}
	}
	add(r.Process != nil, processFault{r.Process})
	add(r.Unit != nil, unitFault{r.Unit})
	add(r.Network != nil, networkFault{r.Network})
	add(r.Disk != nil, diskFault{r.Disk})
	add(r.Boot != nil, bootFault{r.Boot})
	add(r.Clock != nil, clockFault{r.Clock})
	add(r.Certificate != nil, certificateFault{r.Certificate})
	add(r.Data != nil, dataFault{r.Data})
	return kinds
}

// longestFault bounds how long a fault may last: an hour without a node is a
// decision, not a drill. Clocks and delays have bounds of their own.
const longestFault = time.Hour

// faultID keeps an ID one word in a unit's name and one element of a path.
var faultID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// faultOf gives a well-formed request's kind, and refuses one that is not.
func faultOf(request protocol.FaultRequest) (faultKind, error) {
	kinds := kindsIn(request)
	lasts := time.Duration(request.LastsMillis) * time.Millisecond
	switch {
	case len(kinds) != 1:
		return nil, malformed("%d kinds of faults in one request", len(kinds))
	case !faultID.MatchString(request.ID):
		return nil, malformed("%q is not a fault's ID", request.ID)
	case lasts <= 0 || lasts > longestFault:
		return nil, malformed("a fault lasts up to %s, not %s", longestFault, lasts)
	}
	return kinds[0], kinds[0].check()
}

func malformed(format string, args ...any) error {
	return protocol.Failure(protocol.KindInvalid, format, args...)
}

// checkProgram refuses what is not a program's base name.
func checkProgram(name string) error {
	if name == "" || strings.ContainsAny(name, "/\x00") {
		return malformed("%q is not a program's base name", name)
	}
	return nil
}
