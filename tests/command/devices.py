# SPDX-License-Identifier: Apache-2.0
"""The devices of `vsdk run`: each option puts its device into the machine. Prints TAP.

usage: devices.py VSDK FOLDER-OF-GUESTS
"""
import os
import re
import socket
import tempfile

from here import done, result, run_code, skip, vsdk

folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)
NET, BLOCK, CONSOLE, VSOCK, FS, NONE = 1, 2, 3, 19, 26, 0xff
CAPACITY = 1 << 20

# mov eax, [0xf0000008]; out 0xf4, al; jmp $. Where a machine's first virtio device tells its type.
TELL_TYPE = b"\xa1\x08\x00\x00\xf0\xe6\xf4\xeb\xfe"


def run(*words, **options):
    return run_code(TELL_TYPE, "--mode", "protected", "--silence", "0", *words, **options)


def has(kind, name, *words, **options):
    end = run(*words, **options)
    result(end.returncode == kind and not end.stderr, f"{name}: type {kind}: {end.returncode} {end.stderr}")


def refused(name, wanted, *words):
    end = run(*words)
    result(end.returncode == 125 and wanted in end.stderr, f"{name}: {end.returncode} {end.stderr}")


def read(name):
    with open(name, "rb") as file:
        return file.read()


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def disks():
    below = os.urandom(CAPACITY)
    write("base.raw", below)
    has(NONE, "no device")
    has(BLOCK, "--disk", "--disk", "base.raw,format=raw,ro,cache=unsafe,serial=one")
    has(BLOCK, "--disk of an overlay that is not there", "--disk", "base.raw,format=raw,overlay=over.qcow2")
    made = vsdk("disk", "info", "--allow", os.path.realpath("base.raw"), "over.qcow2").stdout
    result(b"format: qcow2\ncapacity: %d\n" % CAPACITY in made and b"base.raw" in made, f"it was made: {made}")
    before = read("over.qcow2")
    has(BLOCK, "--disk of an overlay that is there", "--disk", "base.raw,format=raw,overlay=over.qcow2")
    result(read("over.qcow2") == before and read("base.raw") == below, "neither was changed")
    refused("--disk of what names a file that was not given", b"not allowed", "--disk", "over.qcow2")
    has(BLOCK, "--disk with backing=", "--disk", "over.qcow2,format=qcow2,backing=" + os.path.realpath("base.raw"))
    refused("--disk that is not there", b"none.raw", "--disk", "none.raw")
    refused("--disk, bad word", b"no word nonsense; it knows ro, format=", "--disk", "base.raw,nonsense")
    refused("--disk, bad format", b"--disk format nonsense is none of", "--disk", "base.raw,format=nonsense")
    refused("--disk, bad cache", b"--disk cache nonsense is none of", "--disk", "base.raw,cache=nonsense")
    has(BLOCK, "31 of backing=", "--disk", "base.raw,format=raw" + ",backing=x" * 31)
    refused("32 of backing=", b"backing= 31 times at most", "--disk", "base.raw,format=raw" + ",backing=x" * 32)


def networks():
    ours, guests = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, guests:
        has(NET, "--net fd=", "--net", f"fd={guests.fileno()},mac=52:54:00:12:34:56", pass_fds=[guests.fileno()])
        refused("--net fd= of no socket", b"no socket", "--net", "fd=0")
    refused("--net, bad kind", b"--net is user, tap=NAME or fd=NUMBER", "--net", "nonsense")
    refused("--net, bad word", b"no word nonsense; it knows mac=", "--net", "user,nonsense")
    refused("--net, bad address", b"not six bytes", "--net", "user,mac=52:54")
    forward = ",hostfwd=tcp:127.0.0.1:0-:1"
    refused("33 of hostfwd=", b"hostfwd= 32 times at most", "--net", "user" + forward * 33)
    user_networks(forward)


def user_networks(forward):
    end = run("--net", "user")
    missing = re.search(rb"the module (\S+) is not there", end.stderr)
    if missing and not os.path.exists(missing.group(1)):
        skip("--net user", f"there is no {os.fsdecode(missing.group(1))}")
        return
    result(end.returncode == NET and not end.stderr, f"--net user: {end.returncode} {end.stderr}")
    has(NET, "--net user with all words", "--net", "user,restrict,mac=52:54:00:12:34:56" + forward)
    refused("--net user, bad hostfwd", b"is not [tcp|udp]:", "--net", "user,hostfwd=tcp:1-2")


def shares():
    os.mkdir("shared")
    has(FS, "--share", "--share", "shared:tag")
    has(FS, "--share, only read", "--share", "shared:tag,ro")
    refused("--share without a tag", b"is not FOLDER:TAG", "--share", "shared")
    refused("--share of no folder", b"none", "--share", "none:tag")
    refused("--share, bad word", b"no word nonsense; it knows ro", "--share", "shared:tag,nonsense")


def sockets():
    has(VSOCK, "--vsock", "--vsock", "3")
    has(VSOCK, "--vsock with a path", "--vsock", "4294967294,uds=path")
    result(not os.path.exists("path"), "the path is removed at the end")
    refused("--vsock of the host's address", b"3 or more", "--vsock", "2")
    refused("--vsock, bad word", b"no word nonsense; it knows uds=", "--vsock", "3,nonsense")
    refused("--vsock, a path that can't be", b"none/path", "--vsock", "3,uds=none/path")
    refused("--vsock twice", b"one --vsock only", "--vsock", "3", "--vsock", "4")


def consoles():
    has(CONSOLE, "--console", "--console")
    refused("--console twice", b"one --console only", "--console", "--console")
    refused("--console with a word", b"--console", "--console=nonsense")


def many():
    has(CONSOLE, "each at once, in their order", "--console", "--disk", "base.raw,format=raw", "--share", "shared:tag",
        "--vsock", "3")
    refused("33 devices", b"32 disks", *["--share", "shared:tag"] * 33)


disks()
networks()
shares()
sockets()
consoles()
many()
done()
