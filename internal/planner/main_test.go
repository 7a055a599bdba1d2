package planner_test

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// Most of a test's time is waiting, for what a run looks at several times a second: more
// of them run at a time than there are processors, unless -parallel says how many.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
