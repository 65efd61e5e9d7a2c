#!/usr/bin/env bash
# Process 1 of the virtual machine: runs the part that the kernel's command line names (PART), prints its exit code, and
# switches the machine off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 NO_COLOR=1
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mkdir -p /run/netns /run/lock /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
ln -s /proc/self/fd /dev/fd
hostname lab
ip link set lo up
# As systemd sets it; the kernel itself allows 4,096.
ulimit -n 524288
cd /opt/procomu || exit
# The first terminal line of the machine is a pipe on the other side: no carriage returns.
stty -onlcr
(
    set -e
    deploy/setup run
    .venv/bin/python -u -m tests.vm.parts "$PART"
) </dev/null
echo "lab-exit $?"
sync
echo o >/proc/sysrq-trigger
sleep 60
