#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what follows from abi/*.toml: headers, version script, names, pages, tables of tests.

usage: generate.py [--check] [--root DIR]

With --check nothing is written: each file that is not what it should be is named.
"""

import argparse
import importlib
import pathlib
import sys

sys.dont_write_bytecode = True

from generator.check import check
from generator.model import Api
from generator.shape import load
from generator.source import DescriptionError, Source

PARTS = ["header", "version_script", "names", "pages", "json_file", "contract",
         "shim"]
OWNED = ["include/vsdk/*.h", "docs/reference/*.md"]


def read(root):
    """The checked description under `root`."""
    paths = sorted((root / "abi").glob("*.toml"))
    if not paths:
        raise DescriptionError("abi: no *.toml there")
    objects, complaints = [], []
    for path in paths:
        try:
            objects.append(load(Source(path, f"abi/{path.name}")))
        except DescriptionError as error:
            complaints.append(str(error))
    if complaints:
        raise DescriptionError("\n".join(complaints))
    api = Api(objects)
    check(api)
    return api


def outputs(api):
    """Every generated file, by its path."""
    files = {}
    for part in PARTS:
        files |= importlib.import_module(f"generator.{part}").outputs(api)
    return files


def stale(root, files):
    """What differs from, or is missing in, or is too much in the tree."""
    for name, text in sorted(files.items()):
        path = root / name
        if not path.exists():
            yield name, "missing"
        elif path.read_text(encoding="utf-8") != text:
            yield name, "stale"
    for pattern in OWNED:
        for path in sorted(root.glob(pattern)):
            name = str(path.relative_to(root))
            if name not in files:
                yield name, "not described"


def write(root, files):
    for name, reason in list(stale(root, files)):
        if reason == "not described":
            print(f"{name}: {reason}; remove it", file=sys.stderr)
            continue
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[name], encoding="utf-8")
        print(f"wrote {name}")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--root", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent)
    options = parser.parse_args(arguments)
    try:
        files = outputs(read(options.root))
    except DescriptionError as error:
        print(error, file=sys.stderr)
        return 1
    if not options.check:
        write(options.root, files)
        return 0
    wrong = list(stale(options.root, files))
    for name, reason in wrong:
        print(f"{name}: {reason}: run abi/generate.py", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
