"""tools/bench: builds, measures, prints the table. See tools/bench for the rows and options."""
import argparse
import json
import os
import sys

import build
import measure

ROWS = {
    "create": measure.create,
    "ioctls_per_exit": measure.ioctls_per_exit,
    "exit_pio": measure.exit_pio,
    "exec_first_byte": measure.exec_first_byte,
    "ram_overhead": measure.ram_overhead,
    "linux_to_init": measure.linux_to_init,
}
SLOW = {"linux_to_init"}


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench")
    parser.add_argument("--json", action="store_true", help="rows as a JSON list")
    parser.add_argument("--quick", action="store_true", help="30 pairs instead of 300, no lab")
    parser.add_argument("--only", action="append", choices=ROWS, help="only this row")
    return parser.parse_args()


def figure(value, digits=4):
    return "-" if value is None else f"{value:.{digits}g}"


def interval(row):
    if row.get("low") is None:
        return figure(row["ratio"])
    return f"{row['ratio']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def noise(row):
    if row.get("noise_low") is None:
        return figure(row["noise"])
    return f"{row['noise']:.3f} [{row['noise_low']:.3f}, {row['noise_high']:.3f}]"


def noise_of_a_pair(row):
    if row.get("pair_low") is None:
        return "-"
    return f"{row['pair_low']:.3f} to {row['pair_high']:.3f}"


def verdict(row):
    """A ratio is judged by its interval's lower end, a figure by itself."""
    limit = row.get("limit")
    if row.get("firecracker"):
        return f"Firecracker: {row['firecracker']}"
    if not limit:
        return ""
    value = row["ours"] if row.get("judged") == "ours" else row["low"]
    return f"<= {limit:g} {'yes' if value <= limit else 'NO'}"


def print_table(rows):
    line = "{:<16} {:<9} {:<13} {:>9} {:>9}  {:<22} {:<22} {:<15} {:>5}  {}"
    print(line.format("name", "place", "unit", "ours", "raw", "ratio", "noise", "a pair's noise",
                      "runs", "limit"))
    for row in rows:
        print(line.format(row["name"], row["place"], row["unit"], figure(row["ours"]),
                          figure(row["raw"]), interval(row), noise(row), noise_of_a_pair(row),
                          row["runs"], verdict(row)))


def main():
    options = arguments()
    tools = build.make()
    rows = []
    for name in options.only or [row for row in ROWS if not (options.quick and row in SLOW)]:
        print(f"bench: {name}", file=sys.stderr, flush=True)
        rows += ROWS[name](tools, 30 if options.quick else 300)
    if not os.path.exists("/dev/kvm"):
        print("bench: no /dev/kvm here: only the mock was measured", file=sys.stderr)
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        print_table(rows)
    return any(verdict(row).endswith("NO") for row in rows)


sys.exit(main())
