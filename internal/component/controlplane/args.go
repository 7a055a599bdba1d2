package controlplane

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/etcd"
)

// shutdownDelay is how long an API server that was told to stop serves on while
// it says that it is not ready: balancers ask every second or more often, and
// leave it alone by then. Nothing is lost when it is restarted.
const shutdownDelay = "5s"

// watchTermination is how long it then takes at most to end the watches, which
// go on elsewhere. Without it they are kept until the kubelet kills the API
// server after 30 seconds.
const watchTermination = "10s"

// APIServerArgs are the flags that the API servers get beyond kubeadm's own.
func (s settings) APIServerArgs() []cluster.Arg {
	ours := []cluster.Arg{
		{Name: "shutdown-delay-duration", Value: shutdownDelay},
		{Name: "shutdown-watch-termination-grace-period", Value: watchTermination},
	}
	if s.Cluster.SharesAPIPort() {
		// A load balancer on the same host has the port on the VIP.
		ours = append(ours, cluster.Arg{Name: "permit-port-sharing", Value: "true"})
	}
	users := s.Cluster.Kubernetes.APIServerArgs
	if noAnonymous(s.Cluster) {
		users = slices.DeleteFunc(slices.Clone(users), func(a cluster.Arg) bool { return a == anonymousOff })
		ours = append(ours, cluster.Arg{Name: argAuthentication, Value: authenticationFile})
	}
	return withUsers(append(ours, s.gates()...), users)
}

// ControllerManagerArgs are the same of the controller managers.
func (s settings) ControllerManagerArgs() []cluster.Arg {
	size := cluster.Arg{Name: "node-cidr-mask-size", Value: fmt.Sprint(s.Cluster.Kubernetes.NodeCIDRMaskSize)}
	return withUsers(append([]cluster.Arg{size}, s.gates()...), s.Cluster.Kubernetes.ControllerManagerArgs)
}

// SchedulerArgs are the same of the schedulers.
func (s settings) SchedulerArgs() []cluster.Arg {
	return withUsers(s.gates(), s.Cluster.Kubernetes.SchedulerArgs)
}

// EtcdArgs are the flags of stacked etcd. The first membership is of one host;
// the rest is the same on all members.
func (s settings) EtcdArgs() []cluster.Arg {
	var out []cluster.Arg
	if s.EtcdInitialCluster != "" {
		out = append(out,
			cluster.Arg{Name: argInitialCluster, Value: s.EtcdInitialCluster},
			cluster.Arg{Name: argInitialState, Value: s.EtcdInitialState},
			cluster.Arg{Name: "initial-cluster-token", Value: s.Cluster.Name})
	}
	out = append(out, cluster.Arg{Name: "feature-gates", Value: etcd.Gates})
	return append(out, etcd.Tuning(s.Cluster.Etcd)...)
}

// gates are the feature gates as a flag, where there are any.
func (s settings) gates() []cluster.Arg {
	gates := s.Cluster.Kubernetes.FeatureGates
	var list []string
	for _, name := range slices.Sorted(maps.Keys(gates)) {
		list = append(list, fmt.Sprintf("%s=%t", name, gates[name]))
	}
	if len(list) == 0 {
		return nil
	}
	return []cluster.Arg{{Name: "feature-gates", Value: strings.Join(list, ",")}}
}

// securePort is where a program with these flags listens.
func securePort(args []cluster.Arg, port int) int {
	for _, a := range args {
		if n, err := strconv.Atoi(a.Value); a.Name == "secure-port" && err == nil {
			port = n
		}
	}
	return port
}

// withUsers adds the user's flags, which win over ours of the same name. A flag
// that the user gives several times stays so: some mean a list.
func withUsers(ours, users []cluster.Arg) []cluster.Arg {
	out := slices.DeleteFunc(slices.Clone(ours), func(own cluster.Arg) bool {
		return slices.ContainsFunc(users, func(u cluster.Arg) bool { return u.Name == own.Name })
	})
	return append(out, users...)
}
