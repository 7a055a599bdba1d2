ansible_host: 10.0.0.2
ip: 10.0.1.2
access_ip: 10.0.1.2
