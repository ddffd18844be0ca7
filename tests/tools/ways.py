# SPDX-License-Identifier: Apache-2.0
"""The ways of an exit and of an interrupt are no longer than tools/callgraph.d/ways says. Prints TAP;
begins by proving that tools/callgraph notices what it must.

usage: ways.py SOURCE-ROOT BUILD-ROOT
"""
import contextlib
import io
import os
import subprocess
import sys
import tempfile

ROOT, BUILD = sys.argv[1:3]
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tools", "callgraph.d"))
import main  # noqa: E402
import objects  # noqa: E402

number, failed = 0, 0
CHAIN = {
    "backend.c": "int hv_run(void); int hv_run(void) { return 1; }",
    "run.c": """int hv_run(void); int dispatch(void); int run(void); struct ops { int (*run)(void); }; extern struct ops *ops;
        static int over(void) { return dispatch() + 1; } int run(void) { return ops->run() + over(); } struct ops *ops;""",
    "dispatch.c": """struct device { int (*write)(void); }; extern struct device *device; struct device *device;
        int helper(void); int dispatch(void); int dispatch(void) { return device->write() + helper(); }""",
    "helper.c": "int helper(void); int helper(void) { return 2; }",
    "device.c": "int device_write(void); int device_write(void) { return 3; }",
}
POINTERS = "pointer run : hv_run\npointer dispatch : device_write\n"


def result(good, name, detail=""):
    global number, failed
    number += 1
    failed += not good
    print("ok" if good else "not ok", number, "-", name)
    for line in detail.splitlines() if not good else []:
        print("#", line)


def chain(changes, text, inline):
    """What tools/callgraph says of the small tree: (complaints, output)."""
    flags = ["-O2"] if inline else ["-O0", "-fno-inline"]
    with tempfile.TemporaryDirectory() as folder:
        every = []
        for name, code in {**CHAIN, **changes}.items():
            source = os.path.join(folder, name)
            with open(source, "w", encoding="utf-8") as file:
                file.write(code)
            subprocess.run([*os.environ.get("CC", "cc").split(), *flags, "-fPIC", "-c", source, "-o", source + ".o"],
                           check=True)
            every.append(objects.Object(f"lib/x/{name}", source + ".o"))
        with contextlib.redirect_stdout(io.StringIO()) as output:
            wrong = main.run(main.arguments([]), main.Table(POINTERS + text), [("here", every)])
    return wrong, output.getvalue()


def planted(name, changes, text, inline, wanted, said=""):
    wrong, output = chain(changes, text, inline)
    good = (not wrong if wanted is None else any(wanted in line for line in wrong)) and said in output
    result(good, f"planted: {name}", f"{wrong}\n{output}")


planted("a way within its limit", {}, "way exit 3 @hv_run device_write\n", False, None, "3 functions between")
planted("the same with a function inlined", {}, "way exit 2 @hv_run device_write\n", True, None, "2 functions between")
planted("a way above its limit", {}, "way exit 2 @hv_run device_write\n", False, "3 functions, limit 2")
planted("a function more on the way",
        {"dispatch.c": CHAIN["dispatch.c"].replace("int dispatch(void) {", "static int more(void) {")
         + " int dispatch(void) { return more() + 1; }"},
        "pointer more : device_write\nway exit 3 @hv_run device_write\n", False, "4 functions, limit 3")
planted("a way that is cut", {"run.c": CHAIN["run.c"].replace("dispatch() + 1", "1")},
        "way exit 9 @hv_run device_write\n", False, "no way")
planted("a pointer that nobody calls any more", {}, "pointer helper : device_write\n", False,
        "none of them calls through a pointer")
planted("a target that is gone", {}, "pointer run : hv_walk\n", False, "no function hv_walk")
planted("a way through what is seldom", {}, "seldom over\nway exit 9 @hv_run device_write\n", False, "no way")
planted("something seldom that is gone", {}, "seldom often\n", False, "seldom often: no such function")
planted("a point between", {"dispatch.c": CHAIN["dispatch.c"], "device.c": CHAIN["device.c"]
                            + "int side(void); int side(void) { return device_write(); }"},
        "way exit 9 @hv_run side device_write\n", False, "no way")

with open(os.path.join(ROOT, "tools", "callgraph.d", "ways"), encoding="utf-8") as ways, \
        contextlib.redirect_stdout(io.StringIO()) as shown, tempfile.TemporaryDirectory() as work:
    complaints = main.run(main.arguments([]), main.Table(ways.read()),
                          [("as built", objects.built(BUILD)), ("as written", objects.as_written(BUILD, work))])
for line in shown.getvalue().splitlines():
    print("#", line)
result(not complaints, "the ways are there, and no longer than their limits", "\n".join(complaints))
print(f"1..{number}")
sys.exit(failed != 0)
