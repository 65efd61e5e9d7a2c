#!/bin/sh
# What mmdebstrap runs when all packages are installed: takes the kernel and an initramfs out of the system.
#   image_hook.sh SYSTEM FOLDER INIT
set -eu
system=$1 folder=$2 init=$3
version=$(ls "$system/lib/modules")
mv "$system"/boot/vmlinuz-* "$folder/vmlinuz"
# Modules of hardware that no virtual machine has are most of its size.
for kind in sound drivers/gpu drivers/media drivers/infiniband drivers/scsi drivers/iio drivers/staging drivers/usb \
    drivers/input drivers/hwmon drivers/video drivers/mmc drivers/mtd drivers/ata drivers/nvme drivers/thunderbolt \
    drivers/net/ethernet; do
    rm -rf "$system/lib/modules/$version/kernel/$kind"
done
# Simulated radios stay.
find "$system/lib/modules/$version/kernel/drivers/net/wireless" -mindepth 1 -maxdepth 1 ! -name virtual -exec rm -r {} +
rm -rf "${system:?}"/boot/* "$system"/var/cache/apt/*.bin "$system"/var/lib/apt/lists/*
depmod -b "$system" "$version"

initramfs=$folder/initramfs
mkdir -p "$initramfs/bin" "$initramfs/modules"
for point in proc sys dev memory system tree new; do mkdir "$initramfs/$point"; done
cp "$system/bin/busybox" "$initramfs/bin/"
for command in sh mount mkdir sleep insmod switch_root; do ln -s busybox "$initramfs/bin/$command"; done
cp "$init" "$initramfs/init"
for module in virtio_pci virtio_blk virtio_rng squashfs overlay; do
    modprobe -d "$system" -S "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' | while read -r file; do
    name=$(basename "$file" .xz)
    case $file in
    *.xz) xz -dc "$file" >"$initramfs/modules/$name" ;;
    *) cp "$file" "$initramfs/modules/$name" ;;
    esac
    echo "$name" >>"$initramfs/modules/order"
done
(cd "$initramfs" && find . | cpio -o -H newc --quiet) >"$folder/initramfs.cpio"
rm -rf "$initramfs"
