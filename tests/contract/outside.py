# SPDX-License-Identifier: Apache-2.0
"""Examples compiled outside the tree, against an installed library: by pkg-config and by CMake.

usage: outside.py SOURCE_ROOT BUILD_ROOT"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

MESON = """project('outside', 'c')
executable('program', 'program.c', dependencies: dependency('vsdk', fallback: 'vsdk'))
"""
CMAKE = """cmake_minimum_required(VERSION 3.13)
project(outside C)
find_package(vsdk REQUIRED)
add_executable(program "{source}")
target_link_libraries(program vsdk::vsdk)
"""
# README's own words, in a program. The guest's instruction is none that the mock knows (fld1).
README = """#include <string.h>
#include <vsdk/vsdk.h>
static unsigned answered;
static void answer(vsdk_exit *exit) {{ memset((void *)(size_t)exit->data, 0, exit->width); answered++; }}
{callback}
int main(void)
{{
    static const unsigned char code[] = {{0xe4, 0x10, 0xe6, 0x10, 0xd9, 0xe8}};
    vsdk_boot_config image = {{.size = sizeof image, .format = VSDK_BOOT_FLAT, .image = code,
                              .image_length = sizeof code, .address = 0x1000}};
    vsdk_boot_entry entry = {{.size = sizeof entry}};
    vsdk_error error = {{0}};
    vsdk_host *host;
    vsdk_vm *vm;
    vsdk_ram *ram;
    vsdk_vcpu *vcpu;
    vsdk_exit *exit, end;
{loop}
if (exit->reason != VSDK_EXIT_INTERNAL_ERROR)
    return 2;
{run}
return end.reason != VSDK_EXIT_INTERNAL_ERROR || answered != 2;
}}
"""
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


def find(stage, name):
    return os.path.dirname(glob.glob(os.path.join(stage, "**", name), recursive=True)[0])


def by_pkg_config(stage, source, work):
    """Compiles as the comment at the head of each example says."""
    env = {**os.environ, "PKG_CONFIG_PATH": find(stage, "vsdk.pc"),
           "PKG_CONFIG_SYSROOT_DIR": stage}
    status, flags = run(["pkg-config", "--cflags", "--libs", "vsdk"], env=env)
    name = os.path.splitext(os.path.basename(source))[0]
    program = os.path.join(work, name)
    if status == 0:
        status, flags = run(["cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                             "-Wno-unused-parameter", source,
                             "-o", program, *flags.split()])
    tap(status == 0, f"{name} by pkg-config", flags)
    return program if status == 0 else None


def the_description(stage):
    """Installed, where pkg-config says, and readable without this tree."""
    env = {**os.environ, "PKG_CONFIG_PATH": find(stage, "vsdk.pc")}
    status, path = run(["pkg-config", "--variable=api", "vsdk"], env=env)
    found = stage + path.strip()
    tap(status == 0 and os.path.isfile(found), "api.json is where pkg-config says", path)
    with open(found, encoding="utf-8") as f:
        api = json.load(f)
    tap("vsdk_host_open" in api["functions"] and "vsdk_exit" in api["structs"], "and has the API")


def by_cmake(stage, source, work):
    """Found through a link to its folder elsewhere, as /lib is one on Debian."""
    link = os.path.join(work, "lib")
    os.symlink(os.path.join(find(stage, "vsdk-config.cmake"), "..", ".."), link)
    with open(os.path.join(work, "CMakeLists.txt"), "w", encoding="utf-8") as f:
        f.write(CMAKE.format(source=source))
    status, text = run(["cmake", "-S", work, "-B", os.path.join(work, "b"),
                        "-Dvsdk_DIR=" + os.path.join(link, "cmake", "vsdk")])
    if status == 0:
        status, text = run(["cmake", "--build", os.path.join(work, "b")])
    tap(status == 0, "find_package(vsdk) in CMake", text)
    return os.path.join(work, "b", "program") if status == 0 else None


def by_subproject(root, source, work):
    """Configured only: the tests and what they need are not part of it."""
    folder = os.path.join(work, "meson")
    os.makedirs(os.path.join(folder, "subprojects"))
    os.symlink(root, os.path.join(folder, "subprojects", "vsdk"))
    shutil.copy(source, os.path.join(folder, "program.c"))
    with open(os.path.join(folder, "meson.build"), "w", encoding="utf-8") as f:
        f.write(MESON)
    status, text = run(["meson", "setup", "--wrap-mode=forcefallback", os.path.join(folder, "b"), folder])
    tap(status == 0 and "criterion" not in text, "a subproject of meson, without its tests", text)


def the_readme(root, stage, work):
    """Its two loops compile, and end where the guest can't go on."""
    with open(os.path.join(root, "README.md"), encoding="utf-8") as f:
        blocks = re.findall(r"```c\n(.*?)```", f.read(), re.S)
    loop = next(block for block in blocks if block.startswith("vsdk_host_open"))
    callback, run_all = next(block for block in blocks if "vsdk_run_config" in block).split("\n\n")
    source = os.path.join(work, "readme.c")
    with open(source, "w", encoding="utf-8") as f:
        f.write(README.format(loop=loop.replace("vsdk_host_open(NULL", 'vsdk_host_open("mock"'),
                              callback=callback, run=run_all))
    program = by_pkg_config(stage, source, work)
    try:
        status, text = run([program, "mock"], timeout=60,
                           env={**os.environ, "LD_LIBRARY_PATH": find(stage, "libvsdk.so.0")})
    except subprocess.TimeoutExpired:
        status, text = None, "it runs for ever"
    tap(status == 0, f"README's loops end where the guest can't go on: {status}", text)


