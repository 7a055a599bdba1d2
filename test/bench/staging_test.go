package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
)

// TestStaging makes everything that the reference is given, but for what is a bundle's or
// a lab's: a template or a unit of quorate's that has changed must not come out only when
// somebody measures.
func TestStaging(t *testing.T) {
	release, err := catalog.Lookup(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	s := staging{dir: t.TempDir(), release: release, scripts: "reference"}
	if err := s.readCluster("../../examples/ha-localhost.yaml"); err != nil {
		t.Fatal(err)
	}
	if err := s.writeFiles(); err != nil {
		t.Fatal(err)
	}
	for _, h := range s.cluster.Hosts {
		if text, err := os.ReadFile(filepath.Join(s.dir, h.Name+".yaml")); err != nil || !bytes.Contains(text, []byte("kind: ")) || bytes.Contains(text, []byte("<no value>")) {
			t.Errorf("kubeadm's file of %s: %v\n%s", h.Name, err, text)
		}
	}
	if text, err := os.ReadFile(filepath.Join(s.dir, "flannel.yaml")); err != nil || !bytes.Contains(text, []byte(release.FlannelImage())) {
		t.Errorf("flannel's objects: %v\n%s", err, text)
	}
	for _, role := range []cluster.Role{cluster.RoleControlPlane, cluster.RoleWorker} {
		var packed bytes.Buffer
		a := &archive{out: tar.NewWriter(&packed)}
		a.addRendered(filepath.Join(s.scripts, "haproxy.cfg.tmpl"), "etc/haproxy/haproxy.cfg", s.cluster)
		s.addSettings(a, role)
		if err := errors.Join(a.err, a.out.Close()); err != nil {
			t.Fatalf("packing for a %s: %v", role, err)
		}
		var names []string
		for in := tar.NewReader(&packed); ; {
			header, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, "/"+header.Name)
		}
		for _, want := range append(needed, "/"+onHostDir+"/prepare.sh") {
			if !slices.Contains(names, want) {
				t.Errorf("a %s is not given %s: %q", role, want, names)
			}
		}
	}
}

// TestTargets finds each target of make that the pages name, and each script that the
// Makefile calls, which must be one that its shell can read.
func TestTargets(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	pages, _ := filepath.Glob("../../docs/*.md")
	named := 0
	for _, page := range append(pages, "../../README.md", "../../README.zh.md", "../../CONTRIBUTING.md", "../../ARCHITECTURE.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z][a-z0-9-]*)").FindAllSubmatch(text, -1) {
			named++
			if !regexp.MustCompile(`(?m)^` + string(m[1]) + `:`).Match(makefile) {
				t.Errorf("%s names make %s, and the Makefile has no such target", page, m[1])
			}
		}
	}
	if named < 10 {
		t.Errorf("the pages name %d targets; they are not found any more", named)
	}
	scripts := []string{"reference/reference.sh", "reference/prepare.sh"}
	for _, m := range regexp.MustCompile(`(?m)^\t@?(hack/[a-z-]+)`).FindAllSubmatch(makefile, -1) {
		scripts = append(scripts, "../../"+string(m[1]))
	}
	for _, script := range scripts {
		shell := "sh"
		if text, err := os.ReadFile(script); err == nil && (strings.HasPrefix(string(text), "#!/bin/bash") || strings.HasPrefix(string(text), "#!/usr/bin/env bash")) {
			shell = "bash"
		}
		if out, err := exec.Command(shell, "-n", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", script, err, out)
		}
	}
}
