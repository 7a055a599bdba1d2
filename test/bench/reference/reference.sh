#!/bin/bash
# The reference: what someone who knows kubeadm scripts by hand. Every host gets
# one stream with exactly what its role needs, all hosts at once; then
# `kubeadm init` on the first control plane, one join after another for the
# other control planes (kubeadm's own rule for stacked etcd), and all workers
# together. Workers reach the API through a HAProxy of their own; control
# planes join through the first one, and use their own API server afterwards.
#
# reference.sh FOLDER: the folder holds hosts (a line "role name address" each),
# ssh_config, control-plane.tar, worker.tar and NAME.yaml, kubeadm's file for
# each host. Writes "phase SECONDS what" to standard output for every phase.
set -euo pipefail
cd "$1"
mkdir -p log
declare -A address
control_planes=() workers=()
while read -r role name addr; do
  address[$name]=$addr
  if [ "$role" = control-plane ]; then control_planes+=("$name"); else workers+=("$name"); fi
done < hosts
first=${control_planes[0]}
others=("${control_planes[@]:1}")
domain=$(cat domain)

on() { ssh -F ssh_config "$@"; }
kubectl() { on "$first" kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }

# phase WHAT [AT]: the time since the phase before, up to now or to AT.
last=$EPOCHREALTIME
phase() {
  local at=${2:-$EPOCHREALTIME}
  awk -v from="$last" -v to="$at" -v what="$1" 'BEGIN { printf "phase %.3f %s\n", to - from, what }'
  last=$at
}

# all COMMAND HOST…: on all hosts at the same time; one failure fails all.
all() {
  local command=$1 host pids=() failed=0
  shift
  for host in "$@"; do
    "$command" "$host" >> "log/$host" 2>&1 &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  if [ $failed = 1 ]; then
    for host in "$@"; do echo "--- $host"; tail -n 15 "log/$host"; done >&2
    return 1
  fi
}

prepare() {
  local archive=worker endpoint=127.0.0.1
  if grep -q "^control-plane $1 " hosts; then archive=control-plane endpoint=${address[$first]}; fi
  on "$1" "tar -C / -xf - && sh /root/reference/prepare.sh $endpoint $domain" < "$archive.tar"
}

join() {
  sed "s/@CA_HASH@/$ca_hash/" "$1.yaml" |
    on "$1" 'umask 077; cat > /root/reference/kubeadm.yaml
      kubeadm join --config /root/reference/kubeadm.yaml --ignore-preflight-errors=SystemVerification'
}

# From here on a control plane talks to its own API server.
own_endpoint() { on "$1" "sed -i 's/^.* $domain\$/${address[$1]} $domain/' /etc/hosts"; }

all prepare "${control_planes[@]}" "${workers[@]}"
phase 'copy to all hosts' "$(awk '/^copied / { if ($2 > at) at = $2 } END { print at }' log/*)"
phase 'packages, runtime, images on all hosts'

init() {
  on "$1" 'umask 077; cat > /root/reference/kubeadm.yaml
    kubeadm init --upload-certs --config /root/reference/kubeadm.yaml --ignore-preflight-errors=SystemVerification' < "$1.yaml"
}
all init "$first"
ca_hash=$(grep -o 'sha256:[0-9a-f]\{64\}' "log/$first" | head -n 1)
phase "kubeadm init on $first"

kubectl apply -f - < flannel.yaml > log/flannel
phase 'apply flannel'

for host in "${others[@]}"; do
  all join "$host"
  own_endpoint "$host"
  phase "join control plane $host"
done
if [ ${#workers[@]} -gt 0 ]; then
  all join "${workers[@]}"
  phase 'join workers, all at once'
fi

nodes=("${control_planes[@]/#/node/}" "${workers[@]/#/node/}")
kubectl wait --for=create "${nodes[@]}" --timeout=60s > log/nodes
kubectl wait --for=condition=Ready "${nodes[@]}" --timeout=300s >> log/nodes
phase 'wait until all nodes are Ready'
echo nodes-ready

# Not counted: what `quorate apply` waits for as well.
{
  kubectl -n kube-flannel rollout status daemonset/kube-flannel-ds --timeout=300s
  kubectl -n kube-system rollout status daemonset/kube-proxy --timeout=300s
  kubectl -n kube-system rollout status deployment/coredns --timeout=300s
} > log/addons
phase 'then, until flannel, kube-proxy and CoreDNS run'
