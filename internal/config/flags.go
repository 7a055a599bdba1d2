package config

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

// This file is the one place that says which flags the users of Kubernetes'
// programs may give, whatever tool's file they stand in. A flag that a program does
// not have keeps it from starting, and is an error: to leave it out would leave out
// what it was written for.

// flagName is what Kubernetes' programs call their flags.
var flagName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// programs are Kubernetes' programs, by the name of their block.
func programs() map[string]string {
	return map[string]string{"apiServer": "kube-apiserver", "controllerManager": "kube-controller-manager", "scheduler": "kube-scheduler", "kubelet": "kubelet"}
}

// args checks the flags that the user adds for a program of a version.
func (c *converter) args(p strict.Path, program, version string, texts []string) []cluster.Arg {
	var out []cluster.Arg
	what := program + ".extraArgs"
	for i, text := range texts {
		at := p.Key("extraArgs").Index(i)
		name, value, found := strings.Cut(text, "=")
		odd := strict.ControlCharacter(value)
		switch {
		case strings.HasPrefix(text, "-"):
			c.Errorf(at, "write "+strings.TrimLeft(strict.Clip(strict.Printable(text)), "-"), "%s: %s begins with dashes", what, quote(text))
		case !found:
			c.Errorf(at, "write name=value, such as v=2", "%s: %s has no value", what, quote(text))
		case !flagName.MatchString(name):
			c.Errorf(at, "", "%s: %s is not the name of a flag", what, quote(name))
		case odd != "":
			c.Errorf(at, "", "%s: the value of %s holds %s", what, name, odd)
		case c.refuseFlag(at, what, program, version, name, value):
		default:
			out = append(out, cluster.Arg{Name: name, Value: value})
		}
	}
	return out
}

// refuseFlag reports a flag that the program does not have, that contradicts the
// cluster, or that names a file which the program does not see.
func (c *converter) refuseFlag(at strict.Path, what, program, version, name, value string) bool {
	known := catalog.Flags(version, programs()[program])
	if known != nil && !slices.Contains(known, name) {
		hint := "remove it; what it was for may be a setting of the program's configuration now"
		free := slices.DeleteFunc(known, func(flag string) bool { return owned(program, flag) != "" })
		if near := strict.DidYouMean(name, free); near != "" {
			hint = near
		}
		c.Errorf(at, hint, "%s: the %s of Kubernetes %s has no flag %s, and would not start with it", what, programs()[program], version, strict.Clip(name))
		return true
	}
	if hint := owned(program, name); hint != "" {
		c.Errorf(at, hint, "%s: %s cannot be changed here, the cluster would not hold together", what, name)
		return true
	}
	for _, row := range bound() {
		if slices.Contains(strings.Fields(row.programs), program) && row.flag == name && !row.allows(value) {
			c.Errorf(at, row.hint, "%s: %s=%s cannot be: %s", what, name, strict.Clip(strict.Printable(value)), row.why)
			return true
		}
	}
	if hidden := unseenFile(program, name, value); hidden != "" {
		c.Errorf(at, seenHint(program, name), "%s: %s names %s, which the program does not see: it runs in a pod, and to give that further volumes is not built", what, name, quote(hidden))
		return true
	}
	return false
}

// owned says, of a flag that must be as Quorate sets it, what to do instead;
// it is empty for all others.
func owned(program, flag string) string {
	if flag == "feature-gates" {
		return "use kubernetes.featureGates"
	}
	for _, row := range []struct{ program, flags, hint string }{
		{"apiServer", "advertise-address secure-port", "a host's internalAddress and kubernetes.apiServer.port say it"},
		{"apiServer", "service-cluster-ip-range", "use network.serviceCIDR"},
		{"controllerManager", "service-cluster-ip-range", "use network.serviceCIDR"},
		{"controllerManager", "cluster-cidr", "use network.podCIDR"},
		{"controllerManager", "node-cidr-mask-size node-cidr-mask-size-ipv4", "use kubernetes.nodeCIDRMaskSize"},
		{"kubelet", "node-ip hostname-override", "a host's internalAddress and name say it"},
		{"kubelet", "cluster-dns", "remove it, it follows from network.serviceCIDR"},
		{"kubelet", "cluster-domain", "use kubernetes.dnsDomain"},
		{"kubelet", "max-pods", "use kubernetes.maxPods"},
		{"kubelet", "node-labels", "use a host's labels"},
		{"kubelet", "root-dir", "remove it, and mount a disk at /var/lib/kubelet where its place is the matter"},
		{"kubelet", "cgroup-driver", "remove it, containerd and the kubelet must agree"},
		{"kubelet", "authorization-mode anonymous-auth authentication-token-webhook pod-manifest-path rotate-certificates", "remove it, Quorate sets it"},
		{"controllerManager", "secure-port", "remove it, Quorate asks for its health there"},
		{"scheduler", "secure-port", "remove it, Quorate asks for its health there"},
	} {
		if row.program == program && slices.Contains(strings.Fields(row.flags), flag) {
			return row.hint
		}
	}
	for _, prefix := range []string{"etcd-", "tls-cert-file", "tls-private-key-file", "client-ca-file", "kubelet-client-", "proxy-client-", "requestheader-",
		"service-account-key", "service-account-signing-key", "service-account-private-key", "cluster-signing-", "root-ca-file",
		"kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig", "bootstrap-kubeconfig", "config", "cert-dir", "container-runtime-endpoint"} {
		if flag == prefix || strings.HasSuffix(prefix, "-") && strings.HasPrefix(flag, prefix) {
			return "remove it, Quorate sets it"
		}
	}
	return ""
}

