package ansible

import (
	"maps"

	"github.com/quorate/quorate/internal/config/strict"
)

// words are what inventories and their variables call our fields.
func (m *importer) words() strict.Words {
	w := strict.Words{
		Fields: map[strict.Path]string{
			"kubernetes.version": "kube_version", "kubernetes.maxPods": "kubelet_max_pods", "kubernetes.nodeCIDRMaskSize": "kube_network_node_prefix",
			"kubernetes.dnsDomain": "dns_domain", "kubernetes.proxyMode": "kube_proxy_mode", "kubernetes.extraSANs": "supplementary_addresses_in_ssl_keys",
			"kubernetes.featureGates": "kube_feature_gates", "kubernetes.apiServer.port": "kube_apiserver_port",
			"kubernetes.apiServer.extraArgs": "kube_kubeadm_apiserver_extra_args", "kubernetes.controllerManager.extraArgs": "kube_kubeadm_controller_extra_args",
			"kubernetes.scheduler.extraArgs": "kube_kubeadm_scheduler_extra_args", "kubernetes.kubelet.extraArgs": "kubelet_custom_flags",
			"kubernetes.kubelet.configuration": "kubelet_config_extra_args",
			"network.plugin":                   "kube_network_plugin", "network.podCIDR": "kube_pods_subnet", "network.serviceCIDR": "kube_service_addresses", "network.flannel.backend": "flannel_backend_type",
			"endpoint.domain": "apiserver_loadbalancer_domain_name", "endpoint.port": "loadbalancer_apiserver.port", "endpoint.loadBalancer.address": "loadbalancer_apiserver.address",
			"endpoint.loadBalancer.type": "loadbalancer_apiserver_type", "endpoint.loadBalancer.vip": "kube_vip_address", "endpoint.loadBalancer.interface": "kube_vip_interface",
			"endpoint.loadBalancer.kubeVIP.image":  "kube_vip_image_repo with kube_vip_image_tag",
			"endpoint.loadBalancer.kubeVIP.bgp.as": "kube_vip_local_as", "endpoint.loadBalancer.kubeVIP.bgp.peers": "kube_vip_bgppeers",
			"etcd.mode": "etcd_deployment_type", "etcd.dataDir": "etcd_data_dir", "etcd.heartbeat": "etcd_heartbeat_interval", "etcd.election": "etcd_election_timeout",
			"etcd.autoCompactionRetention": "etcd_compaction_retention", "etcd.quotaBackendBytes": "etcd_quota_backend_bytes", "etcd.snapshotCount": "etcd_snapshot_count",
			"etcd.maxRequestBytes": "etcd_max_request_bytes", "etcd.maxSnapshots": "etcd_max_snapshots", "etcd.maxWALs": "etcd_max_wals", "etcd.metrics": "etcd_metrics", "etcd.logLevel": "etcd_log_level",
			"registry.mirrors": "containerd_registries_mirrors", "registry.insecure": "containerd_insecure_registries",
			"hosts.internalAddress": "ip", "hosts.address": "ansible_host",
			"ssh.user": "ansible_user", "ssh.port": "ansible_port", "ssh.password": "ansible_password", "ssh.sudoPassword": "ansible_become_password",
			"ssh.privateKeyPath": "ansible_ssh_private_key_file",
		},
		Phrases: map[string]string{
			"give a host the role worker, which control-plane hosts can have too": "put a host into the group kube_node; it may be a control-plane host",
			"give an odd number of hosts the role etcd":                           "put an odd number of hosts into the group etcd",
			"both have connection: local":                                         "both have ansible_connection=local",
			"use a host's labels":                                                 "use node_labels",
			"add vip: ":                                                           "add kube_vip_address: ",
			"needs a vip":                                                         "needs kube_vip_address",
		},
	}
	if m.inv.hasOldNames() {
		w.Phrases["give a host the role worker, which control-plane hosts can have too"] = "put a host into the group kube-node; it may be a control-plane host"
	}
	if !m.isKubeasz {
		return w
	}
	for theirs, kubesprays := range kubeaszNames() {
		for field, name := range w.Fields {
			if name == kubesprays {
				w.Fields[field] = theirs
			}
		}
	}
	maps.Copy(w.Fields, map[strict.Path]string{"endpoint.port": "EX_APISERVER_PORT", "endpoint.loadBalancer.vip": "EX_APISERVER_VIP"})
	w.Phrases["give a second host the role load-balancer"] = "put a second host into ex_lb"
	return w
}
