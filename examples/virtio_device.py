#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""virtio-device in Python, by ctypes: the same guest, and a device whose queue Python serves.

The processor runs on a thread. The main thread waits for the loop's descriptor and dispatches the loop without a wait, so
that the device's callback comes on this thread, inside that call. No compiler is needed: sizes and offsets are in api.json.

  virtio_device.py [BACKEND]
"""
import ctypes as c
import select
import struct
import sys
import threading

vsdk = c.CDLL("libvsdk.so.0")
vsdk.vsdk_vm_loop.restype = vsdk.vsdk_ram_data.restype = c.c_void_p
FOREVER, MEMORY, DEVICE = 2**64 - 1, 0x10000, 0xd0000000
CODE, TABLE, RING, AVAIL, USED, TEXT, ANSWER = 0x1000, 0x1100, 0x2000, 0x2100, 0x2200, 0x3000, 0x3100
text = b"hello, virtio"
# Writes registers from the table, waits until the chain is given back, and ends; virtio-device.c has it line by line.
code = bytes.fromhex("be00110000 ad 85c0 7406 97 ad 8907 ebf5 66833d0222000000 74f6 b000e6f4 f4")
table = [(0x70, 0), (0x70, 1), (0x70, 3), (0x24, 1), (0x20, 1), (0x70, 11), (0x30, 0), (0x38, 2), (0x80, RING),
         (0x90, AVAIL), (0xa0, USED), (0x44, 1), (0x70, 15), (0x50, 0)]


class Chain(c.Structure):
    _fields_ = [("parts", c.c_void_p), ("readable", c.c_uint64), ("writable", c.c_uint64), ("count", c.c_uint32),
                ("readable_count", c.c_uint32), ("queue", c.c_uint32), ("slot", c.c_uint32), ("life", c.c_uint64),
                ("reserved", c.c_uint64 * 2)]


class Error(c.Structure):
    _fields_ = [("code", c.c_int32), ("os_errno", c.c_int32), ("operation", c.c_char * 64),
                ("message", c.c_char * 256), ("hint", c.c_char * 160), ("reserved", c.c_uint8 * 24)]


def config(size, fmt, *values):
    """A configuration of `size` bytes: size, flags 0, then values, each with its width in bytes."""
    words = b"".join(v.to_bytes(w, "little") for v, w in zip(values, fmt))
    return c.create_string_buffer((size.to_bytes(4, "little") + bytes(4) + words).ljust(size, b"\0"), size)


def call(name, *arguments):
    error = Error()
    if getattr(vsdk, name)(*arguments, c.byref(error)):
        raise OSError(f"{error.operation.decode()}: {error.message.decode()}\n  {error.hint.decode()}")


def made(name, *arguments):
    """A call whose output is a new handle."""
    handle = c.c_void_p()
    call(name, *arguments, c.byref(handle))
    return handle


def u64(value):
    return c.c_uint64(value)


def notify(user, device, queue):
    """All chains that are there; a device that C calls has its pointer as an int."""
    chain, device = Chain(), c.c_void_p(device)
    while not vsdk.vsdk_virtio_pop(device, queue, c.byref(chain), None):
        length = min(chain.readable, chain.writable, 64)
        block = c.create_string_buffer(max(length, 1))
        call("vsdk_virtio_read", device, c.byref(chain), u64(0), block, u64(length))
        call("vsdk_virtio_write", device, c.byref(chain), u64(0), block.raw.upper(), u64(length))
        call("vsdk_virtio_push", device, c.byref(chain), length)


notify_fn = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_uint32)(notify)
ops = config(96, [8], c.cast(notify_fn, c.c_void_p).value)

host = made("vsdk_host_open", sys.argv[1].encode() if len(sys.argv) > 1 else None, None)
vm = made("vsdk_vm_create", host, None)
ram = made("vsdk_ram_create", vm, u64(MEMORY), None)
call("vsdk_vm_map", vm, u64(0), ram, u64(0), u64(MEMORY), 0)
# Type 42, one queue; registers at DEVICE, line 5.
device = made("vsdk_virtio_create", vm, ops, None, config(96, [8, 8, 4, 4], 0, 0, 42, 1))
call("vsdk_virtio_attach", device, config(48, [8, 4, 4], DEVICE, 0, 5))
vcpu = made("vsdk_vcpu_create", vm, 0, None)
entry = config(128, [])
image = c.create_string_buffer(code, len(code))
call("vsdk_boot_load", vm, config(128, [4, 4, 8, 8, 8, 8, 8, 8, 8], 4, 1, c.addressof(image), len(code),
                                  0, 0, 0, 0, CODE), entry)
for gpa, contents in ((TABLE, b"".join(struct.pack("<II", DEVICE + at, value) for at, value in table)),
                      (RING, struct.pack("<QIHHQIHH", TEXT, len(text), 1, 1, ANSWER, len(text), 2, 0)),
                      (AVAIL, struct.pack("<HHH", 0, 1, 0)), (TEXT, text)):
    call("vsdk_vm_write", vm, u64(gpa), contents, u64(len(contents)))
call("vsdk_boot_apply", vcpu, entry)

loop = c.c_void_p(vsdk.vsdk_vm_loop(vm, None))
descriptor = vsdk.vsdk_loop_descriptor(loop)
call("vsdk_vm_resume", vm)
processor = threading.Thread(target=call, args=("vsdk_vcpu_run", vcpu, u64(FOREVER)))
processor.start()  # it returns when the guest writes to port 0xf4, which nobody has
while processor.is_alive():
    if select.select([descriptor], [], [], 0.01)[0]:
        call("vsdk_loop_dispatch", loop, u64(0), None)
processor.join()
call("vsdk_vm_pause", vm, 0, u64(FOREVER))
answer = c.create_string_buffer(len(text))
call("vsdk_vm_read", vm, u64(ANSWER), answer, u64(len(text)))
print(answer.raw.decode())
for handle, kind in ((vcpu, "vcpu"), (device, "device"), (ram, "ram"), (vm, "vm"), (host, "host")):
    getattr(vsdk, f"vsdk_{kind}_close")(handle)
