# prepare.sh ENDPOINT-ADDRESS DOMAIN: on a host, after its archive was unpacked.
set -e
echo "copied $(date +%s.%N)"
echo "$1 $2" >> /etc/hosts
modprobe -a overlay br_netfilter
sysctl --quiet --load /etc/sysctl.d/90-kubernetes.conf
systemctl daemon-reload
systemctl enable --quiet kubelet
systemctl enable --quiet --now containerd
# The images need the disk and the packages dpkg's scripts: side by side.
ctr --namespace k8s.io images import --local /root/reference/images.tar > /dev/null &
DEBIAN_FRONTEND=noninteractive dpkg --install --force-confold /root/reference/packages/*.deb
wait $!
rm -r /root/reference/images.tar /root/reference/packages
