# SPDX-License-Identifier: Apache-2.0
"""tools/bench: builds, measures, prints the table. See tools/bench for the rows and options."""
import argparse
import json
import os
import sys

import build
import limits
import linux
import order
import scale
import small

ROWS = {function.__name__: function for function in [
    small.create, small.create_1000, small.ioctls_per_exit, small.exit_pio, small.exit_pio_bus,
    small.exec_first_byte, small.run_first_byte, small.ram_overhead,
    scale.scale_pause, scale.scale_map, scale.scale_watch, scale.scale_attach,
    linux.linux_to_init, linux.linux_to_end]}
SLOW = {"linux_to_init", "linux_to_end"}


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench")
    parser.add_argument("--json", action="store_true", help="rows by name, as JSON")
    parser.add_argument("--check", action="store_true", help="fail when a figure is worse than its limit")
    parser.add_argument("--counts", action="store_true", help="only what is counted, which repeats")
    parser.add_argument("--quick", action="store_true", help="30 pairs instead of 300, no lab")
    parser.add_argument("--only", action="append", choices=ROWS, help="only this row")
    parser.add_argument("--order", action="store_true", help="write lib/start.ld from what a start runs")
    return parser.parse_args()


def short(value):
    return "-" if value is None else f"{value:.4g}"


def between(figure, name):
    if figure.get(f"{name}low") is None:
        return ""
    return f" [{figure[name + 'low']:.3f}, {figure[name + 'high']:.3f}]"


def noise(figure):
    return f"{figure['noise']:.3f}{between(figure, 'noise_')}" if figure.get("noise") else "-"


def beside(figure):
    """What else was measured in the same run."""
    known = ["qemu", "firecracker", "instructions", "reasons"]
    return "; ".join(f"{name} {short(figure[name]) if isinstance(figure[name], (int, float)) else figure[name]}"
                     for name in known if figure.get(name))


def verdict(figure):
    if "limit" not in figure:
        return ""
    return f"{figure['judged']} <= {figure['limit']:g} {'yes' if figure['kept'] else 'NO'} (goal {figure['goal']:g})"


def print_table(rows):
    line = "{:<16} {:<26} {:<9} {:<12} {:>9} {:>9}  {:<22} {:<22} {}"
    print(line.format("name", "figure", "place", "unit", "ours", "raw", "ratio", "raw to raw", "limit"))
    for name, row in rows.items():
        for label, one in row["figures"].items():
            ratio = "-" if one["ratio"] is None else f"{one['ratio']:.3f}{between(one, '')}"
            words = "; ".join(word for word in (verdict(one), beside(one)) if word)
            print(line.format(name, label, row["place"], one["unit"], short(one["ours"]), short(one["raw"]),
                              ratio, noise(one), words).rstrip())


def as_json(rows):
    """The first figure of a row is also the row's own."""
    return {name: {**next(iter(row["figures"].values())), **row} for name, row in rows.items()}


def measure(tools, options):
    rows = {}
    for name in options.only or [name for name in ROWS if not (options.quick and name in SLOW)]:
        print(f"bench: {name}", file=sys.stderr, flush=True)
        row = ROWS[name](tools, 30 if options.quick else 300, options.counts)
        if row:
            limits.judge(name, row)
            rows[name] = row
    return rows


def main():
    options = arguments()
    tools = build.make()
    if options.order:
        order.write(tools)
        return 0
    rows = measure(tools, options)
    if not small.have_kvm():
        print("bench: no /dev/kvm here: only the mock was measured", file=sys.stderr)
    if options.json:
        print(json.dumps(as_json(rows), indent=1))
    else:
        print_table(rows)
    complaints = list(limits.complaints(rows, options.counts)) if options.check else []
    for complaint in complaints:
        print(f"bench: WORSE: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
