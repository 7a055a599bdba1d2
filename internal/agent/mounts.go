package agent

import (
	"os"
	"strconv"
	"strings"
)

// mount is one line of mountinfo.
type mount struct {
	id, parent string
	root       string // what of the file system is mounted
	point      string
	kind       string // ext4, overlay …
	source     string // a device, or whatever word was given
}

func readMounts() ([]mount, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMounts(string(text)), nil
}

// parseMounts reads /proc/self/mountinfo, in mounting order. Lines it does not
// understand are passed over.
func parseMounts(text string) []mount {
	var mounts []mount
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		// Optional fields come between the sixth field and a single dash.
		for i := 6; i+1 < len(fields); i++ {
			if fields[i] == "-" {
				m := mount{
					id: fields[0], parent: fields[1], root: unescapeOctal(fields[3]), point: unescapeOctal(fields[4]), kind: fields[i+1],
				}
				if i+2 < len(fields) {
					m.source = unescapeOctal(fields[i+2])
				}
				mounts = append(mounts, m)
				break
			}
		}
	}
	return mounts
}

// unescapeOctal undoes the kernel's \040 for spaces and the like.
func unescapeOctal(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
