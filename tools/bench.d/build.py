# SPDX-License-Identifier: Apache-2.0
"""The build that is measured: optimised, without assertions, installed below its own folder."""
import os
import re
import subprocess
import sys
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "build", "bench")
PROGRAMS = os.path.join(FOLDER, "programs")
OPTIONS = ["-Dbuildtype=release", "-Db_ndebug=true", "-Dwerror=true", "-Dtests=false", "-Ddefault_library=both"]
FIRECRACKER_OPTIONS = ["--no-api", "--no-seccomp", "--level", "Off"]


@dataclass
class Guest:
    elf32: str
    elf64: str  # Firecracker takes no other


@dataclass
class Tools:
    bench: str
    exec_ours: str
    exec_static: str
    exec_raw: str
    count_ioctls: str
    linux_init: str
    timed: str
    reboot_init: str
    guest: Guest
    vsdk: str  # None without jansson


def quiet(*command):
    """Runs a command; its output appears only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise SystemExit(f"bench: failed: {' '.join(command)}")
    return done.stdout


def pkg_config(installed, *what):
    command = ["pkg-config", f"--define-variable=prefix={installed}", *what, "vsdk"]
    env = {**os.environ, "PKG_CONFIG_PATH": os.path.join(installed, "lib", "pkgconfig")}
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE,
                          env=env).stdout.split()


def compile_program(installed, name, sources, options):
    program = os.path.join(PROGRAMS, name)
    os.makedirs(PROGRAMS, exist_ok=True)
    quiet("cc", "-O2", "-std=gnu11", "-D_GNU_SOURCE", *pkg_config(installed, "--cflags"),
          *[os.path.join(ROOT, "tests", "bench", source) for source in sources],
          "-o", program, *options)
    return program


def as_installed(installed):
    """How a program is linked that finds the library as one on the system's path is found, at once. By a
    run path the dynamic linker would first look into a dozen folders for variants of the processor.
    The library's whole path becomes its name: by a stub with the same functions."""
    library = os.path.join(installed, "lib", "libvsdk.so.0")
    folder = os.path.join(PROGRAMS, "stub")
    os.makedirs(folder, exist_ok=True)
    source = os.path.join(folder, "stub.c")
    with open(os.path.join(ROOT, "abi", "libvsdk.map"), encoding="utf-8") as file:
        names = re.findall(r"^\s+(vsdk_\w+);", file.read(), re.M)
    with open(source, "w", encoding="ascii") as file:
        file.writelines(f"void {name}(void);\nvoid {name}(void) {{}}\n" for name in names)
    quiet("cc", "-shared", "-fPIC", source, "-o", os.path.join(folder, "libvsdk.so"), f"-Wl,-soname,{library}",
          f"-Wl,--version-script={ROOT}/abi/libvsdk.map")
    return [f"-L{folder}", "-lvsdk"]


def make_guest():
    source = os.path.join(ROOT, "tests", "bench", "first_byte")
    guest = Guest(os.path.join(PROGRAMS, "first-byte.elf"), os.path.join(PROGRAMS, "first-byte-64.elf"))
    quiet("cc", "-m32", "-nostdlib", "-static", "-Wl,-m,elf_i386,-n,--build-id=none,--no-warn-rwx-segments",
          "-T", source + ".ld", "-o", guest.elf32, source + ".S")
    quiet("objcopy", "-I", "elf32-i386", "-O", "elf64-x86-64", guest.elf32, guest.elf64)
    return guest


def firecracker_config(kernel, arguments, memory, initrd=None):
    source = {"kernel_image_path": kernel, "boot_args": arguments}
    if initrd:
        source["initrd_path"] = initrd
    return {"boot-source": source, "drives": [], "machine-config": {"vcpu_count": 1, "mem_size_mib": memory}}


def compile_programs(installed):
    library = [*pkg_config(installed, "--libs"), f"-Wl,-rpath,{installed}/lib"]
    static = [os.path.join(installed, "lib", "libvsdk.a"), "-pthread"]
    ours, raw = ["ours.c", "guest.c"], ["raw.c", "guest.c"]
    command = os.path.join(installed, "bin", "vsdk")
    return Tools(
        bench=compile_program(installed, "bench", ["bench.c", "crowd.c", "scale.c", "series.c", "raw.c", *ours],
                              [*library, "-lm"]),
        exec_ours=compile_program(installed, "exec-ours", ["exec_ours.c", *ours], as_installed(installed)),
        exec_static=compile_program(installed, "exec-static", ["exec_ours.c", *ours], static),
        exec_raw=compile_program(installed, "exec-raw", ["exec_raw.c", *raw], []),
        count_ioctls=compile_program(installed, "count-ioctls.so", ["count_ioctls.c"], ["-shared", "-fPIC"]),
        linux_init=compile_program(installed, "linux-init", ["linux_init.c"], library),
        timed=compile_program(installed, "timed", ["timed.c"], ["-static"]),
        reboot_init=compile_program(installed, "reboot-init", ["reboot_init.c"], ["-static"]),
        guest=make_guest(),
        vsdk=command if os.path.exists(command) else None)


def make():
    installed = os.path.join(FOLDER, "installed")
    if not os.path.exists(os.path.join(FOLDER, "build.ninja")):
        quiet("meson", "setup", FOLDER, ROOT, f"--prefix={installed}", "--libdir=lib", *OPTIONS)
    elif '"value": "both"' not in quiet("meson", "introspect", "--buildoptions", "--indent", FOLDER):
        quiet("meson", "configure", FOLDER, *OPTIONS)
    quiet("ninja", "-C", FOLDER)
    quiet("meson", "install", "-C", FOLDER, "--quiet", "--no-rebuild")
    return compile_programs(installed)
