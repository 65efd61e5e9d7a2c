#!/bin/sh
# The first program of the virtual machine, from its initramfs: puts a file system in memory over both disks, the system and the
# tree, and goes on with guest.sh.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
until [ -b /dev/vda ] && [ -b /dev/vdb ]; do sleep 0.1; done
mount -t tmpfs -o size=75% memory /memory
mkdir /memory/system /memory/system-work /memory/tree /memory/tree-work
mount -t squashfs -o ro /dev/vda /system
mount -t squashfs -o ro /dev/vdb /tree
mount -t overlay -o lowerdir=/system,upperdir=/memory/system,workdir=/memory/system-work system /new
mkdir -p /new/opt/procomu
mount -t overlay -o lowerdir=/tree,upperdir=/memory/tree,workdir=/memory/tree-work tree /new/opt/procomu
for folder in proc sys dev; do mount --move "/$folder" "/new/$folder"; done
exec switch_root /new /opt/procomu/tests/vm/guest.sh
