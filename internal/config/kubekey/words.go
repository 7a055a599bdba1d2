package kubekey

import "github.com/quorate/quorate/internal/config/strict"

// clusterWords are the words of documents of kind Cluster, KubeKey 1 to 3.
func clusterWords() strict.Words {
	return strict.Words{
		Fields: map[strict.Path]string{
			"kubernetes.version": "kubernetes.version", "kubernetes.maxPods": "kubernetes.maxPods", "kubernetes.nodeCIDRMaskSize": "kubernetes.nodeCidrMaskSize",
			"kubernetes.dnsDomain": "kubernetes.dnsDomain", "kubernetes.proxyMode": "kubernetes.proxyMode", "kubernetes.extraSANs": "kubernetes.apiserverCertExtraSans",
			"kubernetes.featureGates": "kubernetes.featureGates", "kubernetes.apiServer.port": "the API servers' port",
			"kubernetes.apiServer.extraArgs": "kubernetes.apiserverArgs", "kubernetes.controllerManager.extraArgs": "kubernetes.controllerManagerArgs",
			"kubernetes.scheduler.extraArgs": "kubernetes.schedulerArgs", "kubernetes.kubelet.extraArgs": "kubernetes.kubeletArgs",
			"kubernetes.kubelet.configuration": "kubernetes.kubeletConfiguration", "kubernetes.kubeProxy.configuration": "kubernetes.kubeProxyConfiguration",
			"network.plugin": "network.plugin", "network.podCIDR": "network.kubePodsCIDR", "network.serviceCIDR": "network.kubeServiceCIDR", "network.flannel.backend": "network.flannel.backendMode",
			"endpoint.domain": "controlPlaneEndpoint.domain", "endpoint.port": "controlPlaneEndpoint.port",
			"endpoint.loadBalancer.mode": "controlPlaneEndpoint.internalLoadbalancer", "endpoint.loadBalancer.type": "controlPlaneEndpoint.internalLoadbalancer",
			"endpoint.loadBalancer.address": "controlPlaneEndpoint.address", "endpoint.loadBalancer.vip": "controlPlaneEndpoint.address",
			"endpoint.loadBalancer.kubeVIP.image": "loadBalancer: {kubeVIP: {image: …}} in a cluster file, which quorate import makes",
			"etcd.mode":                           "etcd.type", "etcd.dataDir": "etcd.dataDir", "etcd.heartbeat": "etcd.heartbeatInterval", "etcd.election": "etcd.electionTimeout",
			"etcd.autoCompactionRetention": "etcd.autoCompactionRetention", "etcd.maxWALs": "etcd.maxWals",
			"registry.mirrors": "registry.registryMirrors", "registry.insecure": "registry.insecureRegistries",
			"ssh.user": "user", "ssh.port": "port", "ssh.password": "password", "ssh.privateKeyPath": "privateKeyPath", "ssh.timeout": "timeout",
		},
		Phrases: map[string]string{
			"give a host the role worker, which control-plane hosts can have too": "name a host in roleGroups.worker; it may be a control-plane host",
			"give an odd number of hosts the role etcd":                           "name an odd number of hosts in roleGroups.etcd",
		},
	}
}

// configWords are those of KubeKey 4's Inventory and Config.
func configWords() strict.Words {
	const balancer = "kubernetes.control_plane_endpoint."
	return strict.Words{
		Fields: map[strict.Path]string{
			"kubernetes.version": "kubernetes.kube_version", "kubernetes.maxPods": "kubernetes.kubelet.max_pods", "kubernetes.nodeCIDRMaskSize": "cni.ipv4_mask_size",
			"kubernetes.dnsDomain": "dns.domain", "kubernetes.proxyMode": "kubernetes.kube_proxy.mode", "kubernetes.extraSANs": "kubernetes.apiserver.certSANs",
			"kubernetes.featureGates": "kubernetes.kubelet.feature_gates", "kubernetes.apiServer.port": "kubernetes.apiserver.port",
			"kubernetes.apiServer.extraArgs": "kubernetes.apiserver.extra_args", "kubernetes.controllerManager.extraArgs": "kubernetes.controller_manager.extra_args",
			"kubernetes.scheduler.extraArgs": "kubernetes.scheduler.extra_args", "kubernetes.kubelet.extraArgs": "kubernetes.kubelet.extra_args",
			"kubernetes.kubelet.configuration": "kubernetes.kubelet.extra_config", "kubernetes.kubeProxy.configuration": "kubernetes.kube_proxy.config",
			"network.plugin": "cni.type", "network.podCIDR": "cni.pod_cidr", "network.serviceCIDR": "cni.service_cidr",
			"endpoint.domain": balancer + "host", "endpoint.port": balancer + "port", "endpoint.loadBalancer.mode": balancer + "type", "endpoint.loadBalancer.type": balancer + "type",
			"endpoint.loadBalancer.address": balancer + "local.address", "endpoint.loadBalancer.vip": balancer + "kube_vip.address",
			"endpoint.loadBalancer.interface": balancer + "kube_vip.env.vip_interface", "endpoint.loadBalancer.kubeVIP.image": balancer + "kube_vip.image",
			"etcd.mode": "etcd.deployment_type", "etcd.dataDir": "etcd.env.data_dir", "etcd.heartbeat": "etcd.env.heartbeat_interval", "etcd.election": "etcd.env.election_timeout",
			"etcd.autoCompactionRetention": "etcd.env.compaction_retention", "etcd.quotaBackendBytes": "etcd.env.quota_backend_bytes", "etcd.snapshotCount": "etcd.env.snapshot_count",
			"etcd.maxRequestBytes": "etcd.env.max_request_bytes", "etcd.maxSnapshots": "etcd.env.max_snapshots", "etcd.maxWALs": "etcd.env.max_wals",
			"etcd.metrics": "etcd.env.metrics", "etcd.logLevel": "etcd.env.log_level",
			"registry.mirrors": "cri.registry.mirrors", "registry.insecure": "cri.registry.insecure_registries",
			"hosts.internalAddress": "internal_ipv4", "hosts.address": "connector.host",
			"ssh.user": "connector.user", "ssh.port": "connector.port", "ssh.password": "connector.password", "ssh.sudoPassword": "connector.password", "ssh.privateKeyPath": "connector.private_key",
		},
		Phrases: map[string]string{
			"both have connection: local":                                         "both have the connector's type local",
			"give a host the role worker, which control-plane hosts can have too": "name a host in the group kube_worker; it may be a control-plane host",
			"give an odd number of hosts the role etcd":                           "name an odd number of hosts in the group etcd",
		},
	}
}
