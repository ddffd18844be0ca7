# SPDX-License-Identifier: Apache-2.0
"""tools/mutate: which mutants it makes, and that it tells apart what a test notices. Prints TAP.

usage: mutate_test.py SOURCE-ROOT
"""
import contextlib
import io
import os
import re
import sys
import tempfile

ROOT = os.path.abspath(sys.argv[1])
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tools", "mutate.d"))
import found  # noqa: E402
import main  # noqa: E402
import mutants  # noqa: E402

number, failed = 0, 0


def result(good, name, detail=""):
    global number, failed
    number += 1
    failed += not good
    print("ok" if good else "not ok", number, "-", name)
    for line in str(detail).splitlines() if not good else []:
        print("#", line)


# What is made of each line in a function's body: the changed lines.
MADE = [
    ("if (a < b)", ["if (!(a < b))", "if (a <= b)"]),
    ("while (!a) {", ["while (!(!a)) {"]),
    ("} else if (a) {", ["} else if (!(a)) {"]),
    ("while (a >= 7)", ["while (!(a >= 7))", "while (a > 7)", "while (a >= 8)"]),
    ("for (int i = 0; i < n; i++)", ["for (int i = 1; i < n; i++)", "for (int i = 0; i <= n; i++)"]),
    ("call(a, \"if (a < 0) 1\"); /* a < 1 */", [";"]),
    ("p->x = y;", [";"]),
    ("p->count++;", [";"]),
    ("int x = y + 3;", ["int x = y - 3;", "int x = y + 4;"]),
    ("char text[16];", []),
    ("return;", [";"]),
    ("return x && y;", ["return x || y;", "return 0;"]),
    ("return f(\"a, b\");", ["return (void)(f(\"a, b\")), 0;"]),
    ("return 0;", ["return 1;"]),
    ("break;", [";"]),
    ("    return f(a);", [";", "return (void)(f(a)), 0;"]),
    ("    return VSDK_ERROR_STATE;", [";", "return 0;", "return VSDK_ERROR_INVALID_ARGUMENT;"]),
    ("x = -1;", ["x = -0;", ";"]),
    ("mask |= 0x10;", ["mask |= 0x11;", ";"]),
    ("_Static_assert(sizeof a == 4, \"a\");", []),
    ("out:", []),
    ("case 3:", []),
    ("static const int table[] = {\n        1, 2, 3,\n    };", []),
    ("call(a,\n         b);", [";"]),
]

for line, wanted in MADE:
    source = f"int f(int a)\n{{\n    {line}\n}}\n"
    made = mutants.of_file("x.c", source)
    result(sorted(m.after for m in made) == sorted(wanted), f"of `{' '.join(line.split())}`: {wanted}",
           [m.after for m in made])
    if any(m.apply(source).count("\n") != source.count("\n") for m in made):
        result(False, "a mutant keeps the lines")
result(not mutants.of_file("x.c", "/* Generated from x */\nint f(void)\n{\n    return 1;\n}\n"), "none of what is generated")

LIBRARY = """#include <stdlib.h>
struct pair { int x, y; };
struct pair pair_of(int x);
int add(int a, int b);
int untested(int a);
unsigned same(unsigned a);
int wait_for(volatile int *word);

int add(int a, int b)
{
    return a + b;
}

int untested(int a)
{
    return a + 5;
}

unsigned same(unsigned a)
{
    if (a < 1)
        return a;
    return a;
}

struct pair pair_of(int x)
{
    struct pair made = {x, x};
    return made;
}

int wait_for(volatile int *word)
{
    while (*word) {
    }
    return 2;
}
"""
TEST = """#include <stdio.h>
int add(int a, int b); int wait_for(volatile int *word);
int main(void)
{
    int word = 0;
    printf("%s 1 - add\\n%s 2 - wait\\n1..2\\n", add(2, 3) == 5 ? "ok" : "not ok", wait_for(&word) == 2 ? "ok" : "not ok");
    return 0;
}
"""
MESON = """project('tiny', 'c', meson_version: '>= 1.0.0')
lib = static_library('tiny', 'lib/core/x.c')
test('tiny', executable('tiny_test', 'tests/t.c', link_with: lib), protocol: 'tap', suite: 'unit', timeout: 20)
"""
OPTIONS = "option('xen', type: 'feature')\noption('command', type: 'feature')\noption('checked', type: 'boolean')\n"


