# SPDX-License-Identifier: Apache-2.0
"""The vsdk command on this machine: arguments, help, JSON, and what is redirected. Prints TAP.

usage: command.py VSDK FOLDER-OF-GUESTS
"""
import json
import os
import re
import subprocess
import tempfile

from here import GUESTS, VSDK, done, flat, result, vsdk


def statuses():
    end = flat("exit7.bin")
    result(end.returncode == 7, f"the byte written to the exit port: {end.returncode}")
    result(flat("exit7.bin", "--exit-port-qemu").returncode == 15, "the same as QEMU gives it")
    result(flat("exit7.bin", "--exit-port", "0x502", "--timeout", "0.5").returncode != 7,
           "another port is another port")
    result(flat("spin.bin", "--timeout", "0.3").returncode == 124, "124 at the timeout")
    stuck = subprocess.Popen([VSDK, "run", "--backend", "mock", "--format", "flat", "--timeout", "1",
                              os.path.join(GUESTS, "flood.bin")],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    result(stuck.wait(timeout=120) == 124, "124 at the timeout though nobody reads the output")
    stuck.stdout.close()
    result(flat("spin.bin", "--timeout", "1e-12").returncode == 124, "the shortest time is not for ever")
    result(flat("exit7.bin", "--memory", "64m").returncode == 7, "suffixes may be small")
    result(flat("exit7.bin", "--vcpus", "08").returncode == 7, "numbers are not octal")
    for arguments in [["run"], ["run", "/does/not/exist"], ["run", "--memory", "5X", "x"],
                      ["run", "--vcpus", "-1", "x"], ["run", "--memory", "0", "x"], ["run", "--vcpus", "0", "x"],
                      ["nonsense"], [], ["info", "--backend", "no"]]:
        end = vsdk(*arguments)
        result(end.returncode == 125 and end.stderr, f"125 for {' '.join(arguments) or 'nothing'}")
    for option in ("--memory", "--vcpus", "--timeout"):
        end = vsdk("run", option, "0", "x")
        result(option.encode() + b" 0: give" in end.stderr, f"what to give in place of {option} 0: {end.stderr}")
    end = flat("exit7.bin", backend="nonsense")
    result(end.returncode == 125 and b"nonsense" in end.stderr, "125 and a word for no backend")
    end = vsdk("run", GUESTS)
    result(end.returncode == 125 and b"not a regular file" in end.stderr, f"a folder: {end.stderr}")
    end = vsdk("run", "--memory", "99999999999999999999", "x")
    result(end.returncode == 125 and b"too large" in end.stderr, f"a number of 67 bits: {end.stderr}")


def words():
    result(b"usage" in vsdk("--help").stdout, "help")
    result(re.fullmatch(rb"vsdk \d+\.\d+\.\d+\n", vsdk("--version").stdout), "version")
    info = json.loads(vsdk("info", "--json").stdout)
    names = [backend["name"] for backend in info["backends"]]
    result(names == ["kvm", "xen", "mock", "mock-autonomous"], f"backends in JSON: {names}")
    good = all(b["reason"] if not b["available"] else b["capabilities"] for b in info["backends"])
    result(good, "each has capabilities, or a reason")
    with open("/dev/full", "wb") as full:
        for words_ in [["info"], ["info", "--json"], ["--help"], ["run", "-h"], ["--version"]]:
            end = subprocess.run([VSDK, *words_], stdout=full, stderr=subprocess.PIPE, timeout=60)
            result(end.returncode == 125 and end.stderr, f"{words_} to a full disk is a failure")


def no_kernel():
    """The library says what it is, with its hint; nobody else adds another."""
    end = vsdk("run", "--backend", "mock", __file__)
    lines = end.stderr.splitlines()
    result(end.returncode == 125 and 1 <= len(lines) <= 2 and lines[0].startswith(b"vsdk: vsdk_"),
           f"what is no kernel: {end.stderr}")


def modules():
    with tempfile.TemporaryDirectory() as folder:
        for name in "one", "two", "three":
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write(f"<{name}>")
        image = os.path.join(GUESTS, "modules.elf")
        end = vsdk("run", "--backend", "mock", "--initrd", "one", "--module", "two,a text, and more",
                   "--module", "three", image, cwd=folder)
        result(end.returncode == 3 and end.stdout == b":<one>\na text, and more:<two>\n:<three>\n",
               f"modules with their texts, in their order: {end}")
        end = vsdk("run", "--backend", "mock", "--module", "none", image, cwd=folder)
        result(end.returncode == 125 and b"none: " in end.stderr, f"a module that is not there: {end.stderr}")
        end = vsdk("run", "--backend", "mock", *["--module=one"] * 65, image, cwd=folder)
        result(end.returncode == 125 and b"64" in end.stderr, f"too many: {end.stderr}")


def redirected():
    with open(os.path.join(GUESTS, "exit7.bin"), "rb") as file:
        result(flat("echo.bin", "--timeout", "2", stdin=file).stdout.startswith(b"ready"),
               "a file as standard input")
    end = subprocess.run(f"{VSDK} run --backend mock --format flat {GUESTS}/exit7.bin <&- >&- 2>&-",
                          shell=True, timeout=60)
    result(end.returncode == 7, "standard descriptors closed")
    with tempfile.NamedTemporaryFile() as kept:
        subprocess.run(f"{VSDK} run --backend mock --format flat --timeout 0.5 --debug-console {kept.name} "
                       f"{GUESTS}/flood.bin >&-", shell=True, timeout=60, stderr=subprocess.DEVNULL)
        result(not kept.read(), "a file of ours does not become the standard output")
    with open("/dev/full", "wb") as full:
        end = subprocess.run([VSDK, "run", "--backend", "mock", "--format", "flat", "--timeout", "1",
                               os.path.join(GUESTS, "flood.bin")], stdin=subprocess.DEVNULL, stdout=full,
                              stderr=subprocess.PIPE, timeout=60)
        result(end.returncode == 124 and end.stderr.count(b"lost") == 1,
               f"output to a full disk, one complaint: {end.stderr}")


statuses()
words()
no_kernel()
modules()
redirected()
done()
