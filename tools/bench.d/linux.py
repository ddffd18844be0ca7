# SPDX-License-Identifier: Apache-2.0
"""Rows of whole Linux guests, in the lab, where KVM runs kernels."""
import json
import os
import shutil
import subprocess
import tempfile

import build
from figures import counted, median, paired, row, run, timed

FIRECRACKER = {"exits": 3100, "io_exits": 368, "pf_taken": 47}  # the same kernel, in the same lab
INTERRUPTS = ["irq_exits", "irq_injections", "irq_window_exits"]
WORDS = "console=ttyS0 quiet panic=-1 reboot="  # k: by the keyboard controller; QEMU's microvm has none
RUNS = 3


def lab(files, script, timeout=600):
    command = [os.path.join(build.ROOT, "tools", "lab"), "kvm", "--timeout", timeout]
    for path in files:
        command += ["--file", path]
    return run([*command, "--", script])


def test_guest(folder):
    guest = os.path.join(folder, "guest")
    run([os.path.join(build.ROOT, "tools", "guest"), guest])
    return guest


def linux_to_init(tools, pairs, counts):
    """Debian's kernel to its init by KVM's own statistics. The lab's own interrupts are taken off the exits."""
    with tempfile.TemporaryDirectory() as folder:
        out = lab([tools.linux_init, test_guest(folder)],
                  "mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null; linux-init /t/guest")
    found = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    without = found["exits"] - sum(found.get(name, 0) for name in INTERRUPTS)
    reasons = {name.replace("_", " "): value for name, value in sorted(found.items())
               if value and (name.endswith("exits") or name.startswith("irq_")) and name != "exits"}
    return row("lab-kvm", linux_to_init.__doc__,
               exits_without_interrupts=counted("exits", without),
               exits=counted("exits", found["exits"], firecracker=FIRECRACKER["exits"], reasons=reasons),
               port_accesses=counted("exits", found["io_exits"], firecracker=FIRECRACKER["io_exits"]),
               page_faults=counted("faults", found["pf_taken"], firecracker=FIRECRACKER["pf_taken"]),
               time=None if counts else timed("ms", found["ms"]))


def initrd(tools, folder):
    """A file system with an init that ends the guest at once."""
    tree, packed = os.path.join(folder, "tree"), os.path.join(folder, "initrd")
    os.makedirs(tree)
    shutil.copy(tools.reboot_init, os.path.join(tree, "init"))
    with open(packed, "wb") as file:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=b"init\n", cwd=tree, stdout=file,
                       check=True)
    return packed


def peers(folder, files):
    """Commands by name, as they are in the lab; their files are added."""
    found = {}
    if qemu := shutil.which("qemu-system-x86_64"):
        firmware = "/usr/share/qemu/bios-microvm.bin"
        files += [qemu, firmware]
        if os.path.exists("/usr/share/qemu/linuxboot_dma.bin"):
            files.append("/usr/share/qemu/linuxboot_dma.bin")
        if os.path.exists("/usr/share/qemu/pvh.bin"):
            files.append("/usr/share/qemu/pvh.bin")
        found["qemu"] = ["./qemu-system-x86_64", "-L", "/t", "-M", "microvm,pit=off,pic=off,rtc=off,isa-serial=on",
                         "-accel", "kvm", "-cpu", "host", "-m", "256", "-nodefaults", "-no-user-config",
                         "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", "guest/vmlinux",
                         "-initrd", "initrd", "-append", WORDS + "t"]
    if firecracker := os.environ.get("VSDK_FIRECRACKER"):
        config = os.path.join(folder, "firecracker.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump(build.firecracker_config("/t/guest/vmlinux", WORDS + "k", 256, "/t/initrd"), file)
        files += [firecracker, config]
        found["firecracker"] = ["./" + os.path.basename(firecracker), *build.FIRECRACKER_OPTIONS,
                                "--config-file", "firecracker.json"]
    return found


def linux_to_end(tools, pairs, counts):
    """Debian's kernel from the command to its reset; the ratio is to Firecracker where VSDK_FIRECRACKER
    names it, else to QEMU's microvm."""
    if counts or not tools.vsdk:
        return None
    with tempfile.TemporaryDirectory() as folder:
        files = [tools.vsdk, tools.timed, test_guest(folder), initrd(tools, folder)]
        others = peers(folder, files)
        ours = ["./vsdk", "run", "--backend", "kvm", "--memory", "256M", "--kernel", "guest/vmlinux",
                "--initrd", "initrd", "--append", WORDS + "k"]
        words = []
        for command in [ours, *others.values()]:
            words += ["--", *command] if words else command
        script = " ".join(f"'{word}'" for word in ["./timed", str(RUNS), *words])
        out = lab(files, script)
    names = ["vsdk", *others]
    taken = {name: [] for name in names}
    for line in out.splitlines():
        parts = line.split()
        if len(parts) != 3 or not parts[0].isdigit():
            continue
        if int(parts[2]) != 0:
            raise SystemExit(f"bench: {names[int(parts[0])]} ended with {parts[2]} in the lab")
        taken[names[int(parts[0])]].append(float(parts[1]) / 1000)
    beside = {name: median(values) for name, values in taken.items() if name != "vsdk"}
    against = "firecracker" if "firecracker" in beside else "qemu"
    return row("lab-kvm", linux_to_end.__doc__,
               time=paired("ms", taken["vsdk"], taken[against], against=against, **beside))
