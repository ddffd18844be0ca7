#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The matrix of every public function by what the tests saw it return.

usage: matrix.py [--api api.json] [--quiet] LOG...

Columns: success, NULL, wrong state, and each documented error. The logs are what the generated shim
wrote. A cell is covered or missing; NULL and wrong state may have a reason instead, of what the
function is. Status 1: a cell is missing, or a function returned what it does not document.
"""

import argparse
import json
import pathlib
import sys

WRONG_STATE = ("STATE", "BUSY", "GONE")
API = pathlib.Path(__file__).resolve().parent.parent.parent / "abi" / "api.json"


class Row:
    """One function: what it documents, and what was seen."""

    def __init__(self, name, function, seen):
        self.name, self.function, self.seen = name, function, seen
        self.errors = list(function["errors"])
        self.fallible = function["returns"]["type"] == "vsdk_status"

    def cells(self):
        """Yields (column, reason or None); covered cells have the reason ''."""
        yield "success", self.covered("success")
        yield "NULL", self.null()
        yield "state", self.state()
        for error in self.errors:
            yield error, self.covered(error)

    def covered(self, *kinds):
        return "" if self.seen.intersection(kinds) else None

    def null(self):
        if not any(p["type"].endswith(("*", "_fn")) for p in self.function["params"]):
            return "takes no pointer"
        if self.fallible and not self.function["required"]:
            return "no pointer is required"
        return self.covered("NULL")

    def state(self):
        documented = [error for error in WRONG_STATE if error in self.errors]
        if not self.fallible:
            return "cannot fail"
        if not documented:
            return "no state is wrong"
        return self.covered(*documented)

    def undocumented(self):
        return sorted(self.seen - {"success", "NULL"} - set(self.errors))


def read_logs(paths):
    """Function -> set of kinds, and the lines that are no such pair."""
    seen, odd = {}, []
    for path in paths:
        for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
            name, tab, kind = line.partition("\t")
            if tab and kind:
                seen.setdefault(name, set()).add(kind)
            else:
                odd.append(f"{path}:{number}: {line!r}")
    return seen, odd


def mark(reason):
    return {"": "+", None: "MISSING"}.get(reason, "-")


def show(rows):
    width = max(len(row.name) for row in rows)
    print(f"{'function'.ljust(width)}  success  NULL     state    documented errors")
    for row in rows:
        cells = list(row.cells())
        head = "  ".join(mark(reason).ljust(7) for _, reason in cells[:3])
        tail = " ".join(f"{column}{'' if reason == '' else '=' + mark(reason)}"
                        for column, reason in cells[3:])
        print(f"{row.name.ljust(width)}  {head}  {tail}".rstrip())


def report(rows):
    """Prints reasons and complaints; the number of complaints."""
    cells = [(row, *cell) for row in rows for cell in row.cells()]
    for row, column, reason in cells:
        if reason:
            print(f"reason: {row.name} {column}: {reason}")
    missing = [(row, column) for row, column, reason in cells if reason is None]
    for row, column in missing:
        print(f"missing: {row.name} {column}")
    wrong = [(row, kind) for row in rows for kind in row.undocumented()]
    for row, kind in wrong:
        print(f"undocumented: {row.name} returned {kind}")
    covered = sum(reason == "" for _, _, reason in cells)
    print(f"matrix: {len(rows)} functions, {len(cells)} cells: {covered} covered, "
          f"{len(cells) - covered - len(missing)} with a reason, {len(missing)} missing; "
          f"{len(wrong)} undocumented errors")
    return len(missing) + len(wrong)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--api", default=API, type=pathlib.Path)
    parser.add_argument("--quiet", action="store_true", help="no table, only reasons and totals")
    parser.add_argument("logs", nargs="+", metavar="LOG")
    options = parser.parse_args(arguments)
    functions = json.loads(options.api.read_text())["functions"]
    seen, odd = read_logs(options.logs)
    rows = [Row(name, function, seen.pop(name, set())) for name, function in functions.items()]
    if not options.quiet:
        show(rows)
    faults = report(rows)
    for text in odd + [f"{name}: not described" for name in sorted(seen)]:
        print(f"log: {text}")
    return 1 if faults or odd or seen else 0


if __name__ == "__main__":
    sys.exit(main())
