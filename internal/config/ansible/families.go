package ansible

import (
	"slices"
	"strings"
)

// family is a number of variables that belong together and that Quorate does
// nothing with, and what follows from that. The first family that has a
// variable counts.
type family struct {
	what     string // as in "3 settings of …"
	names    []string
	prefixes []string
	suffixes []string
	// switches are the variables that switch the family on. When none of them
	// says so, its other variables do nothing anyway.
	switches []string
	// ofPlugin says that the variables belong to a network plugin that is not
	// installed: the finding about the plugin says all there is to say.
	ofPlugin bool
	// plugins are those whose names its variables do not begin with.
	plugins []string
	follows string
	hint    string
	// lost is what the cluster will not have, where that is worth a word at the
	// end.
	lost string
}

// ipv6Names are the settings of IPv6, which have no effect where nothing asks for
// it.
func ipv6Names() []string {
	return []string{"enable_dual_stack_networks", "enable_ipv6only_stack_networks", "ipv4_stack", "ipv6_stack", "kube_service_addresses_ipv6",
		"kube_pods_subnet_ipv6", "kube_network_node_prefix_ipv6", "enable_ipv6", "ip6", "access_ip6", "main_ip6"}
}

// renewHint is who renews certificates.
const renewHint = "quorate apply renews those that end within 30 days, and quorate status tells when they end: run apply from a timer of your own"

const addonHint = "install it once the cluster is up"

// families lists the families of both installers.
func families() []family {
	all := append(append(clusterFamilies(), addonFamilies()...), kubeSphereFamilies()...)
	return append(all, family{what: "versions of parts", suffixes: []string{"_version"}, follows: "the parts have the versions that belong to the Kubernetes version"})
}

