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
importlib.reload(limits)
unknown = {name for name, _ in limits.LIMITS} - set(main.ROWS)
tap(not unknown, f"every limit is of a row {sorted(unknown) or ''}")
print(f"1..{count}")
sys.exit(1 if failed else 0)
