# SPDX-License-Identifier: Apache-2.0
"""The static library: built, installed and linked as README says. A program with names of its own like
those inside, one without any shared library, CMake, and the modules.

usage: static.py SOURCE_ROOT"""
import os
import re
import subprocess
import sys
import tempfile

NAMES = """#include <vsdk/vsdk.h>
/* Names that the library has inside. */
int sys_open(void); int error_set(void); int alloc_free(void);
int sys_open(void) { return 1; }
int error_set(void) { return 2; }
int alloc_free(void) { return 3; }
int main(void)
{
    vsdk_host *host;
    vsdk_status status = vsdk_host_open("mock", NULL, &host, NULL);
    vsdk_host_close(host);
    return status == VSDK_OK && sys_open() + error_set() + alloc_free() == 6 ? 0 : 1;
}
"""
CMAKE = """cmake_minimum_required(VERSION 3.13)
project(outside C)
find_package(vsdk REQUIRED)
add_executable(program "{source}")
target_link_libraries(program vsdk::{target})
"""
SANITIZERS = {"MALLOC_PERTURB_", "LD_LIBRARY_PATH"}
count = failed = 0


def tap(holds, text, output=""):
    global count, failed
    count += 1
    failed += not holds
    print(f"{'' if holds else 'not '}ok {count} - {text}", flush=True)
    for line in [] if holds else output.splitlines():
        print("#", line)


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, **options)
    return done.returncode, done.stdout


def install(root, work, kind):
    """Builds one kind and installs it; returns its library folder. The second kind needs linking only."""
    folder, prefix = os.path.join(work, "build"), os.path.join(work, kind)
    options = [f"-Ddefault_library={kind}", f"-Dprefix={prefix}"]
    if os.path.exists(folder):
        first = ["meson", "configure", folder, *options]
    else:
        first = ["meson", "setup", folder, root, *options, "-Dtests=false", "-Dbuildtype=release", "-Doptimization=0",
                 "-Dxen=disabled", "-Dlibdir=lib"]
    for command in (first, ["meson", "install", "-C", folder, "--quiet"]):
        status, text = run(command)
        if status:
            tap(False, f"default_library={kind}: {command[1]}", text)
            return None
    return os.path.join(prefix, "lib")


def flags(lib, *options):
    env = {**os.environ, "PKG_CONFIG_PATH": os.path.join(lib, "pkgconfig")}
    return run(["pkg-config", "--cflags", "--libs", *options, "vsdk"], env=env)[1].split()


def compiles(source, program, *options):
    status, text = run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", source, "-o", program, *options])
    return status == 0, text


def needed(program):
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", run(["readelf", "-dW", program])[1]))


def needs_libc_alone(program):
    return not needed(program) - {"libc.so.6", "ld-linux-x86-64.so.2"}


def exports_the_api_alone(lib, root):
    symbols = run(["nm", "-g", "--defined-only", os.path.join(lib, "libvsdk.a")])[1]
    found = set(re.findall(r"^[0-9a-f]+ \w (\w+)$", symbols, re.M))
    with open(os.path.join(root, "abi", "libvsdk.map"), encoding="utf-8") as f:
        promised = set(re.findall(r"^\s+(vsdk_\w+);", f.read(), re.M))
    tap(found == promised, "its global names are the API's", str(sorted(found ^ promised)))


def links_and_runs(lib, root, work):
    guest = os.path.join(root, "examples", "guest.c")
    program = os.path.join(work, "guest")
    good, text = compiles(guest, program, *flags(lib, "--static"))
    tap(good and needs_libc_alone(program), "guest with pkg-config --static needs libc alone", text)
    status, text = run([program, "mock"])
    tap(status == 0 and "5" in text, "and runs on the mock, which is a module", text)

    names = os.path.join(work, "names.c")
    with open(names, "w", encoding="utf-8") as f:
        f.write(NAMES)
    good, text = compiles(names, os.path.join(work, "names"), *flags(lib, "--static"))
    tap(good and run([os.path.join(work, "names")])[0] == 0, "a program may have names like those inside", text)

    alone = os.path.join(work, "alone")
    status, text = run(["cc", "-O1", "-static", guest, "-o", alone, *flags(lib, "--static")])
    tap(status == 0 and not needed(alone), "guest without any shared library", text)
    if os.path.exists("/dev/kvm"):
        status, text = run([alone, "kvm"])
        tap(status == 0 and "5" in text, "and runs on KVM", text)


def callers_name_chooses_no_module(work):
    """What a program was called as is for its caller to choose: no module comes from there."""
    evil = os.path.join(work, "evil")
    os.makedirs(os.path.join(evil, "vsdk"))
    with open(os.path.join(evil, "vsdk", "mock.so"), "w", encoding="utf-8") as f:
        f.write("not a module")
    status, text = run([os.path.join(evil, "program"), "mock"], executable=os.path.join(work, "guest"))
    tap(status == 0, "no module beside what a program was called as", text)


def by_cmake(lib, root, work, target):
    folder = os.path.join(work, f"cmake-{target}")
    os.makedirs(folder)
    with open(os.path.join(folder, "CMakeLists.txt"), "w", encoding="utf-8") as f:
        f.write(CMAKE.format(source=os.path.join(root, "examples", "guest.c"), target=target))
    status, text = run(["cmake", "-S", folder, "-B", folder, "-Dvsdk_DIR=" + os.path.join(lib, "cmake", "vsdk")])
    if status == 0:
        status, text = run(["cmake", "--build", folder])
    program = os.path.join(folder, "program")
    tap(status == 0 and needs_libc_alone(program), f"vsdk::{target} in CMake is the static library", text)


def main(root):
    for name in SANITIZERS:
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as work:
        lib = install(root, work, "static")
        if lib:
            tap(not os.path.exists(os.path.join(lib, "libvsdk.so")), "default_library=static installs no other")
            exports_the_api_alone(lib, root)
            links_and_runs(lib, root, work)
            callers_name_chooses_no_module(work)
            by_cmake(lib, root, work, "vsdk")
            command = os.path.join(lib, "..", "bin", "vsdk")
            if os.path.exists(command):
                tap("libvsdk.so.0" not in needed(command), "the command has it linked in")
            lib = install(root, work, "both")
        if lib:
            both = all(os.path.exists(os.path.join(lib, name)) for name in ("libvsdk.a", "libvsdk.so"))
            tap(both, "default_library=both installs both")
            by_cmake(lib, root, work, "static")
    print(f"1..{count}")
    return 1 if failed else 0


sys.exit(main(*sys.argv[1:]))
