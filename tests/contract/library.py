# SPDX-License-Identifier: Apache-2.0
"""The built library: what it needs at load, what it exports, how it is called; and the mocks' module.

usage: library.py LIBRARY MAP MODULE"""
import re
import subprocess
import sys

ALLOWED = {"libc.so.6", "ld-linux-x86-64.so.2"}
count = failed = 0


def tap(holds, text, more=()):
    global count, failed
    count += 1
    failed += not holds
    print(f"{'' if holds else 'not '}ok {count} - {text}")
    for line in [] if holds else more:
        print("#", line)


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def needs_libc_alone(library, what):
    dynamic = output("readelf", "--wide", "--dynamic", library)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    tap(needed <= ALLOWED, f"{what} needs libc alone", sorted(needed - ALLOWED))
    return dynamic


def names(library, *options):
    lines = output("nm", "--defined-only", *options, library).splitlines()
    return {line.split()[-1].split("@")[0] for line in lines}


def check_module(library, module):
    needs_libc_alone(module, "the mocks' module")
    wanted = {"vsdk_backend_module", "vsdk_backend_module_autonomous"}
    found = names(module, "--dynamic")
    tap(found == wanted, "the module exports its entries alone", sorted(found ^ wanted))
    interpreter = {name for name in names(module) if re.match(r"(mock|cpu)_", name)}
    carried = {name for name in names(library) if re.match(r"(mock|cpu)_", name)}
    tap(interpreter and not carried, "the library carries no interpreter", sorted(carried))


def main(library, map_file, module):
    dynamic = needs_libc_alone(library, "it")
    tap(re.findall(r"\(SONAME\).*\[(.*)\]", dynamic) == ["libvsdk.so.0"], "soname")
    tap("TEXTREL" not in dynamic, "no text relocations")

    exported = names(library, "--dynamic")
    with open(map_file, encoding="utf-8") as f:
        script = f.read()
    versions = set(re.findall(r"^(VSDK_[\d.]+) ", script, re.M))
    promised = set(re.findall(r"^\s+(vsdk_\w+);", script, re.M))
    tap(exported - versions == promised, "exports what the version script names",
        [f"{name}: described, not in the library (not written, or a build from before?)"
         for name in sorted(promised - exported)] +
        [f"{name}: in the library, not described" for name in sorted(exported - versions - promised)])
    stack = output("readelf", "--wide", "--program-headers", library)
    tap(re.search(r"GNU_STACK.*\bRW\b ", stack) is not None, "no executable stack")
    check_module(library, module)
    print(f"1..{count}")
    return 1 if failed else 0


sys.exit(main(*sys.argv[1:]))
