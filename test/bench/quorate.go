package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/lab"
	"github.com/quorate/quorate/test/hosts"
)

// quorateRun is one cluster built by quorate.
type quorateRun struct {
	apply  process
	result event.Result // of the first apply
	// The parts of the first apply around the run of the plan: connecting,
	// observing and planning before it; the proof and the kubeconfig after it.
	before, after time.Duration
	nodesReady    time.Duration // since the start, by the API's record, whole seconds
	traffic       traffic
	cpu           processorTime // of the first apply
	second        process       // the apply that has nothing to do
	plans         []process     // `quorate plan`: facts of all hosts, compared
}

// process is one run of the quorate binary.
type process struct {
	start time.Time
	took  time.Duration
	cpu   time.Duration
	peak  int64 // resident memory at its highest, bytes
}

// planRuns is how often the cost of observing is measured.
const planRuns = 3

func measureQuorate(ctx context.Context, o options, work string) (quorateRun, error) {
	var r quorateRun
	err := withLab(ctx, o, labOurs, func(l *lab.Lab) error {
		state := filepath.Join(work, "state")
		kubeconfig := filepath.Join(work, "kubeconfig")
		settle()
		fmt.Fprintln(os.Stderr, "a: quorate apply")
		bare, err := hostsCPU(l.Name())
		if err != nil {
			return err
		}
		var events []byte
		r.apply, events, err = runQuorate(ctx, o, state, "apply", "-f", l.ClusterFilePath(), "--bundle", o.bundle,
			"--yes", "--output", "json", "--kubeconfig", kubeconfig)
		if err != nil {
			return err
		}
		built, err := hostsCPU(l.Name())
		if err != nil {
			return err
		}
		r.cpu = processorTime{hosts: built - bare, operator: r.apply.cpu}
		if r.result, err = readEvents(bytes.NewReader(events)); err != nil {
			return err
		}
		r.before = r.result.Started.Sub(r.apply.start)
		r.after = r.apply.took - r.before - r.result.Duration.Duration()
		fmt.Fprintf(os.Stderr, "a: done after %s\n", seconds(r.apply.took))
		ready, err := allReadySince(ctx, l, o.controlPlanes+o.workers)
		if err != nil {
			return fmt.Errorf("quorate says that it is done, but %w", err)
		}
		r.nodesReady = ready.Sub(r.apply.start)
		if r.traffic, err = measureTraffic(ctx, l); err != nil {
			return err
		}
		r.second, _, err = runQuorate(ctx, o, state, "apply", "-f", l.ClusterFilePath(), "--bundle", o.bundle, "--yes", "--kubeconfig", kubeconfig)
		if err != nil {
			return err
		}
		for range planRuns {
			p, _, err := runQuorate(ctx, o, state, "plan", "-f", l.ClusterFilePath(), "--bundle", o.bundle)
			if err != nil {
				return err
			}
			r.plans = append(r.plans, p)
		}
		return nil
	})
	if err != nil {
		return r, fmt.Errorf("quorate: %w", err)
	}
	return r, nil
}

// runQuorate runs the binary to its end and returns its standard output. Its
// journal goes to the state folder, away from the user's own.
func runQuorate(ctx context.Context, o options, state string, args ...string) (process, []byte, error) {
	cmd := hosts.Command(ctx, syscall.SIGINT, o.quorate, args...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+state)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	p := process{start: time.Now()}
	if err := cmd.Start(); err != nil {
		return p, nil, err
	}
	ended := make(chan struct{})
	peak := make(chan int64, 1)
	go func() { peak <- watchMemory(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	p.took = time.Since(p.start)
	close(ended)
	p.peak = <-peak
	p.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if err != nil {
		return p, nil, errors.Join(ctx.Err(), fmt.Errorf("quorate %s: %w\n%s", args[0], err, bytes.TrimSpace(stderr.Bytes())))
	}
	return p, stdout.Bytes(), nil
}

// watchMemory follows a process's own high-water mark of resident memory until
// it has ended. The mark in its resource usage would not do: that one includes
// the moment before exec, in which the child still is a copy of us.
func watchMemory(pid int, ended <-chan struct{}) int64 {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var peak int64
	for {
		if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
			peak = max(peak, highWater(string(status)))
		}
		select {
		case <-ended:
			return peak
		case <-tick.C:
		}
	}
}

// highWater reads VmHWM out of /proc/PID/status, in bytes; 0 where it is not there.
func highWater(status string) int64 {
	_, rest, found := strings.Cut(status, "VmHWM:")
	if !found {
		return 0
	}
	line, _, _ := strings.Cut(rest, "\n")
	kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(line, "kB")), 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}
