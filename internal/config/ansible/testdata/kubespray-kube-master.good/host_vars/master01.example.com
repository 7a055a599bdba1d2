ansible_host: 10.0.0.1
ip: 10.0.1.1
access_ip: 10.0.1.1
