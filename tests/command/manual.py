# SPDX-License-Identifier: Apache-2.0
"""The options that each command tells of are those of its manual, and those that it takes.

usage: manual.py VSDK MANUAL
"""
import re
import subprocess
import sys

VSDK, MANUAL = sys.argv[1], sys.argv[2]
COMMANDS = {"info": r"\.B vsdk info\n.*?(?=\n\.PP)", "disk": r"\.B vsdk disk\n(?:looks).*?(?=\n\.PP)", "run": r"\.SH OPTIONS OF RUN.*?(?=\n\.SH)",
            "reap": r"\.B vsdk reap\n(?:destroys).*?(?=\n\.SH)"}


def options(text):
    return set(re.findall(r"--[a-z][a-z0-9-]+", text))


def run(*words):
    return subprocess.run([VSDK, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60)


number, failed = 0, 0
with open(MANUAL, encoding="utf-8") as file:
    manual = file.read()
page = manual[manual.index(".SH DESCRIPTION"):]
for name, where in COMMANDS.items():
    shown = options(run(name, "--help").stdout) - {"--help"}
    section = re.search(where, page, re.S).group(0).replace("\\-", "-")
    described = options(section)
    taken = {o for o in shown if "unrecognized option" not in run(name, o).stderr}
    for good, text in [(shown == described, f"{name}: help and manual differ by {shown ^ described or 'nothing'}"),
                       (shown == taken, f"{name}: not taken: {shown - taken or 'none'}")]:
        number += 1
        failed += not good
        print("ok" if good else "not ok", number, "-", text)
print(f"1..{number}")
sys.exit(failed != 0)