// clusterFamilies are settings of the cluster itself.
func clusterFamilies() []family {
	return []family{
		{what: "Calico", names: []string{"enable_network_policy", "peer_with_router", "nat_outgoing", "nat_outgoing_ipv6", "global_as_num", "peer_with_calico_rr", "cluster_id"}, prefixes: []string{"calico_", "typha_"}, ofPlugin: true, plugins: []string{"calico", "canal"}},
		{what: "Cilium", prefixes: []string{"cilium_"}, ofPlugin: true},
		{what: "other network plugins", prefixes: []string{"weave_", "kube_router_", "kube_ovn_", "macvlan_", "canal_", "contiv_", "ovn4nfv_", "custom_cni_", "sriov_", "romana_"}, names: []string{"enable_nat_default_gateway"}, ofPlugin: true, plugins: []string{"macvlan"}},
		{what: "downloads", names: []string{"files_repo", "registry_host", "kube_image_repo", "github_url", "dl_k8s_io_url", "storage_googleapis_url", "get_helm_url", "local_release_dir", "retry_stagger"},
			prefixes: []string{"download_", "yum_repo", "debian_repo", "ubuntu_repo", "extras_rh_", "fedora_", "apt_"},
			suffixes: []string{"_download_url", "_image_repo", "_image_tag", "_checksum", "_checksums", "_repo_base_url", "_repo_gpgkey"},
			follows:  "everything comes from a bundle, and its versions and images are those that belong to the Kubernetes version", hint: "build the bundle where the internet is reached: quorate bundle build"},
		{what: "host keys", names: []string{"ansible_host_key_checking", "ansible_ssh_host_key_checking"}, follows: "the keys of hosts are always checked", hint: "--accept-new-host-keys takes in new ones"},
		{what: "Ansible itself", prefixes: []string{"ansible_"}, follows: "no playbook is run, and the hosts need no Python"},
		{what: "a proxy to the internet", names: []string{"http_proxy", "https_proxy", "no_proxy", "additional_no_proxy", "no_proxy_exclude_workers", "skip_http_proxy_on_os_packages", "https_proxy_cert_file"},
			follows: "containerd and package managers use none: images of your own come from registries and mirrors that the hosts reach", hint: "name a mirror in containerd_registries_mirrors; Kubernetes itself comes from the bundle and needs no internet", lost: "the proxy to the internet"},
		{what: "DNS", names: []string{"upstream_dns_servers", "nameservers", "searchdomains", "remove_default_searchdomains", "manual_dns_server", "dns_mode", "resolvconf_mode", "ndots", "dns_timeout", "dns_attempts", "dns_servers", "skydns_server", "skydns_server_secondary", "disable_host_nameservers", "dns_upstream_forward_extra_opts"},
			prefixes: []string{"coredns_", "enable_coredns_", "dns_cores_", "dns_nodes_"},
			follows:  "CoreDNS runs with kubeadm's settings and forwards to the servers in the hosts' /etc/resolv.conf", hint: "change it in the ConfigMap coredns of kube-system once the cluster is up", lost: "settings of CoreDNS"},
		{what: "the DNS cache on the nodes", names: []string{"enable_nodelocaldns"}, prefixes: []string{"nodelocaldns_", "enable_nodelocaldns_"}, switches: []string{"enable_nodelocaldns"},
			follows: "pods ask CoreDNS directly", hint: addonHint, lost: "node-local DNS"},
		{what: "etcd's backups", names: []string{"etcd_backup_period", "keep_backup_number", "etcd_backup_dir", "etcd_backup_prefix", "etcd_backup_retention_count", "etcd_backup_script"},
			follows: "no timer makes backups of etcd", hint: "make them with etcdctl snapshot save, from a timer of your own", lost: "timed backups of etcd"},
		{what: "etcd's version and processes", names: []string{"etcd_version", "etcd_memory_limit", "etcd_cpu_limit", "etcd_ionice", "etcd_nice", "etcd_events_cluster_enabled", "etcd_events_cluster_setup", "etcd_extra_vars", "etcd_peer_client_auth", "etcd_cluster_setup", "etcd_experimental_initial_corrupt_check", "etcd_listen_metrics_urls", "etcd_metrics_port", "etcd_retries", "etcd_config_dir", "etcd_cert_dir", "etcd_blkio_weight"},
			follows: "etcd is the version that belongs to the Kubernetes version, one cluster, without limits on memory"},
		{what: "Multus", prefixes: []string{"multus_"}, names: []string{"kube_network_plugin_multus"}, switches: []string{"kube_network_plugin_multus"}, follows: "Multus is not installed, pods have one network interface", hint: addonHint, lost: "further network interfaces of pods"},
		{what: "flannel", prefixes: []string{"flannel_"}, follows: "flannel runs with Quorate's settings", hint: "its backend can be chosen in a cluster file"},
		{what: "kube-vip", prefixes: []string{"kube_vip_"}, switches: []string{"kube_vip_enabled"}, follows: "kube-vip runs with Quorate's settings"},
		{what: "IPv6", names: ipv6Names(), switches: []string{"enable_dual_stack_networks", "ipv6_stack"},
			follows: "the cluster is IPv4 only in this version"},
		{what: "encryption of Secrets", prefixes: []string{"kube_encrypt", "kube_encryption"}, switches: []string{"kube_encrypt_secret_data"}, follows: "Secrets are stored in etcd as they are", hint: "put an EncryptionConfiguration below /etc/kubernetes/pki on every control-plane host, which the API servers' pods see, and name it: kube_kubeadm_apiserver_extra_args: {encryption-provider-config: /etc/kubernetes/pki/FILE}", lost: "encryption of Secrets"},
		{what: "the audit log", names: []string{"kubernetes_audit", "kubernetes_audit_webhook"}, prefixes: []string{"audit_"}, switches: []string{"kubernetes_audit", "kubernetes_audit_webhook"},
			follows: "API servers write no audit log", hint: "put a policy below /etc/kubernetes/pki on every control-plane host, which the API servers' pods see, and name it: kube_kubeadm_apiserver_extra_args: {audit-policy-file: /etc/kubernetes/pki/FILE, audit-log-path: \"-\"}; the log is then what the container prints", lost: "the audit log"},
		{what: "anonymous access", names: []string{"kube_api_anonymous_auth", "remove_anonymous_access"}, switches: []string{"remove_anonymous_access"},
			follows: "whoever has not logged in still reaches the API's health and version, as is Kubernetes' default", hint: "to close it: kube_kubeadm_apiserver_extra_args: {anonymous-auth: \"false\"}"},
		{what: "logging in to the API", names: []string{"authorization_modes"}, prefixes: []string{"kube_oidc_", "kube_token_auth", "kube_webhook_", "kube_apiserver_use_auth", "kube_apiserver_auth"},
			switches: []string{"kube_oidc_auth", "kube_token_auth", "kube_webhook_token_auth", "kube_webhook_authorization", "kube_apiserver_use_authentication_config_file", "kube_apiserver_use_authorization_config_file"},
			follows:  "only client certificates and service accounts log in", hint: "give OIDC's flags in kube_kubeadm_apiserver_extra_args; files that they name must be below /etc/kubernetes/pki on every control-plane host", lost: "OIDC and other logins"},
		{what: "admission", prefixes: []string{"kube_apiserver_enable_admission", "kube_apiserver_admission", "kube_pod_security", "podsecuritypolicy_", "podnodeselector_", "kube_apiserver_disable_admission"}, names: []string{"kube_apiserver_enable_admission_plugins"},
			follows: "API servers run with Kubernetes' own admission plugins", hint: "give the flags in kube_kubeadm_apiserver_extra_args"},
		{what: "renewing certificates", prefixes: []string{"auto_renew_certificates"}, switches: []string{"auto_renew_certificates"}, follows: "no timer renews certificates", hint: renewHint, lost: "certificates renewed by a timer"},
		{what: "reserved resources", names: []string{"kube_reserved", "system_reserved", "kubelet_enforce_node_allocatable", "eviction_hard", "eviction_hard_control_plane"}, prefixes: []string{"kube_memory_", "kube_cpu_", "kube_ephemeral_", "kube_pid_", "kube_master_", "kube_reserved_", "system_memory_", "system_cpu_", "system_ephemeral_", "system_pid_", "system_master_", "system_reserved_"},
			follows: "the kubelets keep nothing back for the system", hint: "say it in kubelet_config_extra_args: {systemReserved: {cpu: …, memory: …}}", lost: "resources reserved for the system"},
		{what: "the kubelet", prefixes: []string{"kubelet_"}, names: []string{"kube_read_only_port", "default_kubelet_config_dir", "dynamic_kubelet_configuration", "dynamic_kubelet_configuration_dir"}, follows: "the kubelets run with Quorate's settings", hint: "say it in kubelet_config_extra_args, as the kubelet's configuration names it"},
		{what: "IPVS", names: []string{"kube_proxy_strict_arp", "kube_proxy_scheduler"}, prefixes: []string{"kube_proxy_ipvs_"}, follows: "kube-proxy does not use IPVS"},
		{what: "kube-proxy", prefixes: []string{"kube_proxy_"}, follows: "kube-proxy runs with Quorate's settings", hint: "say it in a cluster file, kubernetes.kubeProxy.configuration"},
		{what: "the API server", prefixes: []string{"kube_apiserver_", "apiserver_"}, names: []string{"event_ttl_duration", "tls_min_version", "tls_cipher_suites"}, follows: "the API servers run with Quorate's settings", hint: "give the flags in kube_kubeadm_apiserver_extra_args"},
		{what: "the controller manager and the scheduler", prefixes: []string{"kube_controller_", "kube_scheduler_"}, follows: "they run with Quorate's settings", hint: "give the flags in kube_kubeadm_controller_extra_args and kube_kubeadm_scheduler_extra_args"},
		{what: "kubeadm", prefixes: []string{"kubeadm_"}, follows: "kubeadm's phases run with Quorate's settings"},
		{what: "a cloud", names: []string{"cloud_provider", "external_cloud_provider", "cloud_config"}, prefixes: []string{"external_openstack_", "openstack_", "external_vsphere_", "vsphere_", "azure_", "aws_", "oci_", "external_oci_", "gcp_", "external_hcloud_", "hcloud_", "external_huaweicloud_", "upcloud_", "cinder_"},
			follows: "no cloud controller and no driver of a cloud's disks is installed", hint: addonHint, lost: "the cloud's controller and disks"},
		{what: "where containers are kept", names: []string{"containerd_storage_dir", "containerd_state_dir", "docker_daemon_graph", "crio_storage_dir", "kubelet_root_dir"},
			follows: "images and containers are in /var/lib/containerd, pods' volumes in /var/lib/kubelet", hint: "mount the disk that is meant for them there, beforehand"},
		{what: "logging in to registries", names: []string{"containerd_registry_auth"}, follows: "nodes log in to no registry", hint: "give pods imagePullSecrets", lost: "logging in to registries"},
		{what: "containerd", prefixes: []string{"containerd_", "nri_"}, follows: "containerd runs with Quorate's settings"},
		{what: "other container runtimes", prefixes: []string{"docker_", "crio_", "kata_containers_", "gvisor_", "crun_", "runc_", "youki_", "cri_dockerd_"}, names: []string{"deploy_container_engine", "container_manager_on_localhost"}, follows: "containers run in containerd and runc"},
		{what: "GPUs", prefixes: []string{"nvidia_"}, switches: []string{"nvidia_accelerator_enabled"}, follows: "no GPU driver and no plugin for GPUs is installed", hint: addonHint, lost: "GPUs"},
		{what: "taints", names: []string{"node_taints"}, follows: "the nodes get no taints but those of control-plane hosts", hint: "kubectl taint nodes once the cluster is up", lost: "taints"},
		{what: "the clocks", names: []string{"ntp_enabled", "ntp_manage_config", "ntp_servers", "ntp_timezone", "ntp_package", "ntp_driftfile", "ntp_tinker_panic", "ntp_force_sync_immediately"}, switches: []string{"ntp_enabled", "ntp_manage_config"}, follows: "the hosts' clocks are checked, not set", hint: "run chrony on the hosts"},
		{what: "operating system packages and kernels", names: []string{"additional_sysctl", "sysctl_file_path", "preinstall_selinux_state", "allow_unsupported_distribution_setup", "populate_inventory_to_hosts_file", "populate_loadbalancer_apiserver_to_hosts_file", "disable_swap", "upgrade_cluster_setup", "override_system_hostname"}, prefixes: []string{"rh_subscription_", "sysctl_"},
			follows: "Quorate does only what Kubernetes needs of the hosts"},
		{what: "folders, files and kubespray's own work", names: []string{"bin_dir", "kube_config_dir", "kube_script_dir", "kube_manifest_dir", "kube_cert_dir", "kube_token_dir", "credentials_dir", "kube_owner", "kube_cert_group", "kube_log_level", "k8s_image_pull_policy", "helm_deployment_type", "kubectl_deployment_type", "vault_deployment_type", "cert_management", "unsafe_show_logs", "ignore_assert_errors", "ping_access_ip", "deploy_netchecker", "kube_override_hostname", "certificates_key_size", "certificates_duration", "is_atomic", "bootstrap_os", "access_ip", "ip"},
			prefixes: []string{"netcheck_"}, follows: "files are where kubeadm puts them"},
		{what: "your own machine", names: []string{"kubeconfig_localhost", "kubeconfig_localhost_ansible_host", "kubectl_localhost", "artifacts_dir"}, switches: []string{"kubeconfig_localhost", "kubectl_localhost"},
			follows: "no kubectl is copied to your machine, and the kubeconfig is called after the cluster", hint: "quorate apply writes it beside the cluster file"},
		{what: "volumes and storage classes", lost: "a storage class", names: []string{"volume_cross_zone_attachment", "persistent_volumes_enabled", "expand_persistent_volumes"}, switches: []string{"persistent_volumes_enabled", "volume_cross_zone_attachment", "expand_persistent_volumes"}, follows: "the cluster has no storage class", hint: addonHint},
	}
}

