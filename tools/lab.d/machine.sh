# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
# The emulated machine: how QEMU is called, and the stored boot.

# Fixed, because a stored boot knows the drive's size. The file is sparse.
drive_bytes=$((2 << 30))

# This QEMU does not intercept a guest's XSETBV, and it passes MONITOR and MWAIT through to guests. With AVX Linux in a KVM guest
# notices the disagreement about XCR0 and leaves XSAVE alone (a warning that setting XCR0 for it avoids); without AVX it does
# not notice and dies, so AVX stays. In the Xen lab the guest's view is Xen's own. SMAP kills a PV dom0 here.
cpu_kvm=EPYC,+svm,+npt,-monitor
cpu_xen=$cpu_kvm,-smap,-smep,-avx,-avx2,-fma,-f16c
linux_options='panic=-1 quiet mitigations=off tsc=reliable'
# Linux measures the TSC against an emulated timer, and on a busy host finds a tenth of it: it is told (tsc-khz.c).

# machine_arguments FOLDER: sets qemu, the command line. FOLDER holds the drive and gets the ports' files.
machine_arguments() {
	local folder=$1 port cpu=cpu_$kind
	qemu=(qemu-system-x86_64 -accel tcg,thread=multi -M pc -cpu "${!cpu}" -smp "$smp"
		-nodefaults -display none -no-reboot
		-device isa-debug-exit,iobase=0x501,iosize=1
		-chardev "file,id=console,path=$folder/console" -serial chardev:console
		-drive "file=$folder/drive,format=raw,if=none,id=drive,readonly=on" -device virtio-blk-pci,drive=drive
		# Without an ioeventfd a port's write is in the file when the guest goes on: nothing is lost at the end.
		-device virtio-serial-pci,ioeventfd=off)
	for port in 1:output 2:status 3:back; do
		: >"$folder/${port#*:}"
		qemu+=(-chardev "file,id=${port#*:},path=$folder/${port#*:}"
			-device "virtserialport,chardev=${port#*:},nr=${port%:*},name=${port#*:}")
	done
	"machine_kernel_$kind"
}

machine_kernel_kvm() {
	qemu+=(-kernel "$build/vmlinux" -initrd "$build/kvm.cpio" -append "console=ttyS0 $linux_options tsc_early_khz=$(cat "$build/khz")")
}

machine_kernel_xen() {
	local dom0=$((mem / 2))
	qemu+=(-kernel "$build/xen" -initrd "$build/vmlinux console=hvc0 $linux_options,$build/xen.cpio"
		-append "console=com1 com1=115200,8n1 dom0_mem=${dom0}M,max:${dom0}M loglvl=warning guest_loglvl=warning \
sched_ratelimit_us=0 spec-ctrl=no,eager-fpu noreboot")
}

# The guest's memory is a file that the stored boot shares with nobody: "on" writes it, "off" maps it copy-on-write.
machine_memory() { qemu+=(-m "$mem" -object "memory-backend-file,id=ram,size=${mem}M,mem-path=$1,share=$2" -machine memory-backend=ram); }

# QEMU's machine protocol, spoken through its stdin.
qmp_begin='{"execute": "qmp_capabilities"}
{"execute": "migrate-set-capabilities", "arguments": {"capabilities": [{"capability": "x-ignore-shared", "state": true},
	{"capability": "events", "state": true}]}}'

# qmp_stream COMMAND DIRECTION FILE: migrates to ('>') or from ('<') FILE.
qmp_stream() { echo "{\"execute\": \"$1\", \"arguments\": {\"uri\": \"exec:cat $2 '$3'\"}}"; }

# snapshot_make FOLDER: boots until the lab waits for its payload, then stores devices in FOLDER/state beside FOLDER/ram.
snapshot_make() {
	local folder=$1 pid control
	say "storing a boot of the $kind lab (once for $smp processors, $mem MB)"
	truncate -s "$drive_bytes" "$folder/drive"
	mkfifo "$folder/control"
	machine_arguments "$folder"
	machine_memory "$folder/ram" on
	timeout --foreground 180 "${qemu[@]}" -qmp stdio <"$folder/control" >"$folder/monitor" 2>&1 &
	pid=$!
	exec {control}>"$folder/control"
	snapshot_await "$folder/console" 'LAB READY'
	sleep 0.3
	echo "$qmp_begin" >&"$control"
	qmp_stream migrate '>' "$folder/state" >&"$control"
	snapshot_await "$folder/monitor" '"status": "completed"'
	echo '{"execute": "quit"}' >&"$control"
	exec {control}>&-
	wait "$pid"
	rm "$folder"/{drive,control,output,status,back}
}

# snapshot_await FILE TEXT: waits for TEXT as long as QEMU, pid, lives.
snapshot_await() {
	until grep -qsF "$2" "$1"; do
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.1
	done
}

# machine_start FOLDER cold|SNAPSHOT: starts QEMU in the background and sets pid.
machine_start() {
	local folder=$1 snapshot=$2
	machine_arguments "$folder"
	if [ "$snapshot" = cold ]; then
		qemu+=(-m "$mem" -monitor none)
		timeout --foreground -k 5 "$timeout" "${qemu[@]}" </dev/null >"$folder/monitor" 2>&1 &
	else
		machine_memory "$snapshot/ram" off
		{ echo "$qmp_begin" && qmp_stream migrate-incoming '<' "$snapshot/state"; } >"$folder/control"
		timeout --foreground -k 5 "$timeout" "${qemu[@]}" -incoming defer -qmp stdio <"$folder/control" >"$folder/monitor" 2>&1 &
	fi
	pid=$!
}

# machine_is_up FOLDER: waits until the resumed lab has taken its payload.
machine_is_up() {
	local tries
	for ((tries = 0; tries < 600; tries++)); do
		[ ! -s "$1/status" ] || return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	[ -s "$1/status" ]
}

machine_stop() {
	[ -n "${pid:-}" ] || return 0
	kill "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	pid=
}

# machine_words FOLDER: what QEMU had to say.
machine_words() { grep -v -e "TCG doesn't support requested feature" -e '^{"\(QMP\|return\|timestamp\)"' "$1/monitor" || true; }
