# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# The lab's root file system (an initramfs), and the kernels beside it.

lab_libraries=(libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libgcc_s.so.1 libnss_files.so.2
	libxenctrl.so.4.17 libxenguest.so.4.17 libxenevtchn.so.1 libxencall.so.1 libxendevicemodel.so.1 libxenforeignmemory.so.1
	libxengnttab.so.1 libxentoolcore.so.1 libxentoollog.so.1)
virtio_modules=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk virtio_console)
kvm_modules=(irqbypass ccp kvm kvm-amd)
xen_modules=(xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xenfs)
libraries=usr/lib/x86_64-linux-gnu

# base_find: sets build, the folder of this very set of scripts and packages.
base_find() {
	local key
	key=$({
		cat "$parts"/*
		versions_of "${lab_installed[@]}" libc6
		echo "$kernel_tree $xen_tree"
		# A stored boot knows this processor's TSC.
		grep -m 1 'model name' /proc/cpuinfo
	} | sha256sum | cut -c -16)
	build=$cache/build-$key
	attempt make_once "$build" base_build
	[ "$failed" = 0 ] || die "cannot build the lab"
	hold_build
	sweep
}

base_build() {
	local into=$1
	say "building the lab's images"
	cp "$kernel_tree"/boot/vmlinuz-* "$into/vmlinuz"
	kernel_unpack "$into/vmlinuz" "$into/vmlinux"
	gzip -dc "$xen_tree"/boot/xen-*-amd64.gz >"$into/xen"
	gcc -static -Os -o "$into/hold-vm" "$parts/hold-vm.c"
	gcc -Os -o "$into/tsc-khz" "$parts/tsc-khz.c"
	"$into/tsc-khz" >"$into/khz"
	base_pack "$into" kvm "${kvm_modules[@]}"
	base_pack "$into" xen "${xen_modules[@]}"
}

# base_pack INTO KIND MODULE...: writes INTO/KIND.cpio, uncompressed because unpacking is slow under emulation, and
# INTO/KIND.libraries, the libraries that need not be added to a payload.
base_pack() {
	local into=$1 kind=$2 root=$1/root applet
	shift 2
	mkdir -p "$root"/{usr/bin,usr/lib64,usr/local/bin,etc,root,t,tmp,run,proc,sys,dev,lab,var} "$root/$libraries"
	ln -s usr/bin "$root/bin"
	ln -s usr/bin "$root/sbin"
	ln -s usr/lib "$root/lib"
	ln -s usr/lib64 "$root/lib64"
	ln -s ../run "$root/var/run"
	cp /bin/busybox "$root/usr/bin/"
	for applet in $(/bin/busybox --list); do [ "$applet" = busybox ] || ln -s busybox "$root/usr/bin/$applet"; done
	cp "$parts/init" "$root/init"
	chmod 755 "$root/init"
	cp "$into/hold-vm" "$root/usr/bin/"
	cp "$parts/setuidgid" "$root/usr/bin/"
	chmod 755 "$root/usr/bin/setuidgid"
	base_etc "$root/etc"
	base_libraries "$root"
	kernel_modules "$kernel_tree" "$root/usr/lib/modules" "${virtio_modules[@]}" "$@"
	(cd "$root" && find . -mindepth 1 | sort | cpio -o -H newc -R 0:0 --quiet) >"$into/$kind.cpio"
	(cd "$root/$libraries" && ls) >"$into/$kind.libraries"
	rm -r "$root"
}

base_etc() {
	printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'nobody:x:65534:65534:nobody:/tmp:/bin/sh' >"$1/passwd"
	printf '%s\n' 'root:x:0:' 'nogroup:x:65534:' >"$1/group"
	printf '%s\n' 'root:*:1::::::' 'nobody:*:1::::::' >"$1/shadow"
	printf '%s\n' '127.0.0.1 localhost lab' '::1 localhost' >"$1/hosts"
	echo 'hosts: files' >"$1/nsswitch.conf"
}

base_libraries() {
	local root=$1 name
	cp -L /lib64/ld-linux-x86-64.so.2 "$root/usr/lib64/"
	for name in "${lab_libraries[@]}"; do cp -L "/$libraries/$name" "$root/$libraries/"; done
	closure "$root/$libraries"/*.so* | while read -r name; do
		[ -e "$root/$libraries/${name##*/}" ] || cp -L "$name" "$root/$libraries/"
	done
}