// kubeSphereFamilies are the blocks of KubeSphere 2.x's vars.yml.
func kubeSphereFamilies() []family {
	const storage = "no storage class is made"
	const storageHint = "install a driver and a storage class once the cluster is up; KubeSphere needs a default one"
	return []family{
		{what: "local volumes", names: []string{"local_volume_enabled", "local_volume_is_default_class", "local_volume_storage_class"}, switches: []string{"local_volume_enabled"}, follows: storage, hint: storageHint, lost: "a storage class"},
		{what: "Ceph", prefixes: []string{"ceph_rbd_"}, switches: []string{"ceph_rbd_enabled"}, follows: storage, hint: storageHint, lost: "a storage class"},
		{what: "NFS", prefixes: []string{"nfs_"}, switches: []string{"nfs_client_enabled"}, follows: storage, hint: storageHint, lost: "a storage class"},
		{what: "GlusterFS", prefixes: []string{"glusterfs_"}, names: []string{"jwt_admin_key"}, switches: []string{"glusterfs_provisioner_enabled"}, follows: storage, hint: storageHint, lost: "a storage class"},
		{what: "QingCloud", prefixes: []string{"qingcloud_", "neonsan_"}, names: []string{"client_tcp_no_delay", "client_io_depth", "client_io_timeout", "conn_timeout", "open_volume_timeout"}, switches: []string{"qingcloud_csi_enabled", "qingcloud_lb_enabled", "neonsan_csi_enabled"}, follows: storage + ", and no load balancer", hint: storageHint, lost: "a storage class"},
		{what: "Alibaba Cloud's disks", prefixes: []string{"alicloud_", "ali_"}, switches: []string{"alicloud_disk_csi_enabled", "alicloud_disk_csi_enalbed"}, follows: storage, hint: storageHint, lost: "a storage class"},
		{what: "Tencent Cloud's disks", prefixes: []string{"tencentcloud_", "tecentcloud_"}, switches: []string{"tencentcloud_cbs_csi_enabled"}, follows: storage, hint: storageHint, lost: "a storage class"},
		{what: "KubeSphere", prefixes: []string{"ks_", "mysql_", "minio_", "openldap_", "redis_", "prometheus_", "grafana_", "logging_", "elasticsearch_", "logsidecar_", "log_max_", "elk_", "kibana_", "external_es_", "devops_", "jenkins", "sonar", "openpitrix_", "servicemesh_", "notification_", "alerting_", "harbor_", "gitlab_", "console_"},
			names:   []string{"enable_multi_login", "etcd_volume_size", "disableMultiLogin"},
			follows: "KubeSphere and its components are not installed", hint: "KubeSphere 2.x does not run on the Kubernetes versions that Quorate installs; keep the file, installing KubeSphere is not built", lost: "KubeSphere"},
	}
}

