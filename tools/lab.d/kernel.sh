# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian's kernel: the ELF image inside a bzImage, and modules.

# le_number FILE OFFSET BYTES: a little-endian number in FILE.
le_number() { od -An -v -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '; }

# kernel_unpack BZIMAGE ELF: the payload is xz-compressed, after the setup sectors (Linux boot protocol 2.08).
kernel_unpack() {
	local image=$1 sectors offset length
	sectors=$(le_number "$image" $((0x1f1)) 1)
	offset=$(((${sectors/#0/4} + 1) * 512 + $(le_number "$image" $((0x248)) 4)))
	length=$(le_number "$image" $((0x24c)) 4)
	# The payload ends with its unpacked size, which is no part of the xz stream.
	dd if="$image" iflag=skip_bytes,count_bytes skip="$offset" count="$length" bs=1M status=none |
		xz -dc --single-stream >"$2"
}

# kernel_modules TREE INTO NAME...: copies modules by name.
kernel_modules() {
	local tree=$1 into=$2 name found
	shift 2
	mkdir -p "$into"
	for name in "$@"; do
		found=$(find "$tree/lib/modules" -name "$name.ko")
		[ -n "$found" ] || die "the kernel package has no module $name"
		cp "$found" "$into/"
	done
}
