package ansible

// kubeVIP fills in mode kube-vip, if the inventory asks for it, and reports
// whether it does. own is the balancer that stands beside it: kubespray wants
// its address to be the VIP.
func (m *importer) kubeVIP(own *balancer) bool {
	on, enabledAt := m.truth("kube_vip_enabled", false)
	forAPI, forAPIAt := m.truth("kube_vip_controlplane_enabled", true)
	address := m.cluster("kube_vip_address")
	if !on {
		return false
	}
	if !forAPI {
		m.tell(forAPIAt, "", "kube-vip is not installed: here it serves only services of type LoadBalancer, which get no address then")
		return false
	}
	lb := &m.doc.Spec.Endpoint.LoadBalancer
	m.r.Set(balancerPath, enabledAt.at)
	m.r.Set(balancerPath.Key("mode"), enabledAt.at)
	lb.Mode = "kube-vip"
	if address != nil {
		if value, ok := m.scalar(balancerPath.Key("vip"), address); ok {
			lb.VIP = value
		}
	} else if own != nil {
		if value, ok := m.scalar(balancerPath.Key("vip"), own.address); ok {
			lb.VIP = value
		}
	}
	arp, _ := m.truth("kube_vip_arp_enabled", false)
	if bgp, s := m.truth("kube_vip_bgp_enabled", false); bgp && !arp {
		m.r.Set(balancerPath.Key("mode"), s.at)
		m.r.Errorf(balancerPath.Key("mode"), "write kube_vip_arp_enabled: true if the control-plane hosts share a subnet; else use a balancer of your own, loadbalancer_apiserver",
			"kube_vip_bgp_enabled: Quorate's kube-vip announces its address by ARP only, and routers would not learn of it")
	} else if bgp {
		m.tell(s, "", "kube_vip_bgp_enabled is not used: the address is announced by ARP only")
	}
	m.compareAddresses(own, lb.VIP)
	var port *setting
	if own != nil {
		port = own.port
	}
	m.endpointPort(port)
	m.refuseStandIn(balancerPath.Key("vip"), "kube_vip_address", lb.VIP)
	if s := m.cluster("kube_vip_interface"); s != nil && canonical(s.value) != "" {
		m.tell(s, "", "kube_vip_interface is not used: Quorate takes the interface that has the host's address")
	}
	if services, s := m.truth("kube_vip_services_enabled", false); services {
		m.tell(s, "install MetalLB or the like once the cluster is up", "kube_vip_services_enabled is not used: services of type LoadBalancer get no address")
	}
	return true
}

// compareAddresses refuses a VIP beside a balancer of another address: it would
// be open which of the two the nodes use.
func (m *importer) compareAddresses(own *balancer, vip string) {
	if own == nil || vip == "" {
		return
	}
	n, why := m.resolve(own.address.value, own.address.host)
	if why == nil && n.Value != vip {
		m.r.Set(balancerPath, own.address.at)
		m.r.Errorf(balancerPath, "remove loadbalancer_apiserver, or give it the address {{ kube_vip_address }}",
			"loadbalancer_apiserver has another address than kube-vip: which of the two is the API's?")
	}
}
