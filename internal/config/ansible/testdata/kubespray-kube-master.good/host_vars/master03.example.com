ansible_host: 10.0.0.3
ip: 10.0.1.3
access_ip: 10.0.1.3