// boundFlag is a flag of which only some values go together with the cluster.
type boundFlag struct {
	programs, flag string
	allows         func(value string) bool
	why, hint      string
}

// bound lists flags whose value may be changed, but not to any.
func bound() []boundFlag {
	is := func(values ...string) func(string) bool {
		return func(value string) bool { return slices.Contains(values, value) }
	}
	const remove = "remove it"
	return []boundFlag{
		{"apiServer", "authorization-mode", func(value string) bool {
			modes := strings.Split(value, ",")
			return slices.Contains(modes, "Node") && slices.Contains(modes, "RBAC") && !slices.Contains(modes, "AlwaysAllow")
		}, "nodes and Kubernetes' own programs have their rights by Node and RBAC, and AlwaysAllow gives everybody all of them", "write authorization-mode=Node,RBAC, or remove it"},
		{"apiServer", "bind-address", is("0.0.0.0", "::"), "the nodes and the other API servers reach it at the host's address", remove},
		{"apiServer", "allow-privileged", is("true"), "kube-proxy and the network plugin run in privileged pods", remove},
		{"apiServer", "enable-bootstrap-token-auth", is("true"), "nodes join with such a token", remove},
		{"apiServer", "endpoint-reconciler-type", is("lease"), "an API server that is down would stay among the addresses of the service kubernetes", remove},
		{"controllerManager scheduler", "leader-elect", is("true"), "one runs on every control-plane host, and they would work against each other", remove},
		{"controllerManager scheduler", "bind-address", is("127.0.0.1", "0.0.0.0", "::", "::1"), "the flag is the same on all control-plane hosts, and an address is one host's", "write 0.0.0.0 for all addresses of each host"},
		{"controllerManager", "allocate-node-cidrs", is("true"), "nodes would get no addresses for their pods", remove},
		{"controllerManager", "use-service-account-credentials", is("true"), "the controllers have their rights by their service accounts", remove},
		{"kubelet", "register-node", is("true"), "the node would never join", remove},
		{"kubelet", "enable-server", is("true"), "the API servers, and Quorate, ask the kubelet", remove},
	}
}

// seenFolders are what the pods of the control plane's programs see of their hosts.
func seenFolders(program string) []string {
	if program == "scheduler" {
		return nil
	}
	return []string{"/etc/kubernetes/pki", "/etc/ssl/certs"}
}

// unseenFile is the file that a flag names and its program does not see; empty
// where there is none. The kubelet is no pod.
func unseenFile(program, flag, value string) string {
	if program == "kubelet" || value == "" || value == "-" || flag == "authorization-always-allow-paths" {
		return ""
	}
	isFile := strings.HasPrefix(value, "/") || flag == "tls-sni-cert-key" ||
		slices.ContainsFunc([]string{"-file", "-config", "-path", "-dir", "-to"}, func(s string) bool { return strings.HasSuffix(flag, s) }) && flag != "runtime-config"
	if !isFile {
		return ""
	}
	file, _, _ := strings.Cut(value, ",")
	whole := path.Clean(file)
	sees := slices.ContainsFunc(seenFolders(program), func(folder string) bool { return strings.HasPrefix(whole, folder+"/") })
	if sees && flag != "audit-log-path" { // the folders are there to be read
		return ""
	}
	return file
}

// seenHint is where such a file can be instead.
func seenHint(program, flag string) string {
	switch {
	case flag == "audit-log-path":
		return "write audit-log-path=-: the log is then what the container prints"
	case len(seenFolders(program)) == 0:
		return "remove it"
	}
	return fmt.Sprintf("put the file below /etc/kubernetes/pki on every control-plane host, which the pod sees, and write %s=/etc/kubernetes/pki/FILE", flag)
}
