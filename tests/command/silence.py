# SPDX-License-Identifier: Apache-2.0
"""A guest that writes nothing: said once, with what is known of the cause.

usage: silence.py VSDK FOLDER-OF-GUESTS
"""
import os
import struct
import subprocess

from here import GUESTS, VSDK, done, file_of, out, result, run_code, vsdk

SAID = b"the guest has written nothing"
SPIN, HALT, WAIT = b"\xeb\xfe", b"\xfa\xf4\xeb\xfd", b"\xfb\xf4\xeb\xfd"


def pvh(code):
    """An ELF kernel with a PVH entry at 1 MiB."""
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", 0x100000)
    header = struct.pack("<4sBBBB8xHHIIIIIHHHHHH", b"\x7fELF", 1, 1, 1, 0, 2, 3, 1, 0x100000, 52, 0, 0,
                         52, 32, 2, 0, 0, 0)
    at = 52 + 2 * 32
    load = struct.pack("<8I", 1, at + len(note), 0x100000, 0x100000, len(code), len(code), 5, 1)
    notes = struct.pack("<8I", 4, at, 0, 0, len(note), len(note), 4, 4)
    return header + load + notes + note + code


class End:
    def __init__(self, returncode, stderr):
        self.returncode, self.stderr = returncode, stderr


def until_said(*words):
    """However long it takes; what is said at one look is said before the command leaves."""
    with subprocess.Popen([VSDK, "run", "--backend", "mock", "--timeout", "20", *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        text = line = process.stderr.readline()
        while line and SAID not in text:
            line = process.stderr.readline()
            text += line
        if b"halted for good" not in text:  # then it ends by itself
            process.terminate()
        text += process.stderr.read()
    return End(process.returncode, text)


def kernel(code, *more):
    with file_of(pvh(code)) as name:
        return until_said("--silence", "0.2", *more, name)


def quick(code, *more, silence="0.2"):
    with file_of(code) as name:
        return until_said("--format", "flat", "--silence", silence, *more, name)


def speaks(code, *more):
    """Its first word has two seconds."""
    return run_code(code, "--silence", "2", "--timeout", "3", *more)


def causes():
    end = quick(SPIN)
    result(SAID + b" for 0.2 s" in end.stderr and b"at work (vCPU 0 is at 0x7c00)" in end.stderr,
           f"a guest at work: {end.stderr}")
    result(b"kernel mode is emulated" in end.stderr, f"where kernel mode is emulated: {end.stderr}")
    end = run_code(SPIN, "--silence", "0.2", "--timeout", "2")
    result(end.stderr.count(SAID) <= 1, f"it is said once: {end.stderr}")
    end = quick(WAIT, silence="2")  # until then it has come to its halt
    result(b"waits for an interrupt" in end.stderr,
           f"a guest that waits: {end.returncode} {end.stderr}")
    end = quick(HALT)
    result(b"halted for good" in end.stderr and end.returncode == 133,
           f"a guest that nothing can wake: {end.returncode} {end.stderr}")
    end = quick(HALT, "--vcpus", "2")
    result(b"halted for good" in end.stderr and end.returncode == 133,
           f"the same with a processor that was never started: {end.returncode} {end.stderr}")


def console_option():
    end = kernel(SPIN)
    result(b"no console=" in end.stderr, f"a kernel without console=: {end.stderr}")
    end = kernel(SPIN, "--append", "quiet console=ttyS0")
    result(SAID in end.stderr and b"no console=" not in end.stderr, f"one with it: {end.stderr}")


def not_said():
    end = speaks(out(0x3f8, 65) + SPIN)
    result(SAID not in end.stderr, f"a guest that has written: {end.stderr}")
    with file_of(b"") as debug:
        end = speaks(out(0x402, 65) + SPIN, "--debug-console", debug)
        result(SAID not in end.stderr, f"to the debug console: {end.stderr}")
    end = run_code(SPIN, "--silence", "0", "--timeout", "2")
    result(SAID not in end.stderr, f"--silence 0: {end.stderr}")
    end = run_code(SPIN, "--silence", "0.2", "--timeout", "2", "--serial", "none")
    result(SAID not in end.stderr, f"a serial port that goes nowhere: {end.stderr}")
    end = vsdk("run", "--backend", "mock", os.path.join(GUESTS, "multiboot.elf"))
    result(end.returncode == 41 and not end.stderr,
           f"a kernel is started without a word about kernel mode: {end.returncode} {end.stderr}")


def halted_later():
    for name, words in ("mock", []), ("mock", ["--silence", "0"]):
        end = run_code(out(0x3f8, 65) + HALT, "--timeout", "60", *words, backend=name)
        result(end.returncode == 133 and end.stderr == b"vsdk: the guest has halted for good: every processor is "
               b"halted with interrupts off\n", f"one that had written: {end.returncode} {end.stderr}")
    end = run_code(out(0x3f8, 65) + WAIT, "--timeout", "6")
    result(end.returncode == 124 and b"halted" not in end.stderr, f"an idle one: {end.returncode} {end.stderr}")


def stuck_reader():
    """The guest's thread sleeps because nobody reads: that is no halt, and it goes on with the reader."""
    reader, writer = os.pipe()
    with subprocess.Popen([VSDK, "run", "--backend", "mock", "--format", "flat", "--timeout", "60",
                           os.path.join(GUESTS, "flood.bin")], stdin=subprocess.DEVNULL, stdout=writer,
                          stderr=subprocess.PIPE) as process:
        os.close(writer)
        try:
            process.wait(6)
        except subprocess.TimeoutExpired:
            pass
        text = b""
        while process.poll() is None and len(text) < 1 << 20:
            text += os.read(reader, 65536)
        process.terminate()
        said = process.stderr.read()
    os.close(reader)
    result(len(text) >= 1 << 20 and b"halted" not in said, f"a guest whose output nobody reads: {said}")


def goes_on():
    """The guest and its input are as before: it echoes what comes after the look."""
    with subprocess.Popen([VSDK, "run", "--backend", "mock", "--format", "flat", "--silence", "0.2",
                           "--timeout", "60", os.path.join(GUESTS, "quiet-echo.bin")], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        said = process.stderr.readline()
        process.stdin.write(b"hello")
        process.stdin.flush()
        echo = process.stdout.read(5)
        process.terminate()
    result(SAID in said and echo == b"hello", f"after that it goes on: {said} {echo}")


causes()
console_option()
not_said()
halted_later()
stuck_reader()
goes_on()
done()
