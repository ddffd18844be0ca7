#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""dma-device in Python, by ctypes: the device completes on a thread that C did not make.

The guest rings; a Python thread turns a block of guest memory to upper case, sets `done` and raises
an interrupt. No compiler is needed: sizes and offsets are in the reference and in api.json.
A function that returns a pointer or 64 bits, as vsdk_vcpu_record, needs its `restype`: ctypes takes int.

  dma_device.py [BACKEND]
"""
import ctypes as c
import select
import sys
import threading

vsdk = c.CDLL("libvsdk.so.0")
FOREVER, LENGTH, CODE = 2**64 - 1, 4, 0x1000
BLOCK = CODE + 14
code = bytes.fromhex("ba0807ee ba0407 eca80174fb e6f4") + b"dma\n"


class Access(c.Structure):
    _fields_ = [("vcpu", c.c_void_p), ("offset", c.c_uint64), ("value", c.c_uint64),
                ("region", c.c_uint32), ("width", c.c_uint16), ("reserved", c.c_uint16)]


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


done, quit, stopping = threading.Event(), threading.Event(), threading.Event()
read_fn = c.CFUNCTYPE(c.c_uint64, c.c_void_p, c.c_void_p, c.POINTER(Access))(
    lambda user, device, access: int(done.is_set()))
stop_fn = c.CFUNCTYPE(c.c_uint32, c.c_void_p, c.c_void_p, c.c_uint32)(
    lambda user, device, mode: (stopping.set(), 1)[1])  # VSDK_STOP_PENDING
ops = config(88, [8, 8, 8, 8], c.cast(read_fn, c.c_void_p).value, 0, 0, c.cast(stop_fn, c.c_void_p).value)

host = made("vsdk_host_open", sys.argv[1].encode() if len(sys.argv) > 1 else None, None)
vm = made("vsdk_vm_create", host, None)
ram = made("vsdk_ram_create", vm, u64(4096), None)
call("vsdk_vm_map", vm, u64(CODE), ram, u64(0), u64(4096), 0)
made("vsdk_ioapic_create", vm, None)
device = made("vsdk_device_create", vm, ops, None, None)
irq = made("vsdk_irq_create", vm, config(32, [4, 4, 8], 5, 0, device.value))
bell = made("vsdk_doorbell_create", vm, config(48, [4, 4, 8, 8, 8], 0, 0, 0x708, 0, device.value))
call("vsdk_device_add_range", device, 0, u64(0x704), u64(1), 0)
vcpu = made("vsdk_vcpu_create", vm, 0, None)
entry = config(128, [])
image = c.create_string_buffer(code, len(code))
call("vsdk_boot_load", vm, config(128, [4, 4, 8, 8, 8, 8, 8, 8, 8], 4, 0, c.addressof(image), len(code),
                                  0, 0, 0, 0, CODE), entry)
call("vsdk_boot_apply", vcpu, entry)


def work():
    """Waits for rings; says that the device has stopped when it has seen the last."""
    descriptor, rings, block = vsdk.vsdk_doorbell_descriptor(bell), u64(0), c.create_string_buffer(LENGTH)
    while not quit.is_set():
        select.select([descriptor], [], [], 0.01)
        call("vsdk_doorbell_take", bell, c.byref(rings))
        if rings.value:
            call("vsdk_dma_read", device, u64(BLOCK), block, u64(LENGTH))
            call("vsdk_dma_write", device, u64(BLOCK), block.raw.upper(), u64(LENGTH))
            done.set()
            call("vsdk_irq_pulse", irq)
        elif stopping.is_set():
            stopping.clear()
            call("vsdk_device_stopped", device)


worker = threading.Thread(target=work, daemon=True)
worker.start()
call("vsdk_vm_resume", vm)
call("vsdk_vcpu_run", vcpu, u64(FOREVER))  # ctypes releases the interpreter's lock meanwhile
call("vsdk_vm_pause", vm, 0, u64(FOREVER))
block = c.create_string_buffer(LENGTH)
call("vsdk_vm_read", vm, u64(BLOCK), block, u64(LENGTH))
print(block.raw.decode(), end="")
quit.set()
worker.join()
for handle, kind in ((vcpu, "vcpu"), (bell, "doorbell"), (irq, "irq"), (device, "device"), (ram, "ram"),
                     (vm, "vm"), (host, "host")):
    getattr(vsdk, f"vsdk_{kind}_close")(handle)
