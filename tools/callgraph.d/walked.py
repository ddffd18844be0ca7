# SPDX-License-Identifier: Apache-2.0
"""What one exit really walks through: counted by callgrind, on the mock, with tools/bench's program."""
import os
import re
import subprocess
import tempfile

FEW, MANY = 1000, 3000
NAME = re.compile(r"^(c?(?:fn|fl|fi|fe|ob))=\((\d+)\)(?: (.*))?$")


def calls(text):
    """{(function, its file): calls} of a callgrind file."""
    names, counts = {}, {}
    inside, callee, callee_file = None, None, None
    for line in text.splitlines():
        match = NAME.match(line)
        if match:
            kind, number, name = match.groups()
            table = kind[-2:] if kind[-2:] in ("fn", "ob") else "fl"
            name = names.setdefault((table, number), name)
            if kind == "fl":
                inside = name
            elif kind in ("cfi", "cfl"):
                callee_file = name
            elif kind == "cfn":
                callee = name
        elif line.startswith("calls="):
            key = re.sub(r"'\d+$", "", callee), callee_file or inside
            counts[key] = counts.get(key, 0) + int(line[6:].split()[0])
            callee_file = None
    return counts


def one_run(program, exits):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program,
                        "only-exits", str(exits), "bus"], check=True, capture_output=True)
        with open(out, encoding="utf-8", errors="replace") as file:
            return calls(file.read())


def an_exit(build):
    """[(calls an exit, function, file)] of all that each exit calls, in lib/core and lib/base."""
    program = os.path.join(build, "tests", "bench", "bench")
    few, many = one_run(program, FEW), one_run(program, MANY)
    rows = []
    for (function, source), count in many.items():
        each = (count - few.get((function, source), 0)) / (MANY - FEW)
        source = re.sub(r"^.*?(?=(lib|tests)/)", "", source or "?")
        if each >= 0.9 and source.startswith(("lib/core/", "lib/base/")):
            rows.append((each, function, source))
    return sorted(rows, key=lambda row: (row[2], row[1]))
