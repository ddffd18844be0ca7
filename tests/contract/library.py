"""The built library: what it needs at load, what it exports, how it is called.

usage: library.py LIBRARY MAP"""
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


def main(library, map_file):
    dynamic = output("readelf", "--wide", "--dynamic", library)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    tap(needed <= ALLOWED, "needs libc alone", sorted(needed - ALLOWED))
    tap(re.findall(r"\(SONAME\).*\[(.*)\]", dynamic) == ["libvsdk.so.0"], "soname")
    tap("TEXTREL" not in dynamic, "no text relocations")

    symbols = output("nm", "--dynamic", "--defined-only", library).split("\n")
    exported = {line.split()[-1].split("@")[0] for line in symbols if line}
    with open(map_file, encoding="utf-8") as f:
        script = f.read()
    versions = set(re.findall(r"^(VSDK_[\d.]+) ", script, re.M))
    promised = set(re.findall(r"^\s+(vsdk_\w+);", script, re.M))
    tap(exported - versions == promised, "exports what the version script names",
        sorted((exported - versions) ^ promised))
    stack = output("readelf", "--wide", "--program-headers", library)
    tap(re.search(r"GNU_STACK.*\bRW\b ", stack) is not None, "no executable stack")
    print(f"1..{count}")
    return 1 if failed else 0


sys.exit(main(*sys.argv[1:]))
