# SPDX-License-Identifier: Apache-2.0
"""Rows of small guests: made, run, left, and what they cost in memory. Each is a function of (tools,
pairs, counts) that gives a row, or None where it can't be measured; `counts`: nothing that is timed."""
import json
import os
import re
import shutil
import subprocess
import tempfile

import build
import order
from figures import counted, median, of_bench, paired, row, run, slope

FEW, MANY = 1000, 3000
MEMORY_KIB = 128 << 10
PAGE = 4096


def have_kvm():
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def create(tools, pairs, counts):
    """A machine of 128 MiB made, run to its first exit and destroyed."""
    if counts or not have_kvm():
        return None
    return row("host-kvm", create.__doc__, time=of_bench(tools, "create", pairs))


def create_1000(tools, pairs, counts):
    """The same in a process in which 1,000 other machines live: ours beside ours, raw beside raw."""
    if counts or not have_kvm():
        return None
    return row("host-kvm", create_1000.__doc__, time=of_bench(tools, "create-1000", max(21, pairs // 3)))


def ioctls(tools, what, exits):
    done = subprocess.run([tools.bench, "only-exits", str(exits), what], check=True, text=True,
                          stderr=subprocess.PIPE, env={**os.environ, "LD_PRELOAD": tools.count_ioctls})
    return int(re.search(r"ioctls (\d+)", done.stderr).group(1))


def ioctls_per_exit(tools, pairs, counts):
    """System calls to KVM an exit that an attached device answers."""
    if not have_kvm():
        return None
    per_exit = [slope(lambda exits: ioctls(tools, what, exits), FEW, MANY) for what in ("ours", "raw")]
    return row("host-kvm", ioctls_per_exit.__doc__, ioctls=counted("ioctls", *per_exit))


def instructions(command):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command]
    done = subprocess.run([str(word) for word in command], check=True, text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def instructions_an_exit(tools, what):
    return slope(lambda exits: instructions([tools.bench, "only-exits", exits, what]), FEW, MANY)


def exit_pio(tools, pairs, counts):
    """An exit that an attached device answers, on KVM."""
    if not have_kvm():
        return None
    return row("host-kvm", exit_pio.__doc__,
               time=None if counts else of_bench(tools, "exit", pairs),
               instructions=counted("instructions", instructions_an_exit(tools, "ours"),
                                    instructions_an_exit(tools, "raw")))


def exit_pio_bus(tools, pairs, counts):
    """The way from exit to device and back alone, on the mock: the interpreter's own part is taken off."""
    bus = instructions_an_exit(tools, "bus") - instructions_an_exit(tools, "nop")
    return row("mock", exit_pio_bus.__doc__,
               time=None if counts else of_bench(tools, "bus", max(21, pairs // 6)),
               instructions=counted("instructions", bus))


def code_pages(program):
    """Pages of the library's code that a start and an end of a program run."""
    pages, objects, here = set(), {}, ""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        subprocess.run(["valgrind", "--quiet", "--tool=callgrind", "--dump-instr=yes", "--compress-pos=no",
                        f"--callgrind-out-file={out}", program], check=True, stdout=subprocess.DEVNULL)
        with open(out, encoding="ascii", errors="replace") as file:
            for line in file:
                if match := re.match(r"(c?)ob=\((\d+)\)(?: (.*))?$", line):
                    objects.setdefault(match[2], match[3])
                    here = here if match[1] else objects[match[2]]
                elif "libvsdk" in here and (match := re.match(r"0x([0-9a-f]+) ", line)):
                    pages.add(int(match[1], 16) // PAGE)
    return len(pages)


def exec_first_byte(tools, pairs, counts):
    """An installed program from its start to its guest's first serial byte; `static`: with libvsdk.a; `stale
    order`: functions in which lib/start.ld and such a start differ (tools/bench --order)."""
    if not have_kvm():
        return None
    return row("host-kvm", exec_first_byte.__doc__,
               time=None if counts else of_bench(tools, "exec", pairs, tools.exec_ours, tools.exec_raw),
               static=None if counts else of_bench(tools, "exec", pairs, tools.exec_static, tools.exec_raw),
               code_pages=counted("pages", code_pages(tools.exec_ours)),
               stale_order=counted("functions", sum(map(len, order.stale()))))


def runs_of(timed_program, runs, commands, *options):
    """What tests/bench/timed.c says: a list of (value, status) for each command."""
    words = []
    for command in commands:
        words += ["--", *command] if words else command
    results = [[] for _ in commands]
    for line in run([timed_program, *options, runs, *words]).splitlines():
        index, value, status = line.split()
        results[int(index)].append((float(value), int(status)))
    return results


def values_of(name, results, good=(0,)):
    bad = [status for _, status in results if status not in good]
    if bad:
        raise SystemExit(f"bench: {name} failed {len(bad)} times of {len(results)}, first with {bad[0]}")
    return [value for value, _ in results]


def peers(guest, folder):
    """Other monitors with the same guest: those that are here, and Firecracker where VSDK_FIRECRACKER names it."""
    found = {}
    if qemu := shutil.which("qemu-system-x86_64"):
        found["qemu"] = [qemu, "-M", "microvm,x-option-roms=off,pit=off,pic=off,rtc=off,isa-serial=on",
                         "-accel", "kvm", "-m", "128", "-nodefaults", "-no-user-config", "-display", "none",
                         "-serial", "stdio", "-kernel", guest.elf32]
    if firecracker := os.environ.get("VSDK_FIRECRACKER"):
        config = os.path.join(folder, "firecracker.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump(build.firecracker_config(guest.elf64, "console=ttyS0", 128), file)
        found["firecracker"] = [firecracker, *build.FIRECRACKER_OPTIONS, "--config-file", config]
    return found


def run_first_byte(tools, pairs, counts):
    """`vsdk run` from its start to the first byte of a guest of 34 bytes; raw: exec_first_byte's program."""
    if counts or not have_kvm() or not tools.vsdk:
        return None
    with tempfile.TemporaryDirectory() as folder:
        others = peers(tools.guest, folder)
        commands = [[tools.vsdk, "run", "--backend", "kvm", "--memory", "128M", tools.guest.elf32],
                    [tools.exec_raw], *others.values()]
        results = runs_of(tools.timed, max(11, pairs // 6), commands, "-b", "v")
    ours, raw, *rest = [values_of(name, one) for name, one in
                        zip(["vsdk run", "raw", *others], results)]
    beside = {name: median(values) for name, values in zip(others, rest)}
    return row("host-kvm", run_first_byte.__doc__, time=paired("us", ours, raw, **beside))


def mappings(text):
    return re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", text)


def field(mapping, name):
    return int(re.search(rf"^{name}: +(\d+)", mapping, re.M).group(1))


def is_c_library(mapping):
    """Of the C library, its loader, or the kernel's own pages: every process has them, raw too."""
    first = mapping.splitlines()[0]
    return bool(re.search(r"/(libc|ld-linux)[-.\w]*\.so|\[v(dso|var|syscall)", first))


def own(mapping):
    """KiB of a mapping that are there because of this program. Of the C library what it wrote; of all
    else every page that is in memory, shared or not. So it is the same whoever else runs: Pss charges
    a page to those who have it mapped just now, and on an empty machine all of libc is ours."""
    written = field(mapping, "Private_Dirty") + field(mapping, "Shared_Dirty")
    return written if is_c_library(mapping) else field(mapping, "Rss")


def memory_in(smaps):
    """(KiB of the program's own less its guest's, KiB of the library's mappings) of what smaps says."""
    found = mappings(smaps)
    guest = [one for one in found if field(one, "Size") == MEMORY_KIB and " dc" in one]
    if not guest:
        raise SystemExit("bench: the guest's memory was not found")
    return (sum(own(one) for one in found if one not in guest),
            sum(field(one, "Rss") for one in found if "libvsdk" in one.splitlines()[0]))


def memory_of(program):
    """Without random addresses: where a mapping begins decides how much of it the kernel maps at once."""
    command = ["setarch", "-R", program, "wait"] if shutil.which("setarch") else [program, "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.read(1)
        with open(f"/proc/{process.pid}/smaps", encoding="ascii", errors="replace") as file:
            found = memory_in(file.read())
        process.stdin.close()
    return found


def ram_overhead(tools, pairs, counts):
    """Memory that a program with a machine has for itself, less its guest's: what it wrote, and its own
    files' pages; `library`: what of it is mapped of libvsdk."""
    if not have_kvm():
        return None
    ours = [memory_of(tools.exec_ours) for _ in range(11)]
    raw = [memory_of(tools.exec_raw) for _ in range(11)]
    return row("host-kvm", ram_overhead.__doc__,
               memory=counted("KiB", median([all_of_it for all_of_it, _ in ours]),
                              median([all_of_it for all_of_it, _ in raw])),
               library=counted("KiB", median([library for _, library in ours])))
