package ansible

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/config/strict"
)

// hostAndPort is a host with its port, such as node[1:3]:2222.
var hostAndPort = regexp.MustCompile(`^((?:[^\[\]:]|\[[^\[\]]*\])+):([0-9]{1,5})$`)

// expandHosts makes names of a host pattern: node[01:03] is node01, node02 and
// node03, rack-[a:c] is rack-a, rack-b and rack-c, with an optional step behind
// a further colon; and it takes a port off the end. At most so many names are
// made.
func expandHosts(pattern string, most int) (names []string, port string, err error) {
	if address, err := netip.ParseAddr(pattern); err == nil && address.Zone() == "" {
		return []string{pattern}, "", nil
	}
	if address, err := netip.ParseAddrPort(pattern); err == nil && address.Addr().Zone() == "" && strings.HasPrefix(pattern, "[") {
		return []string{address.Addr().String()}, strconv.Itoa(int(address.Port())), nil
	}
	if m := hostAndPort.FindStringSubmatch(pattern); m != nil {
		pattern, port = m[1], m[2]
	}
	const longest, mostRanges = 500, 5
	if len(pattern) > longest || strings.Count(pattern, "[") > mostRanges {
		return nil, "", errors.New("the name is too long, or has too many ranges")
	}
	names, err = expandRange(pattern, most)
	return names, port, err
}

// expandRange expands the first range of a pattern, and those behind it.
func expandRange(pattern string, most int) ([]string, error) {
	head, rest, isRange := strings.Cut(pattern, "[")
	if !isRange {
		switch {
		case strings.Contains(pattern, "]"):
			return nil, errors.New("a ] without a [")
		case pattern == "":
			return nil, errors.New("a host has no name")
		}
		return []string{pattern}, nil
	}
	bounds, tail, closed := strings.Cut(rest, "]")
	if !closed {
		return nil, errors.New("a [ without a ]")
	}
	items, err := rangeItems(bounds, most)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, item := range items {
		inner, err := expandRange(head+item+tail, most-len(names))
		if err != nil {
			return nil, err
		}
		if names = append(names, inner...); len(names) > most {
			return nil, tooMany()
		}
	}
	return names, nil
}

func tooMany() error { return fmt.Errorf("the ranges are of more than %d hosts", maxHosts) }

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// rangeItems are the parts of a range's names: begin:end or begin:end:step.
func rangeItems(bounds string, most int) ([]string, error) {
	parts := strings.Split(bounds, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return nil, fmt.Errorf("[%s] is not of the form [begin:end]", shown(bounds))
	}
	begin, end, step := parts[0], parts[1], 1
	if begin == "" {
		begin = "0"
	}
	if end == "" {
		return nil, fmt.Errorf("the range [%s] has no end", shown(bounds))
	}
	if len(parts) == 3 {
		n, err := strconv.Atoi(parts[2])
		if err != nil || n < 1 {
			return nil, fmt.Errorf("the step of [%s] is not a positive number", shown(bounds))
		}
		step = n
	}
	i, j := strings.Index(letters, begin), strings.Index(letters, end)
	if len(begin) == 1 && len(end) == 1 && i >= 0 && j >= 0 {
		if i > j {
			return nil, fmt.Errorf("the range [%s] ends before it begins", shown(bounds))
		}
		var items []string
		for n := range (j-i)/step + 1 {
			items = append(items, letters[i+n*step:i+n*step+1])
		}
		return items, nil
	}
	return numbers(bounds, begin, end, step, most)
}

// numbers are the items of a range of numbers. A begin with leading zeros gives
// every number as many digits.
func numbers(bounds, begin, end string, step, most int) ([]string, error) {
	width := 0
	if begin[0] == '0' && len(begin) > 1 {
		if width = len(begin); len(end) != width {
			return nil, fmt.Errorf("the ends of [%s] have different numbers of digits", shown(bounds))
		}
	}
	from, err := strconv.ParseUint(begin, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("[%s] is neither a range of numbers nor one of single letters", shown(bounds))
	}
	to, err := strconv.ParseUint(end, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("[%s] is neither a range of numbers nor one of single letters", shown(bounds))
	}
	if from > to {
		return nil, fmt.Errorf("the range [%s] ends before it begins", shown(bounds))
	}
	if (to-from)/uint64(step) >= uint64(max(most, 0)) {
		return nil, tooMany()
	}
	var items []string
	for n := range (to-from)/uint64(step) + 1 {
		items = append(items, fmt.Sprintf("%0*d", width, from+n*uint64(step)))
	}
	return items, nil
}

// shown is a range as messages show it.
func shown(bounds string) string { return strict.Clip(strict.Printable(bounds)) }
