package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/lab"
	"github.com/quorate/quorate/test/hosts"
)

// referenceRun is one cluster built by the script.
type referenceRun struct {
	took       time.Duration // until all nodes are Ready
	phases     []phase       // those of took
	addons     phase         // what comes after it and does not count
	nodesReady time.Duration // since the start, by the API's record, whole seconds
	traffic    traffic
	cpu        processorTime // until the add-ons run, as quorate waits for
}

// phase is one part of the script's work.
type phase struct {
	what string
	took time.Duration
}

// scripts is the folder of the reference's files, from the top of the checkout.
const scripts = "test/bench/reference"

func measureReference(ctx context.Context, o options, release catalog.Release, b *bundle.Bundle, work string) (referenceRun, error) {
	var r referenceRun
	err := withLab(ctx, o, labTheirs, func(l *lab.Lab) error {
		dir, err := os.MkdirTemp(work, "reference-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		fmt.Fprintln(os.Stderr, "b: packing what each role needs (not counted)")
		s := staging{ctx: ctx, dir: dir, lab: l, bundle: b, release: release, scripts: scripts}
		if err := s.prepare(); err != nil {
			return fmt.Errorf("preparing its files: %w", err)
		}
		settle()
		fmt.Fprintln(os.Stderr, "b: plain kubeadm")
		bare, err := hostsCPU(l.Name())
		if err != nil {
			return err
		}
		start := time.Now()
		if err := r.build(ctx, dir, start); err != nil {
			return err
		}
		built, err := hostsCPU(l.Name())
		if err != nil {
			return err
		}
		r.cpu.hosts = built - bare
		fmt.Fprintf(os.Stderr, "b: all nodes Ready after %s\n", seconds(r.took))
		ready, err := allReadySince(ctx, l, o.controlPlanes+o.workers)
		if err != nil {
			return fmt.Errorf("the script says that it is done, but %w", err)
		}
		r.nodesReady = ready.Sub(start)
		r.traffic, err = measureTraffic(ctx, l)
		return err
	})
	if err != nil {
		return r, fmt.Errorf("the reference: %w", err)
	}
	return r, nil
}

// build runs the script and follows its phases.
func (r *referenceRun) build(ctx context.Context, dir string, start time.Time) error {
	cmd := hosts.Command(ctx, syscall.SIGTERM, "bash", filepath.Join(scripts, "reference.sh"), dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := r.follow(out, start)
	if err := cmd.Wait(); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("%w\n%s", err, bytes.TrimSpace(stderr.Bytes())))
	}
	r.cpu.operator = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if readErr == nil && r.took == 0 {
		readErr = errors.New("the script ended without saying that the nodes are Ready")
	}
	return readErr
}

// follow reads what the script says of itself.
func (r *referenceRun) follow(out io.Reader, start time.Time) error {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "nodes-ready" {
			r.took = time.Since(start)
			continue
		}
		p, err := parsePhase(lines.Text())
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "b: %6s  %s\n", seconds(p.took), p.what)
		if r.took == 0 {
			r.phases = append(r.phases, p)
		} else {
			r.addons = p
		}
	}
	return lines.Err()
}

// parsePhase reads "phase 1.234 what it was".
func parsePhase(line string) (phase, error) {
	fields := strings.SplitN(line, " ", 3)
	if len(fields) == 3 && fields[0] == "phase" {
		if s, err := strconv.ParseFloat(fields[1], 64); err == nil {
			return phase{what: fields[2], took: time.Duration(s * float64(time.Second))}, nil
		}
	}
	return phase{}, fmt.Errorf("the script said %q, which is no phase", line)
}

// openBundle opens what both sides install from.
func openBundle(o options) (*bundle.Bundle, error) {
	dir := o.bundle
	if dir == "" {
		var err error
		if dir, err = bundle.DefaultDir(o.kubernetes, "amd64"); err != nil {
			return nil, err
		}
	}
	return bundle.Open(dir)
}
