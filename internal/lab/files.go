package lab

import (
	"bytes"
	_ "embed"
	"path/filepath"
	"strings"
	"text/template"
)

// KeyPath is the private key that logs in to the lab's hosts as root and as admin.
func (l *Lab) KeyPath() string { return filepath.Join(l.dir, "id_ed25519") }

// KnownHostsPath is an OpenSSH known_hosts file with the keys of the lab's
// hosts, complete before they first boot.
func (l *Lab) KnownHostsPath() string { return filepath.Join(l.dir, "known_hosts") }

// OperatorPasswordPath holds the password of the user operator, who has no
// key and needs it for sudo, too.
func (l *Lab) OperatorPasswordPath() string { return filepath.Join(l.dir, "operator-password") }

// ClusterFilePath is where Up writes the cluster file.
func (l *Lab) ClusterFilePath() string { return filepath.Join(l.dir, "cluster.yaml") }

//go:embed cluster.yaml.tmpl
var clusterTemplate string

// ClusterFile is the lab as a cluster file: the same a user would write for
// servers. Two or more load-balancer hosts carry the endpoint, or the control
// planes where they are the load balancers, or the external balancer, which is
// not among the cluster's hosts; without them every worker balances for itself.
func (l *Lab) ClusterFile() []byte {
	tmpl := template.Must(template.New("cluster").Funcs(template.FuncMap{
		"roles": func(roles []Role) string {
			words := make([]string, len(roles))
			for i, role := range roles {
				words[i] = string(role)
			}
			return strings.Join(words, ", ")
		},
	}).Parse(clusterTemplate))
	var out bytes.Buffer
	balancer, external := l.ExternalBalancer()
	err := tmpl.Execute(&out, map[string]any{
		"Name": l.Name(), "Kubernetes": l.record.Spec.Kubernetes, "Hosts": l.members(),
		"External": external, "Balancer": balancer.Address,
		"Key": l.KeyPath(), "KnownHosts": l.KnownHostsPath(),
		"Managed": l.record.Spec.LoadBalancers >= 2 || l.record.Spec.SharedLB, "VIP": l.record.Subnet.vip(),
	})
	if err != nil {
		panic(err) // the template and its data are both ours: a test renders every branch
	}
	return out.Bytes()
}
