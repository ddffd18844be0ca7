# SPDX-License-Identifier: Apache-2.0
"""tools/bench --check notices what is worse than its limit: TAP.

usage: test_bench.py SOURCE_ROOT"""
import importlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(sys.argv[1], "tools", "bench.d"))

import figures
import limits
import main
import order
import small

count = failed = 0


def tap(holds, text):
    global count, failed
    count += 1
    failed += not holds
    print(f"{'' if holds else 'not '}ok {count} - {text}")


def told(name, counts=True, **of_row):
    row = figures.row("here", "a test", **of_row)
    limits.judge(name, row)
    return list(limits.complaints({name: row}, counts))


limits.LIMITS = {("lamp", "watts"): (limits.OURS, 10, 5), ("lamp", "light"): (limits.RATIO, 1.5, 1)}
tap(not told("lamp", watts=figures.counted("W", 10)), "a figure at its limit is kept")
tap(told("lamp", watts=figures.counted("W", 10.5)), "one above it is told")
tap(not told("lamp", other=figures.counted("W", 99)), "one without a limit is not")
tap(not told("lamp", light=figures.timed("lm", 14, 10)), "a ratio at its limit is kept")
tap(told("lamp", light=figures.timed("lm", 16, 10)), "one above it is told")
noisy = {**figures.timed("lm", 16, 10), "low": 1.4, "high": 1.8}
tap(not told("lamp", light=noisy), "a measured ratio is judged by the lower end of its interval")
tap(told("lamp", light={**noisy, "low": 1.55}), "and told when that is above")
tap(told("lamp", light=figures.timed("lm", 16)), "a ratio to nothing is told")
tap(told("lamp", False, watts=figures.counted("W", 1)), "a limit without its figure is told")
tap(figures.paired("us", [2, 4, 6], [1, 2, 2])["ratio"] == 2, "the ratio is the median of the pairs")


def smaps(libc_pss=500, library=100, heap=40):
    """A program with a guest of 128 MiB, as /proc has it; KiB."""
    def one(name, size, rss, pss, dirty, flags="rd wr"):
        return (f"7f00-7f10 rw-p 00000000 00:00 1 {name}\nSize: {size} kB\nRss: {rss} kB\nPss: {pss} kB\n"
                f"Shared_Dirty: 0 kB\nPrivate_Dirty: {dirty} kB\nVmFlags: {flags}\n")
    return (one("/lib/x86_64-linux-gnu/libc.so.6", 2000, 900, libc_pss, 24)
            + one("/lib64/ld-linux-x86-64.so.2", 200, 150, 150, 8) + one("[vdso]", 8, 8, 8, 0)
            + one("/usr/lib/libvsdk.so.0.1.0", 300, library, library, 8) + one("[heap]", 132, heap, heap, heap)
            + one("", small.MEMORY_KIB, 12, 12, 12, "rd wr dc"))


tap(small.memory_in(smaps()) == (172, 100), "memory is what a program has for itself, without its guest's")
tap(small.memory_in(smaps(libc_pss=20)) == small.memory_in(smaps()), "it is the same whoever else maps the C library")
tap(small.memory_in(smaps(library=160)) == (232, 160), "a library that grows is seen")
tap(small.memory_in(smaps(heap=80))[0] == 212, "and a heap that does")

ordered = "    *(.text.hot .text.hot.*)\n    *(.text.run .text.run.*)\n    *(.text.old .text.old.*)\n"
tap(order.differences(ordered, {"run", "new", "inlined"}, {"run", "new", "other"}) == (["new"], ["old"]),
    "start.ld is stale when a function of a start is missing in it, or one of its names is gone")
tap(order.differences(ordered, {"run"}, {"run", "old"}) == ([], []), "and else not")
importlib.reload(limits)
unknown = {name for name, _ in limits.LIMITS} - set(main.ROWS)
tap(not unknown, f"every limit is of a row {sorted(unknown) or ''}")
print(f"1..{count}")
sys.exit(1 if failed else 0)
