package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	podnetwork "github.com/quorate/quorate/internal/component/network"
	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/lab"
	"github.com/quorate/quorate/test/hosts"
)

// staging fills the folder that the script works from: everything an expert
// has ready before the clock starts.
type staging struct {
	ctx     context.Context
	dir     string
	lab     *lab.Lab
	bundle  *bundle.Bundle
	release catalog.Release

	scripts string // the folder of the reference's own files

	cluster *cluster.Cluster
	// What the hosts of a lab say of themselves, the same on all of them.
	cgroupV1     bool
	capabilities uint64
}

func (s *staging) prepare() error {
	if err := s.readCluster(s.lab.ClusterFilePath()); err != nil {
		return err
	}
	if err := s.askHost(); err != nil {
		return err
	}
	if err := s.writeSSHConfig(); err != nil {
		return err
	}
	if err := s.writeFiles(); err != nil {
		return err
	}
	for _, role := range []cluster.Role{cluster.RoleControlPlane, cluster.RoleWorker} {
		if err := s.writeArchive(role); err != nil {
			return fmt.Errorf("packing for a %s: %w", role, err)
		}
	}
	return nil
}

func (s *staging) readCluster(path string) error {
	c, list := config.Load([]string{path}, config.Options{DefaultKubernetes: catalog.Default(), Supported: catalog.Supported()})
	s.cluster = c
	return list.Err()
}

// writeFiles writes what needs neither a lab nor a bundle.
func (s *staging) writeFiles() error {
	for _, step := range []func() error{s.writeHosts, s.writeKubeadm, s.writeFlannel} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// askHost finds out which settings the lab's hosts need that servers do not.
func (s *staging) askHost() error {
	out, err := hosts.Run(s.ctx, s.lab, s.cluster.Hosts[0].Name, "stat -fc %T /sys/fs/cgroup; awk '/^CapBnd/ { print $2 }' /proc/1/status")
	if err != nil {
		return err
	}
	fields := strings.Fields(out)
	if len(fields) != 2 {
		return fmt.Errorf("asking %s for its cgroups and capabilities: it said %q", s.cluster.Hosts[0].Name, out)
	}
	if s.capabilities, err = strconv.ParseUint(fields[1], 16, 64); err != nil {
		return fmt.Errorf("the capabilities of %s: %w", s.cluster.Hosts[0].Name, err)
	}
	s.cgroupV1 = fields[0] != "cgroup2fs"
	return nil
}

func (s *staging) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(s.dir, name), content, 0o600)
}

func (s *staging) writeHosts() error {
	var hosts bytes.Buffer
	for _, h := range s.cluster.Hosts {
		role := cluster.RoleWorker
		if h.Has(cluster.RoleControlPlane) {
			role = cluster.RoleControlPlane
		}
		fmt.Fprintf(&hosts, "%s %s %s\n", role, h.Name, h.Address)
	}
	if err := s.write("hosts", hosts.Bytes()); err != nil {
		return err
	}
	return s.write("domain", []byte(s.cluster.Endpoint.Domain+"\n"))
}

// writeSSHConfig chooses the cipher that costs least on a CPU with AES, which
// is not OpenSSH's first choice.
func (s *staging) writeSSHConfig() error {
	var out bytes.Buffer
	for _, h := range s.cluster.Hosts {
		fmt.Fprintf(&out, "Host %s\n  HostName %s\n", h.Name, h.Address)
	}
	fmt.Fprintf(&out, "Host *\n  User root\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n"+
		"  StrictHostKeyChecking yes\n  LogLevel ERROR\n  Ciphers aes128-gcm@openssh.com,aes256-gcm@openssh.com\n",
		s.lab.KeyPath(), s.lab.KnownHostsPath())
	return s.write("ssh_config", out.Bytes())
}

// writeKubeadm writes kubeadm's file of every host.
func (s *staging) writeKubeadm() error {
	token := randomHex(3) + "." + randomHex(8)
	key := randomHex(32)
	for i := range s.cluster.Hosts {
		h := &s.cluster.Hosts[i]
		controlPlane := h.Has(cluster.RoleControlPlane)
		content, err := render(filepath.Join(s.scripts, "kubeadm.yaml.tmpl"), map[string]any{
			"Cluster": s.cluster, "Host": h, "CgroupV1": s.cgroupV1, "Token": token, "CertificateKey": key,
			"ControlPlane": controlPlane, "Init": h.Name == s.cluster.ControlPlanes()[0].Name,
		})
		if err != nil {
			return err
		}
		if err := s.write(h.Name+".yaml", content); err != nil {
			return err
		}
	}
	return nil
}

// writeFlannel writes the very manifest that quorate applies.
func (s *staging) writeFlannel() error {
	return s.write("flannel.yaml", podnetwork.Manifest(s.cluster, s.release))
}

// render executes a template file of the checkout.
func render(path string, data any) ([]byte, error) {
	t, err := template.New(filepath.Base(path)).Option("missingkey=error").ParseFiles(path)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// randomHex is n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: the program is ended instead
	return hex.EncodeToString(b)
}
