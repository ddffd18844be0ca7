# SPDX-License-Identifier: Apache-2.0
"""Disk images from the shell: each verb of `vsdk disk`, what it answers and what it leaves. Prints TAP.

usage: disk.py VSDK FOLDER-OF-GUESTS
"""
import os
import tempfile

from here import done, result, vsdk

folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)
CAPACITY = 3 << 20


def disk(*words):
    return vsdk("disk", *words)


def refused(name, wanted, *words):
    """125, and a complaint that has `wanted`."""
    end = disk(*words)
    result(end.returncode == 125 and wanted in end.stderr, f"{name}: {end.returncode} {end.stderr}")


def done_well(name, *words, out=b""):
    end = disk(*words)
    result(end.returncode == 0 and out in end.stdout and not end.stderr, f"{name}: {end}")


def read(name):
    with open(name, "rb") as file:
        return file.read()


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def remove(*names):
    for name in names:
        if os.path.exists(name):
            os.remove(name)


def pattern(length):
    """Each sector has its number in it; every other 64 KiB is zero."""
    return b"".join((at // 512).to_bytes(4, "little") * 128 if at >> 16 & 1 == 0 else bytes(512)
                    for at in range(0, length, 512))


def overlay_with(name, data, base, *, base_format="raw"):
    """An overlay of `base` that has `data`: an image of that alone, which is then told what it lies on. The
    name of the backing file and the table of extensions lie behind the header, which has room for both."""
    write("alone.raw", data)
    remove(name)
    assert not disk("convert", "--format", "raw", "--to", "qcow2", "alone.raw", name).returncode
    image = bytearray(read(name))
    length = int.from_bytes(image[100:104], "big")
    extension = b"\xe2\x79\x2a\xca" + len(base_format).to_bytes(4, "big") + base_format.encode().ljust(8, b"\0")
    end = length + len(extension) + 8
    image[length:end] = extension + bytes(8)
    image[end:end + len(base)] = base.encode()
    image[8:16] = end.to_bytes(8, "big")
    image[16:20] = len(base).to_bytes(4, "big")
    write(name, image)


def commit():
    """The raw base begins like a qcow2 image, as a guest's write and a commit can have made it."""
    remove("like.qcow2", "over.qcow2")
    disk("create", "like.qcow2", "1M")
    base = (read("like.qcow2") + b"below" * CAPACITY)[:CAPACITY]
    write("base.raw", base)
    data = pattern(1 << 20) + bytes(1 << 20) + pattern(1 << 20)
    overlay_with("over.qcow2", data, "base.raw")
    for words in [], ["--backing-format", "auto"]:
        refused("commit without the backing file's format", b"--backing-format", "commit", *words, "--allow",
                "base.raw", "over.qcow2")
        result(read("base.raw") == base, "nothing was written")
    refused("commit where the backing file is not allowed", b"base.raw", "commit", "--backing-format", "raw",
            "over.qcow2")
    done_well("commit", "commit", "--backing-format", "raw", "--allow", "base.raw", "over.qcow2")
    result(read("base.raw") == data[:1 << 20] + base[1 << 20:2 << 20] + data[2 << 20:],
           "what the overlay has is in the raw file, at its place, and the rest as it was")
    refused("commit of an image with nothing below", b"no backing file", "commit", "--backing-format", "raw",
            "like.qcow2")


def convert_fails():
    """The table of a cluster is where none can be: what is before it can be read."""
    write("from.raw", pattern(CAPACITY))
    disk("convert", "--to", "qcow2", "from.raw", "broken.qcow2")
    image = bytearray(read("broken.qcow2"))
    level1 = int.from_bytes(image[40:48], "big")
    level2 = int.from_bytes(image[level1:level1 + 8], "big") & 0xfffffffffffe00
    last = level2 + 8 * (CAPACITY // 65536 - 1)
    image[last:last + 8] = (1 << 63 | 0x200).to_bytes(8, "big")
    write("broken.qcow2", image)
    refused("convert of a broken image", b"vsdk_disk_read", "convert", "broken.qcow2", "half.raw")
    result(not os.path.exists("half.raw"), "no half-made image is left behind")
    write("mine.raw", b"mine")
    refused("convert onto a file that is there", b"mine.raw", "convert", "from.raw", "mine.raw")
    result(read("mine.raw") == b"mine", "which stays as it was")


commit()
convert_fails()
done()
