#!/bin/bash
# First process of a node: it lives in network, mount, pid, uts, ipc and cgroup namespaces of the node's own (entered by
# `unshare`, see node.py), makes them look like a machine, and runs containerd, kubelet and kube-proxy. When it ends, the
# kernel kills every process of the node; when one of the three ends, so does it.
#
#   node-init.sh DIRECTORY NAME
#
# DIRECTORY holds what node.py wrote: configuration files, `cgroup-mounts`, and the pipe `gate`, through which node.py
# says "network" when the node is plugged in and "kubelet" when its Node object exists.
set -euo pipefail
directory=$1
name=$2

# Opening the pipe waits for node.py, which takes that as the sign that the namespaces are there.
exec 3<"$directory/gate"

wait_for() {
  local word
  read -r word <&3
  [[ $word == "$1" ]]
}

hostname "$name"

# /proc and /sys show the namespaces of whoever mounts them.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf

# Mounted inside a cgroup namespace, each hierarchy has the node's own group as its root.
if [[ $(wc -l <"$directory/cgroup-mounts") -gt 1 ]]; then
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
fi
while read -r kind options place; do
  mkdir -p "$place"
  mount -t "$kind" -o "$options" cgroup "$place"
done <"$directory/cgroup-mounts"

# On cgroup v2 a group with processes cannot give controllers to its children: move them out of the node's root.
if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
  mkdir -p /sys/fs/cgroup/init
  while read -r pid; do
    echo "$pid" >/sys/fs/cgroup/init/cgroup.procs || true # a process that has just ended
  done </sys/fs/cgroup/cgroup.procs
  for controller in $(</sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
  done
fi

# The folders every node has, private to this one, at their usual places.
for place in /etc/cni/net.d /run/containerd /run/netns /var/lib/cni /var/lib/containerd /var/lib/kubelet \
  /var/log/containers /var/log/pods; do
  mkdir -p "$directory/root$place" "$place"
  mount --bind "$directory/root$place" "$place"
done
cp "$directory/cni.conflist" /etc/cni/net.d/10-bridge.conflist

# Kubelet and containers mount things for one another (mountPropagation: Bidirectional).
mount --make-rshared /

wait_for network
echo 1 >/proc/sys/net/ipv4/ip_forward
containerd --config "$directory/containerd.toml" >>"$directory/../logs/$name-containerd.log" 2>&1 &

wait_for kubelet
kubelet --config="$directory/kubelet.yaml" --kubeconfig="$directory/kubelet.kubeconfig" --hostname-override="$name" \
  --node-ip="$(<"$directory/address")" >>"$directory/../logs/$name-kubelet.log" 2>&1 &
kube-proxy --config="$directory/kube-proxy.yaml" --hostname-override="$name" >>"$directory/../logs/$name-kube-proxy.log" 2>&1 &

# Returns when any of the three ends; bash collects the orphans that end meanwhile.
wait -n
echo "a process of the node ended: see the logs of $name-containerd, $name-kubelet and $name-kube-proxy"
exit 1