def put(root, name, text):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def mutate(root, work, *words):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = main.main(["--root", root, "--work", work, *words])
    return status, said.getvalue()


with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as work:
    for name, text in [("lib/core/x.c", LIBRARY), ("tests/t.c", TEST), ("meson.build", MESON),
                       ("meson_options.txt", OPTIONS), ("tools/mutate.d/argued", "# nothing yet\n")]:
        put(root, name, text)
    main.CHANCE = main.PATIENCE = 2
    status, said = mutate(root, work)
    result(status == 1, "some survived", said)
    result(re.search(r"x.c:11 operator: killed tiny: add", said), "a wrong sum is noticed", said)
    result(re.search(r"x.c:\d+ negated: killed .*out of time", said), "a mutant that does not end is noticed", said)
    result(re.search(r"survived lib/core/x.c:16 operator\n    return a \+ 5;\n    return a - 5;", said),
           "an untested line survives, and is shown", said)
    result(re.search(r"x.c:21 negated: equal", said), "a change that the compiler does not see", said)
    result(re.search(r"return: invalid", said), "a change that does not build", said)
    result("16 operator: survived no test comes here" in said, "and it is said that no test comes there", said)
    first = said[said.rindex(" mutants: "):]
    status, said = mutate(root, work)
    result(", 0 to try" in said and said[said.rindex(" mutants: "):] == first, "a second run goes on from there", said)
    status, said = mutate(root, work, "--again")
    result("0 to try" not in said and "killed tiny" not in said, "--again tries the survivors only", said)
    left = re.findall(r"^survived (\S+?):\d+ \w+\n    (.*)\n    (.*)", said, re.M)
    put(root, "tools/mutate.d/argued", "".join(f"{f} | {a} | {b} | nobody calls it\n" for f, a, b in left))
    status, said = mutate(root, work)
    result(status == 0 and f"0 survived, {len(left)} argued" in said, "an argument is an answer", said)
    put(root, "tools/mutate.d/argued", "lib/core/x.c | return a + b; | return a - b; | no\nlib/core/x.c | gone | gone; | no\n")
    status, said = mutate(root, work)
    result("argued, but tiny: add notices" in said and "argued, but there is no such mutant" in said,
           "an argument that is wrong, or for nothing", said)
    put(root, "lib/core/x.c", LIBRARY.replace("a + 5", "a + 6"))
    status, said = mutate(root, work)
    result("0 to try" not in said, "of a file that changed they are tried again", said)
    one, two = mutate(root, work, "--sample", "4", "--seed", "3", "--list"), mutate(root, work, "--sample", "4", "--seed", "3", "--list")
    result(one == two and "4 mutants" in one[1], "a sample is the same for the same seed", one)
    result("0 mutants" in mutate(root, work, "--file", "lib/base", "--list")[1], "--file takes a folder")
with open(os.path.join(ROOT, "docs", "found.md"), encoding="utf-8") as file:
    result(file.read() == found.page(), "docs/found.md is what tools/mutate --page prints")
stale = []
for entry in found.entries():
    if "file" in entry:
        with open(os.path.join(ROOT, entry["file"]), encoding="utf-8") as file:
            if found.undo(file.read(), entry) is None:
                stale.append(f"{entry['file']}: {entry['item']}")
result(not stale, "each mend of tools/mutate.d/found.toml is written as it says", "\n".join(stale))
print(f"1..{number}")
sys.exit(failed != 0)