def the_page(root, stage, work, page, names):
    """Its sketches are one program's functions, which compile in their order."""
    with open(os.path.join(root, "docs", page), encoding="utf-8") as f:
        blocks = re.findall(r"```c\n(.*?)```", f.read(), re.S)
    source = os.path.join(work, page.replace(".md", "_page.c"))
    with open(source, "w", encoding="utf-8") as f:
        uses = "".join(f"    (void){name};\n" for name in names)
        f.write("#include <vsdk/vsdk.h>\n\n" + "\n".join(blocks) + f"\nint main(void)\n{{\n{uses}}}\n")
    by_pkg_config(stage, source, work)


def main(root, build):
    with tempfile.TemporaryDirectory() as work:
        stage = os.path.join(work, "stage")
        status, text = run(["meson", "install", "-C", build, "--no-rebuild", "--quiet",
                            "--destdir", stage])
        tap(status == 0, "installed", text)
        if status:
            return 1
        env = {**os.environ, "LD_LIBRARY_PATH": find(stage, "libvsdk.so.0")}
        programs = {}
        for source in sorted(glob.glob(os.path.join(root, "examples", "*.c"))):
            programs[os.path.basename(source)] = by_pkg_config(stage, source, work)
        programs["guest.c in CMake"] = by_cmake(
            stage, os.path.join(root, "examples", "guest.c"), work)
        the_description(stage)
        the_readme(root, stage, work)
        the_page(root, stage, work, "virtio.md", ["add_entropy", "add_console", "add_echo"])
        status, text = run([sys.executable, os.path.join(root, "examples", "dma_device.py"), "mock"], env=env)
        tap(status == 0 and text == "DMA\n", f"dma_device.py runs on the mock: {text}", text)
        status, text = run([sys.executable, os.path.join(root, "examples", "virtio_device.py"), "mock"], env=env)
        tap(status == 0 and text == "HELLO, VIRTIO\n", f"virtio_device.py runs on the mock: {text}", text)
        by_subproject(root, os.path.join(root, "examples", "guest.c"), work)
        for name, program in programs.items():
            if not program or name.startswith("linux"):
                continue
            status, text = run([program, "mock"], env=env)
            tap(status == 0, f"{name} runs on the mock", text)
            if name.startswith("virtio") and os.access("/dev/kvm", os.W_OK):
                status, text = run([program, "kvm"], env=env)
                tap(status == 0 and text == "HELLO, VIRTIO\n", f"{name} runs on KVM", text)
            if name.startswith("guest"):
                tap("5" in text, f"{name} prints the sum", text)
    print(f"1..{count}")
    return 1 if failed else 0


sys.exit(main(*sys.argv[1:]))
