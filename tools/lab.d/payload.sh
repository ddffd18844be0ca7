# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What goes into the lab for one run: files, an installed tree, the libraries that they need, the command.

is_elf() { [ -f "$1" ] && [ "$(head -c 4 "$1" | tr -d '\0')" = $'\x7fELF' ]; }

# closure FILE...: the paths of all shared libraries that FILEs load, except the loader.
closure() {
	[ $# -gt 0 ] || return 0
	{ ldd "$@" 2>/dev/null || true; } | sed -n 's/^[^/]*=> \(\/[^ ]*\) (0x.*/\1/p' | sort -u
}

# quote WORD...: WORDs in a form that any shell reads back.
quote() {
	local word
	for word in "$@"; do printf "'%s' " "${word//\'/\'\\\'\'}"; done
}

# payload_pack ROOT FILE: makes the cpio FILE out of ROOT, which is filled here from the options.
payload_pack() {
	local root=$1
	mkdir -p "$root/t" "$root/lab"
	[ -z "$stage" ] || cp -a "$stage/." "$root/"
	payload_files "$root/t"
	payload_libraries "$root"
	payload_orders "$root/lab"
	(cd "$root" && find . -mindepth 1 -printf '%P\n' | sort | cpio -o -H newc -R 0:0 --quiet -C 1048576) >"$2"
	[ "$(stat -c %s "$2")" -le "$drive_bytes" ] || die "the files are too large for the lab's drive"
	truncate -s "$drive_bytes" "$2"
}

payload_files() {
	local path
	for path in "${files[@]}"; do
		[ -e "$path" ] || die "no such file: $path"
		if [ -d "$path" ]; then cp -a "$(readlink -f "$path")" "$1/${path##*/}"; else cp -L "$path" "$1/"; fi
	done
}

payload_libraries() {
	local root=$1 name found=()
	while read -r name; do if is_elf "$name"; then found+=("$name"); fi; done < <(
		find "$root" -type f \( -perm /111 -o -name '*.so*' \)
		# Where a program was built its run path still leads to libraries that it will not find from its copy.
		for name in "${files[@]}"; do if [ -f "$name" ]; then echo "$name"; fi; done
	)
	[ ${#found[@]} -gt 0 ] || return 0
	mkdir -p "$root/$libraries"
	while read -r name; do
		if [ "${name#"$root"}" != "$name" ] || [ -e "$root/t/${name##*/}" ] ||
			grep -qxF "${name##*/}" "$build/$kind.libraries"; then continue; fi
		cp -L "$name" "$root/$libraries/"
	done < <(LD_LIBRARY_PATH=$root/t:$root/usr/local/lib/x86_64-linux-gnu:$root/usr/local/lib:$root/$libraries closure "${found[@]}")
}

payload_orders() {
	local setting
	if [ ${#command[@]} = 1 ]; then echo "${command[0]}"; else quote "${command[@]}"; fi >"$1/command"
	{
		echo 'export LD_LIBRARY_PATH=/t:/usr/local/lib/x86_64-linux-gnu:/usr/local/lib:/usr/lib/x86_64-linux-gnu'
		echo "export VSDK_LAB=$kind"
		for setting in "${environment[@]}"; do echo "export ${setting%%=*}=$(quote "${setting#*=}")"; done
	} >"$1/environment"
	printf '%s\n' "${back[@]}" >"$1/back"
	date +%s >"$1/epoch"
	head -c 32 /dev/urandom >"$1/seed"
}
