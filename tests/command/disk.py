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


def create():
    for words, size, told in [((), "5M", b"format: qcow2\ncapacity: 5242880\n"),
                              (("--format", "raw"), "0x100K", b"format: raw\ncapacity: 262144\n"),
                              (("--cluster", "4K"), "1t", b"format: qcow2\ncapacity: 1099511627776\n")]:
        remove("new")
        done_well(f"create {words} {size}", "create", *words, "new", size)
        done_well("info of it", "info", "new", out=b"file: new\n" + told)
    remove("new")
    disk("create", "--cluster", "4K", "new", "1M")
    result(read("new")[20:24] == (12).to_bytes(4, "big"), "a cluster has the bytes that were asked for")
    before = read("new")
    refused("create of what is there", b"new", "create", "new", "1M")
    result(read("new") == before, "which stays as it was")
    refused("create with a cluster too large", b"--cluster is too large", "create", "--cluster", "8G", "other", "1M")
    refused("create with a cluster that is none", b"cluster", "create", "--cluster", "3K", "other", "1M")
    for size, wanted in [("5X", b"SIZE 5X is not a size"), ("-1", b"not a size"), ("", b"not a size"),
                         ("1KK", b"not a size"), ("0xg", b"not a size"), ("16777216T", b"too large"),
                         ("99999999999999999999", b"too large")]:
        refused(f"create with size {size or 'nothing'}", wanted, "create", "--", "other", size)
    result(not os.path.exists("other"), "and nothing was made")


def overlay():
    """An overlay is opened over what is allowed, and over nothing else."""
    remove("over.qcow2")
    write("base.raw", pattern(CAPACITY))
    refused("create over a file of no format", b"backing_format", "create", "--backing", "base.raw", "over.qcow2", "3M")
    done_well("create over a file", "create", "--backing", "base.raw", "--backing-format", "raw", "over.qcow2", "3M")
    for verb, *more in ["info"], ["check"], ["resize", "4M"], ["convert", "copy.raw"]:
        refused(f"{verb} without --allow", b"not allowed", verb, "over.qcow2", *more)
        refused(f"{verb} with another file allowed", b"not allowed", verb, "--allow", "over.qcow2", "over.qcow2", *more)
    done_well("info with --allow", "info", "--allow", "base.raw", "over.qcow2", out=b"\nbacking: base.raw\n")
    done_well("convert with --allow", "convert", "--allow", "base.raw", "over.qcow2", "copy.raw")
    result(read("copy.raw") == read("base.raw"), "the copy is what is seen through the overlay")
    remove("copy.raw")
    refused("33 of --allow", b"32 at most", "info", *["--allow=base.raw"] * 33, "over.qcow2")


def convert():
    """There and back: the bytes, and what is zero takes no room."""
    write("from.raw", pattern(CAPACITY) + bytes(CAPACITY))
    remove("to.qcow2", "back.raw")
    done_well("convert to qcow2", "convert", "--format", "raw", "--to", "qcow2", "from.raw", "to.qcow2")
    result(CAPACITY <= os.path.getsize("to.qcow2") < CAPACITY + (CAPACITY >> 1), "zeros take no room in it")
    done_well("convert to raw", "convert", "to.qcow2", "back.raw")
    result(read("back.raw") == read("from.raw"), "it has the same bytes")
    result(os.stat("back.raw").st_blocks * 512 <= CAPACITY + (CAPACITY >> 1), "zeros take no room there")
    refused("convert from nothing", b"none.raw", "convert", "none.raw", "more.raw")
    result(not os.path.exists("more.raw"), "and nothing was made")
    refused("convert to a format that can't be made", b"vmdk image can't be made", "convert", "--to", "vmdk", "from.raw", "more.vmdk")
    result(not os.path.exists("more.vmdk"), "and nothing was made")


def resize():
    write("size.raw", pattern(CAPACITY))
    done_well("resize to more", "resize", "--format", "raw", "size.raw", "4M")
    result(read("size.raw") == pattern(CAPACITY) + bytes(1 << 20), "zeros came behind what was there")
    refused("resize to less without --shrink", b"--shrink if that is meant", "resize", "--format", "raw", "size.raw", "1M")
    result(os.path.getsize("size.raw") == 4 << 20, "which stays as it was")
    done_well("resize to less", "resize", "--format", "raw", "--shrink", "size.raw", "1M")
    result(read("size.raw") == pattern(CAPACITY)[:1 << 20], "what lay above is gone, and the rest there")
    refused("resize to no size", b"SIZE 5X is not a size", "resize", "size.raw", "5X")


def checked(name, status, text, *words):
    end = disk("check", *words)
    result(end.returncode == status and text in end.stdout and not end.stderr, f"{name}: {end}")


def check():
    """The entry of a block of counts is two bytes. The first cluster is the header's; one that nobody uses is
    a leak. One in use that is counted as free is two errors: its count, and that its entry says it has one."""
    remove("good.qcow2")
    disk("convert", "--format", "raw", "--to", "qcow2", "from.raw", "good.qcow2")
    good = bytearray(read("good.qcow2"))
    checked("check of what is whole", 0, b"good.qcow2: 0 errors, 0 leaks\n", "good.qcow2")
    table = int.from_bytes(good[48:56], "big")
    block = int.from_bytes(good[table:table + 8], "big")
    last = len(good) // 65536
    leak = bytearray(good)
    leak[block + 2 * last:block + 2 * last + 2] = b"\0\1"
    write("leak.qcow2", leak + bytes(65536))
    checked("check of a leak", 2, b"leak.qcow2: 0 errors, 1 leaks\n", "leak.qcow2")
    result(read("leak.qcow2") == leak + bytes(65536), "a look changes nothing")
    disk("check", "--repair", "leak.qcow2")
    checked("check after --repair", 0, b"0 errors, 0 leaks\n", "leak.qcow2")
    error = bytearray(good)
    error[block + 2 * (last - 1):block + 2 * last] = b"\0\0"
    write("error.qcow2", error)
    checked("check of an error", 1, b"error.qcow2: 2 errors, 0 leaks\n", "error.qcow2")
    write("no.qcow2", b"QFI\xfb" + bytes(1020))
    refused("check of what is no image", b"no.qcow2", "check", "--format", "qcow2", "no.qcow2")
    refused("check of a raw file", b"a raw disk has nothing", "check", "--format", "raw", "from.raw")


def words():
    verbs = ["info", "create", "convert", "check", "resize", "commit"]
    end = disk("--help")
    result(end.returncode == 0 and all(f"vsdk disk {verb} ".encode() in end.stdout for verb in verbs), "help")
    refused("no verb", b"usage: vsdk disk info")
    refused("another verb", b"disk: no verb nonsense; see vsdk disk --help", "nonsense")
    for verb in verbs:
        count = 2 if verb in ("create", "convert", "resize") else 1
        refused(f"{verb} of too little", b"missing; see vsdk disk --help", verb, *["x"] * (count - 1))
        refused(f"{verb} of too much", b"a word too much", verb, *["x"] * (count + 1))
        refused(f"{verb} with an unknown option", b"see vsdk disk --help", verb, "--nonsense", *["x"] * count)
    for option in "--format", "--to", "--backing-format":
        refused(f"{option} nonsense", f"{option} nonsense is none of auto, raw, qcow2".encode(), "info", option,
                "nonsense", "x")


create()
overlay()
convert()
resize()
check()
commit()
convert_fails()
words()
done()
