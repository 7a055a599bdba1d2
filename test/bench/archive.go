package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/cluster"
)

// onHostDir holds what the script needs on a host besides what stays there.
const onHostDir = "root/reference"

// archive is one role's tar. Programs are in it as they are: the hosts have
// nothing that unpacks zstd, gzip costs more than this network saves, and
// image layers are compressed in themselves.
type archive struct {
	out    *tar.Writer
	bundle *bundle.Bundle
	err    error // the first one; everything after it is left out
}

// writeArchive packs what hosts of a role need, and nothing else, with paths
// as they are on the host.
func (s *staging) writeArchive(role cluster.Role) error {
	f, err := os.OpenFile(filepath.Join(s.dir, string(role)+".tar"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	a := &archive{out: tar.NewWriter(f), bundle: s.bundle}
	for _, b := range s.release.Binaries(role) {
		a.addBinary(b.Name)
	}
	packages := []string{"conntrack", "iptables", "nftables"}
	if role == cluster.RoleWorker {
		packages = append(packages, "haproxy")
		a.addRendered(filepath.Join(s.scripts, "haproxy.cfg.tmpl"), "etc/haproxy/haproxy.cfg", s.cluster)
	}
	a.addPackages(packages...)
	s.addSettings(a, role)
	images := s.release.Images(role)
	if role == cluster.RoleControlPlane {
		images = append(images, s.release.EtcdImage())
	}
	s.addImages(a, images)
	if a.err == nil {
		a.err = a.out.Close()
	}
	if a.err == nil {
		a.err = f.Close()
	}
	return a.err
}

// addSettings adds the same units and settings that quorate writes.
func (s *staging) addSettings(a *archive, role cluster.Role) {
	a.addContent("etc/modules-load.d/kubernetes.conf", []byte("overlay\nbr_netfilter\n"))
	a.addContent("etc/sysctl.d/90-kubernetes.conf", []byte(
		"net.bridge.bridge-nf-call-ip6tables = 1\nnet.bridge.bridge-nf-call-iptables = 1\nnet.ipv4.ip_forward = 1\n"))
	hosts := s.cluster.ControlPlanes()
	if role == cluster.RoleWorker {
		hosts = s.cluster.Workers()
	}
	if len(hosts) > 0 { // a measurement may go without workers
		files := s.planned(hosts[0])
		if err := missing(files); err != nil && a.err == nil {
			a.err = err
		}
		for _, f := range files {
			a.add(strings.TrimPrefix(f.Path, "/"), f.Mode, int64(len(f.Content)), bytes.NewReader(f.Content))
		}
	}
	content, err := os.ReadFile(filepath.Join(s.scripts, "prepare.sh"))
	if err != nil && a.err == nil {
		a.err = err
	}
	a.addContent(onHostDir+"/prepare.sh", content)
}

// addImages adds one archive of images for ctr.
func (s *staging) addImages(a *archive, names []string) {
	if a.err != nil {
		return
	}
	f, err := os.CreateTemp(s.dir, "images-")
	if err != nil {
		a.err = err
		return
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if a.err = s.bundle.WriteImageArchive(f, names...); a.err != nil {
		return
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		a.err = err
		return
	}
	a.add(onHostDir+"/images.tar", 0o600, size, f)
}

func (a *archive) addRendered(from, to string, data any) {
	content, err := render(from, data)
	if err != nil && a.err == nil {
		a.err = err
	}
	a.addContent(to, content)
}

func (a *archive) addContent(name string, content []byte) {
	a.add(name, 0o644, int64(len(content)), strings.NewReader(string(content)))
}

// addBinary adds a program of the bundle, unpacked.
func (a *archive) addBinary(name string) {
	f, ok := a.bundle.Binary(name)
	if !ok && a.err == nil {
		a.err = fmt.Errorf("the bundle has no %s", name)
	}
	if a.err != nil {
		return
	}
	r, err := a.bundle.OpenFile(f)
	if err != nil {
		a.err = err
		return
	}
	defer r.Close()
	var content io.Reader = r
	if f.Compression == "zstd" {
		z, err := zstd.NewReader(r)
		if err != nil {
			a.err = err
			return
		}
		defer z.Close()
		content = z
	}
	a.add(strings.TrimPrefix(f.InstallPath, "/"), fs.FileMode(f.Mode), f.Size, content)
}

// addPackages adds packages and what they need.
func (a *archive) addPackages(names ...string) {
	if a.err != nil {
		return
	}
	files, err := a.bundle.Packages("debian", "12", names...)
	if err != nil {
		a.err = err
		return
	}
	for _, f := range files {
		r, err := a.bundle.OpenFile(f)
		if err != nil {
			a.err = err
			return
		}
		a.add(onHostDir+"/packages/"+path.Base(f.Path), 0o644, f.Size, r)
		r.Close()
	}
}

func (a *archive) add(name string, mode fs.FileMode, size int64, content io.Reader) {
	if a.err != nil {
		return
	}
	header := &tar.Header{Name: name, Mode: int64(mode), Size: size, Typeflag: tar.TypeReg}
	if a.err = a.out.WriteHeader(header); a.err != nil {
		return
	}
	if _, err := io.Copy(a.out, content); err != nil {
		a.err = fmt.Errorf("packing %s: %w", name, err)
	}
}
