# SPDX-License-Identifier: Apache-2.0
"""How a guest ends: one status and one line for each reason, the same on every backend.

usage: endings.py VSDK FOLDER-OF-GUESTS
"""
import os

from here import done, flat, out, result, run_code, skip

HALT = b"\xfa\xf4\xeb\xfd"                                      # cli; 1: hlt; jmp 1b
TRIPLE_FAULT = b"\x0f\x01\x1c\x25\x20\x7c\x00\x00\x0f\x0b" + bytes(64)  # lidt of nothing; ud2: 64 bit
PANIC = out(0x505, 1)
OFF, RESET, SUSPEND = out(0x600, 0x34) + HALT, out(0x602, 1) + HALT, out(0x600, 0x24) + HALT

# name, guest, options, status, what is said of it, whether without --verbose too
TABLE = [
    ("a power-off", OFF, [], 0, b"turned itself off", False),
    ("a reset", RESET, [], 0, b"asked for a reset", False),
    ("a reset with a status", RESET, ["--reset-status", "9"], 9, b"asked for a reset", False),
    ("a code", out(0xf4, 7) + HALT, [], 7, b"exit port", False),
    ("a triple fault", TRIPLE_FAULT, ["--mode", "long"], 134, b"triple fault", True),
    ("a panic", PANIC + HALT, [], 134, b"panicked", True),
    ("a halt for good", HALT, [], 133, b"halted for good", True),
    ("a halt for good after a word", out(0x3f8, 65) + HALT, [], 133, b"halted for good", True),
    ("a suspend", SUSPEND, [], 120, b"suspended itself (sleep type 1)", True),
    ("the timeout", b"\xeb\xfe", ["--timeout", "0.3"], 124, b"--timeout", True),
]


def check(backend, row):
    name, code, options, status, words, always = row
    for verbose in [], ["--verbose"]:
        limit = [] if "--timeout" in options else ["--timeout", "20"]
        end = run_code(code, *limit, *options, *verbose, backend=backend)
        said = words in end.stderr if always or verbose else not end.stderr
        good = end.returncode == status and said and b"kicked" not in end.stderr
        if always and not verbose:
            good = good and end.stderr.count(b"\n") == 1
        result(good, f"{backend}: {name} {' '.join(verbose)}: {end.returncode} {end.stderr}")


def can_run(backend):
    return backend == "mock" or os.access("/dev/kvm", os.R_OK | os.W_OK)


for place in "mock", "kvm":
    for line in TABLE:
        if can_run(place):
            check(place, line)
        else:
            skip(f"{place}: {line[0]}", "no /dev/kvm here")
panic = run_code(PANIC + HALT)
result(b"rip 0x7c06" in panic.stderr, f"where it panicked: {panic.stderr}")
stuck = run_code(b"\xd9\xe8")  # fld1, which the mock does not interpret
result(stuck.returncode == 125 and b"vCPU 0 is at 0x7c00" in stuck.stderr,
       f"what nobody can go on from, and where: {stuck.returncode} {stuck.stderr}")
for wrong in "256", "-1", "x":
    result(flat("exit7.bin", "--reset-status", wrong).returncode == 125, f"--reset-status {wrong} is refused")
done()
