#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which room may include what. Prints TAP; begins by proving that it refuses what it must.

Only #include lines are read. A rule is a list of (kind, pattern): the name of the included file must
match one of those in its room. Quoted names are taken as seen from lib/, or from the file's folder.
"""

import pathlib
import re
import sys

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from tap import Tap

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")')
PUBLIC = r"<vsdk/\w+\.h>"
KVM = r"<linux/kvm(_para)?\.h>|<asm/kvm(_para)?\.h>"
XEN = r"<xen[^>]*\.h>|<xen/.*>|<libxl.*>"
# What changes with every Xen release: the toolstack's libraries and the control calls.
UNSTABLE = r"<xen(ctrl\w*|guest|call|store\w*)\.h>|<xen/(domctl|sysctl|platform)\.h>|<libxl.*>"
STABLE_XEN = rf"(?!{UNSTABLE})({XEN})"
KERNEL = r"<(linux|asm|asm-generic)/.*>"
SYSTEM = rf"(?!{PUBLIC}|{KVM}|{XEN}|{KERNEL}|<lib/|<base/|<core/)<[\w./-]+>"
LIBC_KERNEL = rf"(?!{KVM}){KERNEL}"  # the kernel's part of libc's headers, such as linux/futex.h
BASE = r"base/\w+\.h"

# Room -> patterns; the longest matching folder counts.
RULES = {
    "include/vsdk": [PUBLIC, r"<stddef\.h>", r"<stdint\.h>"],
    "lib/base": [SYSTEM, LIBC_KERNEL, PUBLIC, BASE],
    "lib/core": [SYSTEM, LIBC_KERNEL, PUBLIC, BASE, r"core/\w+\.h"],
    "lib/backends": [SYSTEM, LIBC_KERNEL, PUBLIC, BASE, r"core/backend\.h"],
    "lib/backends/kvm": [SYSTEM, KERNEL, PUBLIC, BASE, r"core/backend\.h", r"backends/kvm/\w+\.h"],
    "lib/backends/xen": [SYSTEM, LIBC_KERNEL, STABLE_XEN, PUBLIC, BASE, r"core/backend\.h",
                         r"backends/xen/\w+\.h"],
    "lib/backends/xen/compat_xen_4_17.c": [SYSTEM, XEN, BASE, r"backends/xen/compat\.h"],
    "lib/backends/mock": [SYSTEM, PUBLIC, BASE, r"core/backend\.h", r"backends/mock/\w+\.h"],
    "lib/devices": [SYSTEM, PUBLIC, BASE, r"devices/\w+\.h"],
    "lib/virtio": [SYSTEM, PUBLIC, BASE, r"virtio/\w+\.h"],
    "lib/virtio/devices": [SYSTEM, LIBC_KERNEL, PUBLIC, BASE, r"virtio/devices/\w+\.h"],
    "lib/disk": [SYSTEM, LIBC_KERNEL, PUBLIC, BASE, r"disk/\w+\.h"],
    "lib/net": [SYSTEM, LIBC_KERNEL, PUBLIC, BASE, r"net/\w+\.h"],
    "lib/share": [SYSTEM, LIBC_KERNEL, PUBLIC, BASE, r"share/\w+\.h"],
    "lib/pci": [SYSTEM, PUBLIC, BASE, r"pci/\w+\.h"],
    "lib/boot": [SYSTEM, PUBLIC, BASE, r"boot/\w+\.h"],
    "lib/machine": [SYSTEM, PUBLIC, BASE, r"machine/\w+\.h"],
    "examples": [SYSTEM, PUBLIC],
    "bindings": [SYSTEM, PUBLIC],
    "tools/vsdk": [SYSTEM, LIBC_KERNEL, PUBLIC, r"tools/vsdk/\w+\.h"],
    "tests/contract": [SYSTEM, PUBLIC, r"tests/.*\.h", r"(check|api_table|null_calls)\.h"],
}
SUFFIXES = {".c", ".h", ".cc", ".cpp", ".hpp"}


def room_of(name):
    """The room of a file, or None for a file that no rule covers. A file may be a room of its own."""
    rooms = [room for room in RULES if (name + "/").startswith(room + "/")]
    return max(rooms, key=len, default=None)


def resolve(name, quoted, exists):
    """A quoted include as a path from lib/ where it is in lib, else from the root."""
    beside = str(pathlib.PurePosixPath(name).parent / quoted)
    parts = []
    for part in beside.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    beside = "/".join(parts)
    path = beside if exists(beside) else f"lib/{quoted}" if exists(f"lib/{quoted}") else quoted
    return path.removeprefix("lib/")


def complaints(name, text, exists):
    """Yields what a file includes and may not."""
    room = room_of(name)
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not room or not match:
            continue
        wanted = f"<{match[1]}>" if match[1] else resolve(name, match[2], exists)
        if not any(re.fullmatch(pattern, wanted) for pattern in RULES[room]):
            yield f"{name}:{number}: {room} may not include {wanted}"


def sources(room):
    folder = ROOT / room
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)


def check_room(room):
    wrong = []
    for path in sources(room):
        name = str(path.relative_to(ROOT))
        if room_of(name) == room:
            exists = lambda other: (ROOT / other).is_file()
            wrong += complaints(name, path.read_text(encoding="utf-8"), exists)
    assert not wrong, "\n".join(wrong)


def every_file_has_a_room():
    lost = [str(path.relative_to(ROOT)) for folder in ("lib", "include") for path in sources(folder)
            if not room_of(str(path.relative_to(ROOT)))]
    assert not lost, f"no rule for {', '.join(lost)}"


REFUSED = [
    ("include/vsdk/vm.h", "<stdbool.h>"), ("include/vsdk/vm.h", '"core/vm.h"'),
    ("lib/base/error.c", '"core/vm.h"'), ("lib/base/error.c", "<linux/kvm.h>"),
    ("lib/core/vm.c", '"backends/kvm/kvm.h"'), ("lib/core/vm.c", "<linux/kvm.h>"),
    ("lib/core/vm.c", "<xenctrl.h>"), ("lib/core/vm.c", '"devices/device.h"'),
    ("lib/backends/kvm/vm_kvm.c", '"backends/xen/xen.h"'), ("lib/backends/kvm/vm_kvm.c", '"../xen/xen.h"'),
    ("lib/backends/kvm/vm_kvm.c", '"core/vm.h"'), ("lib/backends/kvm/vm_kvm.c", "<xenforeignmemory.h>"),
    ("lib/backends/xen/exit_xen.c", "<linux/kvm.h>"), ("lib/backends/xen/exit_xen.c", '"core/bus.h"'),
    ("lib/backends/xen/exit_xen.c", "<xenctrl.h>"), ("lib/backends/xen/xen.h", "<xen/domctl.h>"),
    ("lib/backends/xen/compat_xen_4_17.c", '"backends/xen/xen.h"'),
    ("lib/backends/mock/cpu.c", "<asm/kvm.h>"), ("lib/backends/mock/cpu.c", '"backends/kvm/kvm.h"'),
    ("lib/devices/serial_16550.c", '"core/device.h"'), ("lib/devices/serial_16550.c", '"boot/image.h"'),
    ("lib/boot/elf.c", '"core/gate.h"'), ("lib/boot/elf.c", '"../core/gate.h"'),
    ("lib/machine/pc.c", '"devices/serial.h"'), ("lib/machine/pc.c", '"core/vm.h"'),
    ("examples/01-info.c", '"base/checked.h"'), ("examples/01-info.c", "<linux/kvm.h>"),
    ("bindings/c/x.c", '"../../lib/core/vm.h"'), ("tools/vsdk/main.c", '"core/host.h"'),
    ("tests/contract/alone.c", '"core/host.h"'),
]
ALLOWED = [
    ("include/vsdk/vm.h", "<vsdk/types.h>"), ("include/vsdk/vm.h", "<stdint.h>"),
    ("lib/base/error.c", "<string.h>"), ("lib/base/error.c", '"error.h"'),
    ("lib/core/vm.c", '"core/bus.h"'), ("lib/core/vm.c", '"bus.h"'), ("lib/core/vm.c", "<sys/mman.h>"),
    ("lib/backends/kvm/vm_kvm.c", "<linux/kvm.h>"), ("lib/backends/kvm/vm_kvm.c", '"core/backend.h"'),
    ("lib/backends/xen/exit_xen.c", "<xen/hvm/ioreq.h>"), ("lib/backends/xen/exit_xen.c", '"xen.h"'),
    ("lib/backends/xen/compat_xen_4_17.c", "<xenctrl.h>"), ("lib/backends/xen/exit_xen.c", "<xenevtchn.h>"),
    ("lib/devices/serial_16550.c", '"base/checked.h"'), ("lib/boot/elf.c", '"image.h"'),
    ("tools/vsdk/main.c", '"terminal.h"'), ("examples/01-info.c", "<vsdk/vsdk.h>"),
]
PRETENDED = {"lib/core/bus.h", "lib/core/vm.h", "lib/core/gate.h", "lib/core/device.h",
             "lib/core/backend.h", "lib/core/host.h", "lib/base/error.h", "lib/base/checked.h",
             "lib/backends/xen/xen.h", "lib/backends/kvm/kvm.h", "lib/boot/image.h",
             "lib/devices/serial.h", "lib/devices/device.h", "tools/vsdk/terminal.h"}


def judges(name, include, refuses):
    found = list(complaints(name, f"\n# include {include} // x\n", PRETENDED.__contains__))
    assert bool(found) == refuses, found
    assert not refuses or found[0].startswith(f"{name}:2: "), found


def main():
    tap = Tap()
    for name, include in REFUSED:
        tap.run(f"{name} may not include {include}", judges, name, include, True)
    for name, include in ALLOWED:
        tap.run(f"{name} may include {include}", judges, name, include, False)
    for room in RULES:
        tap.run(f"{room} keeps its rule", check_room, room)
    tap.run("every file has a room", every_file_has_a_room)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
