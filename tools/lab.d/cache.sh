# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
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

# attempt COMMAND...: runs COMMAND so that any failing step ends it, and sets "failed" to its status. Never call it in a
# condition or before || or &&: there the shell ignores the failure of a step.
attempt() {
	set +e
	(
		set -e
		"$@"
	)
	failed=$?
	set -e
}

# with_lock NAME COMMAND...: runs COMMAND in a subshell while no other lab holds NAME.
with_lock() (
	mkdir -p "$cache/locks"
	exec {lock}>"$cache/locks/$1"
	flock "$lock"
	shift
	"$@"
)

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
	"$@" "$new"
	mv "$new" "$target"
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
