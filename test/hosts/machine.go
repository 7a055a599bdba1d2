package hosts

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Machine is what the figures were measured on.
type Machine struct {
	cores  int
	memory int64   // bytes
	load   float64 // before the first lab: how busy others kept it
	kernel string
}

// ThisMachine looks at the machine as it is now.
func ThisMachine() Machine {
	m := Machine{cores: runtime.NumCPU()}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(load), " ")
		m.load, _ = strconv.ParseFloat(first, 64)
	}
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		if fields := strings.Fields(string(info)); len(fields) > 1 {
			kb, _ := strconv.ParseInt(fields[1], 10, 64)
			m.memory = kb << 10
		}
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.kernel = strings.TrimSpace(string(release))
	}
	return m
}

// Describe says it in a line.
func (m Machine) Describe() string {
	text := fmt.Sprintf("%d cores, %d GB of memory, Linux %s, load %.1f before", m.cores, (m.memory+1<<29)>>30, m.kernel, m.load)
	if m.load > float64(m.cores)/2 {
		text += ": the machine is busy, so take the ratio and not the times"
	}
	return text
}
