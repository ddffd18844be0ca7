# shellcheck shell=bash
# Where the lab keeps what it has built, and how two labs started at once stay out of each other's way.
#
#   $cache/packages/<name>_<version>/   a downloaded package, unpacked (never installed)
#   $cache/build-<key>/                 kernels and initramfs made from them; <key> covers these scripts and the packages' versions
#   $cache/build-<key>/snapshot-*/      a stored boot of one lab (kind, processors, memory)
#
# A finished thing appears under its final name by one rename, so its presence means that it is complete.

cache=${VSDK_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vsdk-lab}

say() { echo "lab: $*" >&2; }

die() {
	say "$*"
	exit 125
}

# with_lock NAME COMMAND...: runs COMMAND while no other lab holds NAME.
with_lock() {
	local name=$1 fd status=0
	shift
	mkdir -p "$cache/locks"
	exec {fd}>"$cache/locks/$name"
	flock "$fd"
	"$@" {fd}>&- || status=$?
	exec {fd}>&-
	return "$status"
}

# make_once TARGET COMMAND...: COMMAND fills the folder named by its last argument, which then becomes TARGET.
make_once() {
	local target=$1
	shift
	[ -d "$target" ] || with_lock "${target##*/}" make_folder "$target" "$@"
}

make_folder() {
	local target=$1 new=$1.new
	shift
	[ ! -d "$target" ] || return 0
	rm -rf "$new"
	mkdir -p "$new"
	# In a shell of its own, so that a failure anywhere in COMMAND stops it.
	if (set -e; "$@" "$new"); then
		mv "$new" "$target"
	else
		rm -rf "$new"
		return 1
	fi
}

# hold_build: keeps the build folder from being swept while this process, or the QEMU that it starts, lives.
hold_build() {
	exec {build_fd}<"$build"
	flock -s "$build_fd"
	touch "$build"
}

# sweep: removes builds that nobody used for a day.
sweep() {
	local old fd
	find "$cache" -maxdepth 1 -name 'build-*' -mmin +1440 ! -path "$build" | while read -r old; do
		exec {fd}<"$old"
		if flock -n "$fd"; then rm -rf "$old"; fi
		exec {fd}>&-
	done
}
