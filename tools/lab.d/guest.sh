# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# The guest that tests boot: Debian's kernel and a small initramfs.

guest_modules=(pvpanic pvpanic-mmio pvpanic-pci virtio_ring virtio virtio_mmio virtio_pci_legacy_dev virtio_pci_modern_dev
	virtio_pci virtio-rng virtio_blk failover net_failover virtio_net virtio_console vsock vmw_vsock_virtio_transport_common
	vmw_vsock_virtio_transport virtio_balloon virtio_mem fuse virtiofs crc16 crc32c_generic libcrc32c mbcache jbd2 ext4)
guest_files=(vmlinuz vmlinux initrd.gz VERSION)

# guest_find: sets guest, the folder of the finished guest.
guest_find() {
	local key
	key=$({
		cat "$parts/guest-init" "$parts/guest.sh" "$parts/kernel.sh"
		versions_of busybox-static
		echo "$kernel_tree"
	} | sha256sum | cut -c -16)
	guest=$cache/guest-$key
	attempt make_once "$guest" guest_build
	[ "$failed" = 0 ] || die "cannot build the guest"
	touch "$guest"
}

guest_build() {
	local into=$1
	cp "$kernel_tree"/boot/vmlinuz-* "$into/vmlinuz"
	kernel_unpack "$into/vmlinuz" "$into/vmlinux"
	guest_initrd "$into/root" "$into/initrd.gz"
	rm -r "$into/root"
	basename "$kernel_tree" >"$into/VERSION"
}

guest_initrd() {
	local root=$1 applet
	mkdir -p "$root"/{bin,dev,proc,sys,tmp}
	cp /bin/busybox "$root/bin/"
	for applet in $(/bin/busybox --list); do [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"; done
	cp "$parts/guest-init" "$root/init"
	chmod 755 "$root/init"
	kernel_modules "$kernel_tree" "$root/modules" "${guest_modules[@]}"
	(cd "$root" && find . -mindepth 1 | sort | cpio -o -H newc -R 0:0 --quiet) | gzip -9n >"$2"
}
