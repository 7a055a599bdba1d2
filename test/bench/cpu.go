package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// hostsCPU is the processor time that all hosts of a lab have used so far. On
// a machine with other work it says more than the clock does.
func hostsCPU(lab string) (time.Duration, error) {
	group := filepath.Join("quorate-lab", lab)
	// Every cgroup v2 has cpu.stat, whether or not it has the controller.
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if stat, err := os.ReadFile(filepath.Join(root, group, "cpu.stat")); err == nil {
			return usageOf(string(stat))
		}
	}
	for _, root := range []string{"/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/cpu,cpuacct"} {
		if usage, err := readCounter(filepath.Join(root, group, "cpuacct.usage")); err == nil {
			return time.Duration(usage), nil
		}
	}
	return 0, fmt.Errorf("no cgroup accounts for the processor time of lab %s", lab)
}

// usageOf reads usage_usec out of a cgroup's cpu.stat.
func usageOf(stat string) (time.Duration, error) {
	for line := range strings.Lines(stat) {
		if value, ok := strings.CutPrefix(line, "usage_usec "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return time.Duration(n) * time.Microsecond, err
		}
	}
	return 0, fmt.Errorf("no usage_usec in %q", stat)
}

// processorTime is what one side's work cost.
type processorTime struct{ hosts, operator time.Duration }

func (p processorTime) total() time.Duration { return p.hosts + p.operator }