// addonFamilies are what kubespray can install on top.
func addonFamilies() []family {
	addon := func(what string, prefixes ...string) family {
		return family{what: what, prefixes: prefixes, switches: []string{prefixes[0] + "enabled"}, follows: what + " is not installed", hint: addonHint, lost: what}
	}
	return []family{
		addon("the dashboard", "dashboard_"), addon("helm", "helm_"), addon("the registry", "registry_"), addon("metrics-server", "metrics_server_"),
		addon("the local path provisioner", "local_path_provisioner_"), addon("the local volume provisioner", "local_volume_provisioner_"),
		addon("the snapshot controller", "csi_snapshot_controller_", "snapshot_controller_"), addon("the CephFS provisioner", "cephfs_provisioner_"), addon("the RBD provisioner", "rbd_provisioner_"),
		addon("ingress-nginx", "ingress_nginx_", "ingress_publish_"), addon("the ALB ingress", "ingress_alb_", "alb_ingress_"), addon("the Ambassador ingress", "ingress_ambassador_"),
		addon("cert-manager", "cert_manager_"), addon("MetalLB", "metallb_", "matallb_"), addon("Argo CD", "argocd_"), addon("krew", "krew_"),
		addon("the Gateway API", "gateway_api_"), addon("node feature discovery", "node_feature_discovery_"), addon("the second scheduler", "scheduler_plugins_"), addon("the set of Prometheus' resource types", "prometheus_operator_crds_"),
	}
}

// has reports whether a variable belongs to the family.
func (f *family) has(name string) bool {
	if slices.Contains(f.names, name) || slices.Contains(f.switches, name) {
		return true
	}
	return hasPrefix(name, f.prefixes) || slices.ContainsFunc(f.suffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}
