# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2100,SC2154
# What the lab needs from Debian: some packages installed, two only downloaded and unpacked.

# util-linux, tar, coreutils and gzip are in every Debian.
lab_installed=(qemu-system-x86 busybox-static cpio xz-utils gcc libc6-dev libc-bin
	libxenmisc4.17 libxencall1 libxendevicemodel1 libxenevtchn1 libxenforeignmemory1
	libxengnttab1 libxentoolcore1 libxentoollog1)
xen_package=xen-hypervisor-4.17-amd64

versions_of() { dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' "$@" 2>/dev/null || true; }

packages_missing() {
	local installed
	installed=$(versions_of "${lab_installed[@]}" | sed -n 's/ .* installed$//p')
	printf '%s\n' "${lab_installed[@]}" | grep -vxF "$installed" || true
}

# Installs what is missing. Costs one dpkg query when nothing is.
packages_ensure() {
	local missing
	mapfile -t missing < <(packages_missing)
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] || die "these packages are missing, and only root can install them: ${missing[*]}"
	say "installing ${missing[*]}"
	attempt with_lock apt packages_install "${missing[@]}"
	[ "$failed" = 0 ] || die "apt-get could not install ${missing[*]}: see $cache/apt.log"
}

packages_install() {
	apt-get -qq update
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" </dev/null
} >"$cache/apt.log" 2>&1

kernel_package() { apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: *//p' | head -n 1; }

candidate_version() { LC_ALL=C apt-cache policy "$1" | sed -n 's/^ *Candidate: *//p'; }

# packages_find: sets kernel_tree and xen_tree, the folders of the two unpacked packages. Asking apt takes a second, so the
# answer is kept until apt, dpkg or these scripts change.
packages_find() {
	local answer=$cache/packages/found
	if [ ! -e "$answer" ] || [ /var/lib/dpkg/status -nt "$answer" ] || [ /var/lib/apt/lists -nt "$answer" ] ||
		[ "${BASH_SOURCE[0]}" -nt "$answer" ] || ! packages_recall "$answer"; then
		mkdir -p "${answer%/*}"
		attempt with_lock packages packages_ask "$answer"
		if [ "$failed" != 0 ] && [ "$(id -u)" = 0 ]; then
			attempt with_lock apt apt-get -qq update
			attempt with_lock packages packages_ask "$answer"
		fi
		packages_recall "$answer" || die "cannot download $xen_package and the kernel that linux-image-amd64 names"
		[ "$failed" = 0 ] || say "the packages could not be asked for again; the ones kept are used"
	fi
}

packages_recall() {
	[ -e "$1" ] && { read -r kernel_tree && read -r xen_tree; } <"$1" && [ -d "$kernel_tree" ] && [ -d "$xen_tree" ]
}

packages_ask() {
	local answer=$1 name version folder
	for name in "$(kernel_package)" "$xen_package"; do
		[ -n "$name" ]
		version=$(candidate_version "$name")
		[ -n "$version" ]
		folder=$cache/packages/${name}_$version
		make_once "$folder" package_unpack "$name"
		echo "$folder"
	done >"$answer.new"
	mv "$answer.new" "$answer"
}

package_unpack() {
	local name=$1 into=$2
	say "downloading $name"
	mkdir "$into/deb"
	(cd "$into/deb" && apt-get -qq download "$name" >/dev/null 2>&1)
	dpkg-deb -x "$into"/deb/*.deb "$into"
	rm -r "$into/deb"
}
