#!/bin/bash
# First process of a node: it lives in network, mount, pid, uts, ipc and cgroup namespaces of the node's own (entered by
# `unshare`, see node.py), makes them look like a machine, and runs containerd, kubelet and kube-proxy. When it ends, the
# kernel kills every process of the node; when one of the three ends, so does it.
#
#   node-init.sh CLUSTER NAME CACHE
#
# CLUSTER is the cluster's folder. CLUSTER/NAME holds what node_files.py and node.py wrote: configuration, the list
# `cgroup-mounts`, the pipe `gate`, through which node.py says "network" when the node is plugged in and "kubelet" when
# its Node object exists and containerd is ready, and the socket `notify`, where containerd says that it is. CACHE is the
# folder with the built programs.
set -euo pipefail
cluster=$1
name=$2
cache=$3
node=$cluster/$name
logs=$cluster/logs

# Opening the pipe waits for node.py, which takes that as the sign that the namespaces are there.
exec 3<"$node/gate"
wait_for() {
  local word
  read -r word <&3
  [[ $word == "$1" ]]
}

hostname "$name"

# The node's root is the machine's, copied on write: whatever a pod does to its node, the machine keeps its files. Other
# file systems than the machine's root are not there. The clusters' own folder (with the authority's key) is hidden.
root=$node/root
mkdir -p "$node"/{disk,upper,work,root}
mount -t overlay -o "lowerdir=/,upperdir=$node/upper,workdir=$node/work" overlay "$root"
mount --rbind /dev "$root/dev"
for place in /run "$(dirname "$cluster")"; do
  mkdir -p "$root$place"
  mount -t tmpfs -o mode=755 tmpfs "$root$place"
done
for place in "$node" "$cluster/bin" "$cache"; do
  mkdir -p "$root$place"
  mount --bind "$place" "$root$place"
done
# Containers' own overlays cannot lie on an overlay; and these are the folders worth reading from outside.
for place in /run/containerd /var/lib/containerd /var/lib/kubelet /var/log/containers /var/log/pods; do
  mkdir -p "$node/disk$place" "$root$place"
  mount --bind "$node/disk$place" "$root$place"
done

# /proc and /sys show the namespaces of whoever mounts them; inside a cgroup namespace a hierarchy has the node's group
# as its root.
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t bpf bpf "$root/sys/fs/bpf"
if [[ $(wc -l <"$node/cgroup-mounts") -gt 1 ]]; then
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
fi
while read -r kind options place; do
  mkdir -p "$root$place"
  mount -t "$kind" -o "$options" cgroup "$root$place"
done <"$node/cgroup-mounts"

exec 4>>"$logs/$name-containerd.log" 5>>"$logs/$name-kubelet.log" 6>>"$logs/$name-kube-proxy.log"
cd "$root"
pivot_root . .
umount --lazy .
cd /
# Kubelet and containers mount things for one another (mountPropagation: Bidirectional).
mount --make-rshared /

# What is not a pod has one group together, as systemd would have it: starting and ending pods takes many short programs,
# each of which would weigh half as much as all pods. And on cgroup v2 a group with processes cannot give controllers to others.
while read -r kind _ place; do
  mkdir "$place/system"
  if [[ -e $place/cpuset.mems && $kind == cgroup ]]; then # an empty cpuset accepts no process
    cat "$place/cpuset.cpus" >"$place/system/cpuset.cpus"
    cat "$place/cpuset.mems" >"$place/system/cpuset.mems"
  fi
  echo $$ >"$place/system/cgroup.procs"
  if [[ $kind == cgroup2 ]]; then
    for controller in $(<"$place/cgroup.controllers"); do
      echo "+$controller" >"$place/cgroup.subtree_control"
    done
  fi
done <"$node/cgroup-mounts"

wait_for network
echo 1 >/proc/sys/net/ipv4/ip_forward
mkdir -p /etc/cni/net.d
cp "$node/cni.conflist" /etc/cni/net.d/10-bridge.conflist
NOTIFY_SOCKET=$node/notify containerd --config "$node/containerd.toml" >&4 2>&1 &

wait_for kubelet
kubelet --config="$node/kubelet.yaml" --kubeconfig="$node/kubelet.kubeconfig" --hostname-override="$name" \
  --node-ip="$(<"$node/address")" >&5 2>&1 &
kube-proxy --config="$node/kube-proxy.yaml" --hostname-override="$name" >&6 2>&1 &

# Returns when any of the three ends; bash collects the orphans that end meanwhile.
wait -n
echo "a process of the node ended: see the logs of $name-containerd, $name-kubelet and $name-kube-proxy"
exit 1
