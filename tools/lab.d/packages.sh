# shellcheck shell=bash
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
	missing=$(packages_missing)
	[ -n "$missing" ] || return 0
	[ "$(id -u)" = 0 ] || die "these packages are missing, and only root can install them:" $missing
	say "installing" $missing
	with_lock apt packages_install $missing >&2 || die "apt-get could not install" $missing
}

packages_install() {
	apt-get -qq update &&
		DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" </dev/null
}

kernel_package() { apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: *//p' | head -n 1; }

candidate_version() { LC_ALL=C apt-cache policy "$1" | sed -n 's/^ *Candidate: *//p'; }

# package_tree NAME: prints the folder that holds the unpacked current version of NAME.
package_tree() {
	local name=$1 version
	version=$(candidate_version "$name")
	[ -n "$version" ] && [ "$version" != '(none)' ] || return 1
	make_once "$cache/packages/${name}_$version" package_unpack "$name" || return 1
	echo "$cache/packages/${name}_$version"
}

package_unpack() {
	local name=$1 into=$2
	say "downloading $name"
	mkdir "$into/deb"
	(cd "$into/deb" && apt-get -qq download "$name" 2>/dev/null >&2) || return 1
	dpkg-deb -x "$into"/deb/*.deb "$into"
	rm -r "$into/deb"
}

# packages_find: sets kernel_tree and xen_tree. Asking apt takes a second, so the answer is kept until apt, dpkg or these
# scripts change.
packages_find() {
	local answer=$cache/packages/found
	if [ ! -e "$answer" ] || [ /var/lib/dpkg/status -nt "$answer" ] || [ /var/lib/apt/lists -nt "$answer" ] ||
		[ "${BASH_SOURCE[0]}" -nt "$answer" ] || ! packages_recall "$answer"; then
		with_lock packages packages_ask "$answer" || die "cannot download $xen_package and the package linux-image-amd64 names"
		packages_recall "$answer"
	fi
}

packages_recall() {
	{ read -r kernel_tree && read -r xen_tree; } <"$1" && [ -d "$kernel_tree" ] && [ -d "$xen_tree" ]
}

packages_ask() {
	local answer=$1 kernel xen
	if [ -z "$(kernel_package)" ]; then apt-get -qq update >&2; fi
	kernel=$(package_tree "$(kernel_package)") && xen=$(package_tree "$xen_package") || return 1
	printf '%s\n' "$kernel" "$xen" >"$answer.new"
	mv "$answer.new" "$answer"
}
