# SPDX-License-Identifier: Apache-2.0
"""One dialect: the habits that a compiler does not check. Prints TAP; begins by proving that each rule
sees what breaks it.

usage: dialect.py SOURCE-ROOT [--lower | --files]

What breaks a rule today is counted by room in dialect.baseline; a count may only fall. --lower writes
the counts that fell into it. --files prints the share of comments of each file.
"""
import collections
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import shape  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
LICENCE = "SPDX-License-Identifier: Apache-2.0"
SOURCE = (".c", ".h", ".S", ".cc", ".py", ".sh")
NOT_OURS = ("tests/fuzz/corpus/", "tests/abi/golden/", "lib/machine/dsdt.h")
GENERATED = re.compile(r"Generated (from|by)")
CALLS_ERROR = re.compile(r"\berror_(?:set|null|set_errno)\s*\(")
SHORT = {"error_set": 2, "error_null": 1, "error_set_errno": 3}  # which argument the operation is
COMMENTS = (6, 10)
SUBJECT = re.compile(r"^[a-z][\w/.+-]*(, [a-z][\w/.+-]*)*: \S")
MACHINES = ("x86_64", "aarch64")


class File:
    """One source file, read once."""

    def __init__(self, name, text):
        self.name, self.text = name, text
        self.generated = bool(GENERATED.search("\n".join(text.split("\n")[:4])))
        self.is_c = name.endswith((".c", ".h"))
        self.in_lib = name.startswith("lib/")
        self.code = shape.bare(text) if self.is_c else text
        self.functions = shape.functions(self.code) if self.is_c else []

    def room(self):
        parts = self.name.split("/")
        deep = 3 if parts[:2] == ["lib", "backends"] else 2 if parts[0] in ("lib", "tests", "tools") else 1
        return "/".join(parts[:min(deep, len(parts) - 1)]) or "."

    def find(self, pattern):
        """(line, match) of each place in the code."""
        for match in re.finditer(pattern, shape.without_strings(self.code)):
            yield shape.without_strings(self.code)[:match.start()].count("\n") + 1, match

    def enclosing(self, line):
        return next((f for f in self.functions if f.first <= line <= f.last), None)


def licence(tree, file):
    if file.name.endswith(SOURCE) or file.text.startswith("#!"):
        if LICENCE not in "\n".join(file.text.split("\n")[:2]):
            yield 1, "no SPDX line"


def opening(tree, file):
    if file.name.endswith(".c") and not file.generated:
        text = re.sub(r"^\s*/\* SPDX[^\n]*\n", "", file.text).lstrip()
        if not text.startswith("/*"):
            yield 1, "does not open with what it is for"


def status_test(tree, file):
    if file.is_c and file.name.startswith(("lib/", "tools/vsdk/")):
        for line, match in file.find(r"[!=]=\s*VSDK_OK\b|\bstatus\s*[!=]=\s*0\b"):
            yield line, f"a status is tested by itself, not by `{' '.join(match[0].split())}`"


def argument(code, start, index):
    """The text of one argument of a call whose parenthesis was opened before `start`."""
    depth, found, begin, quoted, i = 0, 0, start, False, start
    while i < len(code):
        sign = code[i]
        if quoted:
            i += sign == "\\"
            quoted = sign != '"'
        elif sign == '"':
            quoted = True
        elif sign in "([{":
            depth += 1
        elif sign in ")]}" and depth:
            depth -= 1
        elif sign in ",)" and not depth:
            if found == index:
                return " ".join(code[begin:i].split())
            if sign == ")":
                return ""
            found, begin = found + 1, i + 1
        i += 1
    return ""


def operation(tree, file):
    """error_set(error, CODE, operation, ...): `operation` is the public function's name and called
    so; in a backend it may be the call of the system that failed, and is then `request`."""
    if not (file.in_lib and file.is_c) or file.name.startswith("lib/base/"):
        return
    for match in CALLS_ERROR.finditer(file.code):
        line = file.code[:match.start()].count("\n") + 1
        given = argument(file.code, match.end(), SHORT[match[0].rstrip("( \n\t")])
        inside = file.enclosing(line)
        native = file.name.startswith("lib/backends/")
        if given.startswith('"'):
            if native and re.fullmatch(r'"(?!vsdk_)\w+"', given):
                continue
            if given.strip('"') not in tree.public:
                yield line, f"{given} is no public function"
            elif inside and inside.name in tree.public and inside.name != given.strip('"'):
                yield line, f"{given} in {inside.name}"
        elif given == "__func__":
            if inside and inside.name not in tree.public:
                yield line, f"__func__ is {inside.name}, which is not public"
        elif given not in ("operation", "request" if native else "") \
                and not given.endswith(("->operation", ".operation")):
            yield line, f"the operation is called `{given}`"
    for match in re.finditer(r"const char (\w*op\w*)\[\] = (\"[^\"]*\")", file.code):
        if match[2].strip('"') not in tree.public:
            yield file.code[:match.start()].count("\n") + 1, f"{match[2]} is no public function"


def file_name(tree, file):
    if not (file.in_lib and file.is_c):
        return
    stem = os.path.basename(file.name).rsplit(".", 1)[0]
    if not re.fullmatch(r"[a-z][a-z0-9_]*", stem):
        yield 1, "a file's name is lower case words and _"
    parts = file.name.split("/")
    if parts[1] == "backends" and parts[2] != "mock" and file.name.endswith(".c"):  # a mock is a processor too
        backend = re.sub(r"_(x86_64|aarch64|\d+_\d+)$", "", stem)
        if not backend.endswith("_" + parts[2]):
            yield 1, f"noun_{parts[2]}.c or noun_{parts[2]}_ARCHITECTURE.c"


def object_name(tree, file):
    """A structure has one name, without _t; lower case words and _."""
    if not (file.in_lib and file.is_c):
        return
    for line, match in file.find(r"typedef (?:struct|enum|union) (\w+)?\s*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})?\s*(\w+)\s*;"):
        if match[1] and match[1] != match[2]:
            yield line, f"{match[1]} and {match[2]} are one thing"
        if match[2].endswith("_t") or not re.fullmatch(r"[a-z][a-z0-9_]*", match[2]):
            yield line, f"{match[2]} is no name of an object"
    for line, match in file.find(r"^(?:struct|enum|union) (\w+)\s*\{"):
        if not re.fullmatch(r"[a-z][a-z0-9_]*", match[1]):
            yield line, f"{match[1]} is no name of an object"


def whole_words(name):
    return {word.rstrip("s") for word in name.split("_") if word}


def extern_name(tree, file):
    """What other files call says where it is: it shares a word with its file, or its room's header."""
    if not (file.in_lib and file.name.endswith(".c")) or file.generated:
        return
    words = whole_words(os.path.basename(file.name)[:-2]) | {file.name.split("/")[-2].rstrip("s")}
    if os.path.basename(file.name).startswith("cpu_"):
        words.add("in")  # instructions
    for function in file.functions:
        if not function.static and not function.name.startswith("vsdk_") and not words & whole_words(function.name):
            yield function.first, f"{function.name} does not say that it is in {os.path.basename(file.name)}"


def static_name(tree, file):
    """Two static functions of one name in a room: a reader and a stack can't tell them apart."""
    if not (file.in_lib and file.name.endswith(".c")):
        return
    for function in file.functions:
        others = tree.statics[file.room(), function.name] - {file.name}
        if function.static and others:
            yield function.first, f"{function.name} is in {', '.join(sorted(others))} too"


def waits(tree, file):
    if file.in_lib and file.is_c:
        for line, match in file.find(r"\b(sched_yield|nanosleep|clock_nanosleep|usleep|sleep)\s*\("):
            yield line, f"{match[1]} polls: a futex waits"


def process(tree, file):
    """base/lock.c aborts in builds for tests only."""
    if file.in_lib and file.is_c and file.name != "lib/base/lock.c":
        for line, match in file.find(r"(?<![\w.>])(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror|exit|_exit"
                                     r"|_Exit|quick_exit|abort|fork|vfork|popen|system|signal|sigaction|chdir|umask|setenv)\s*\("):
            yield line, f"a library does not call {match[1]}"


def lock(tree, file):
    rooms = ("lib/core/", "lib/backends/", "lib/devices/", "lib/boot/", "lib/machine/")
    if file.is_c and file.name.startswith(rooms):
        for line, match in file.find(r"\b(pthread_mutex_\w+|pthread_rwlock_\w+|pthread_spin_\w+)"):
            yield line, f"{match[1]}: a lock has a rank (base/lock.h)"


def comments(tree, file):
    """As a whole 6 to 10 % of the lines; the few that say more are not counted here."""
    if file.in_lib and file.name.endswith(".c") and not file.generated:
        some, lines = shape.comment_lines(file.text)
        if 100 * some < COMMENTS[0] * lines:
            yield 1, f"{100 * some / lines:.1f} % comments: {some} of {lines} lines"


RULES = {
    "licence": (licence, "an SPDX line in each source file"),
    "opening": (opening, "each .c opens with a comment that says what it is for"),
    "status": (status_test, "a status is tested as `if (status)`"),
    "operation": (operation, "an error's operation is the public function's name"),
    "file-name": (file_name, "files are named alike"),
    "object-name": (object_name, "objects are named alike"),
    "extern-name": (extern_name, "a function's name says where it is"),
    "static-name": (static_name, "a room's static functions have names of their own"),
    "waits": (waits, "nothing in lib/ polls or sleeps"),
    "process": (process, "nothing in lib/ prints, exits, forks or changes the process"),
    "lock": (lock, "locks are taken through lib/base/lock.h"),
    "comments": (comments, f"no .c of lib/ has less than {COMMENTS[0]} % comments"),
}


class Tree:
    """All files, and what the rules must know of others than their own."""

    def __init__(self, texts, public):
        self.files = [File(name, text) for name, text in sorted(texts.items())]
        self.public = public
        self.statics = collections.defaultdict(set)
        for file in self.files:
            for function in file.functions:
                if function.static and file.name.endswith(".c"):
                    self.statics[file.room(), function.name].add(file.name)

    def broken(self, rule):
        """{room: lines}"""
        found = collections.defaultdict(list)
        for file in self.files:
            for line, text in RULES[rule][0](self, file):
                found[file.room()].append(f"{file.name}:{line}: {text}")
        return found


def git(root, *words):
    """The lines that git answers, None without git or a history."""
    try:
        done = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return None if done.returncode else done.stdout.splitlines()


def read_tree(root):
    """What git knows, or would; without git what lies there."""
    names = git(root, "ls-files", "-co", "--exclude-standard")
    if names is None:
        names = [os.path.relpath(os.path.join(folder, name), root) for top in
                 ("abi", "bindings", "examples", "include", "lib", "tests", "tools")
                 for folder, _, files in os.walk(os.path.join(root, top)) for name in files]
    texts = {}
    for name in names:
        path = os.path.join(root, name)
        if name.startswith(NOT_OURS) or not os.path.isfile(path) or os.path.islink(path):
            continue
        if not name.endswith(SOURCE) and "." in os.path.basename(name):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            texts[name] = file.read()
    with open(os.path.join(root, "abi", "libvsdk.map"), encoding="utf-8") as file:
        public = set(re.findall(r"\bvsdk_\w+", file.read()))
    return Tree(texts, public)


def read_baseline(path):
    """({(rule, room): count}, the commit after which subjects are judged)"""
    counts, base = {}, None
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split("#")[0].split()
            if words[:1] == ["subjects-since"]:
                base = words[1]
            elif words:
                counts[words[0], words[1]] = int(words[2])
    return counts, base


def changed(root):
    """The files that are not as they were when the baseline was last written; None without a history."""
    base = git(root, "log", "-1", "--format=%H", "--", "tests/tools/dialect.baseline")
    known = git(root, "diff", "--name-only", *base) if base else None
    return None if known is None else {*known, *(git(root, "ls-files", "-o", "--exclude-standard") or [])}


def above(found, rule, baseline, touched=None):
    """The lines of rooms that have more than the baseline says. Where it is known which files were
    touched since, only theirs: the others' are in the baseline."""
    text = []
    for room, lines in sorted(found.items()):
        most = baseline.get((rule, room), 0)
        if len(lines) <= most:
            continue
        fresh = [line for line in lines if touched and line.split(":")[0] in touched]
        text.append(f"{room}: {len(lines)}, the baseline is {most}"
                    + (f"; in files that changed since it was written, {len(fresh)}:" if fresh else ":"))
        text += fresh or lines
    return text


def wrong_subjects(subjects):
    return [subject for subject in subjects if len(subject) > 72 or not SUBJECT.match(subject)]


def lower(path, tree):
    """Writes the counts that fell; none rises."""
    counts, base = read_baseline(path)
    fresh = {(rule, room): len(lines) for rule in RULES for room, lines in tree.broken(rule).items()}
    with open(path, encoding="utf-8") as file:
        head = [line for line in file if line.startswith("#")]
    rows = sorted((key, min(count, fresh.get(key, 0))) for key, count in counts.items())
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(head) + f"subjects-since {base}\n")
        file.write("".join(f"{rule} {room} {count}\n" for (rule, room), count in rows if count))


# Planted: a clean file, and for each rule what breaks it.
CLEAN = f"""/* {LICENCE} */
/* What it is for. */
#include "core/vm.h"

typedef struct vm_part {{
    int x;
}} vm_part;

static vsdk_status vm_look(vsdk_vm *vm, const char *operation, vsdk_error *error)
{{
    /* Why. */
    vsdk_status status = vm_part_of(vm); /* exit(1), sched_yield() and pthread_mutex_lock are words here */

    if (status)
        return error_set(error, status, operation, "printf(\\"%s\\") exit(1) sched_yield() %d", x(1, 2));
    return snprintf(vm->text, 3, "x");
}}

vsdk_status vsdk_vm_pause(vsdk_vm *vm, vsdk_error *error)
{{
    if (!vm)
        return error_null(error, "vsdk_vm_pause", "vm");
    return vm_look(vm, __func__, error);
}}
"""
PUBLIC = {"vsdk_vm_pause", "vsdk_vm_resume"}
NAME = "lib/core/vm_pause.c"
PLANTED = [
    ("licence", {NAME: CLEAN.replace("Apache-2.0", "MIT")}),
    ("licence", {"tools/x.py": "print(1)\n"}),
    ("licence", {"tools/x": "#!/bin/sh\nexit 0\n"}),
    ("opening", {NAME: CLEAN.replace("/* What it is for. */\n", "")}),
    ("status", {NAME: CLEAN.replace("if (status)", "if (status != VSDK_OK)")}),
    ("status", {NAME: CLEAN.replace("if (status)", "if (status == 0)")}),
    ("operation", {NAME: CLEAN.replace('"vsdk_vm_pause"', '"pause it"')}),
    ("operation", {NAME: CLEAN.replace('"vsdk_vm_pause"', '"vsdk_vm_resume"')}),
    ("operation", {NAME: CLEAN.replace("status, operation,", "status, op,")}),
    ("operation", {NAME: CLEAN.replace("status, operation,", "status, __func__,")}),
    ("operation", {NAME: CLEAN + 'static const char operation[] = "look";\n'}),
    ("operation", {"lib/backends/kvm/vm_kvm.c": CLEAN.replace('"vsdk_vm_pause"', '"ask for it"')}),
    ("file-name", {"lib/core/vmPause.c": CLEAN}),
    ("file-name", {"lib/backends/kvm/vm_pause.c": CLEAN}),
    ("object-name", {NAME: CLEAN.replace("} vm_part;", "} vm_piece;")}),
    ("object-name", {NAME: CLEAN.replace("vm_part {", "vm_part_t {").replace("} vm_part;", "} vm_part_t;")}),
    ("object-name", {NAME: CLEAN.replace("vm_part {", "VmPart {").replace("} vm_part;", "} VmPart;")}),
    ("extern-name", {NAME: CLEAN.replace("static vsdk_status vm_look", "vsdk_status look")}),
    ("static-name", {NAME: CLEAN, "lib/core/vm_resume.c": CLEAN}),
    ("waits", {NAME: CLEAN.replace("    if (!vm)", "    sched_yield();\n    if (!vm)")}),
    ("waits", {NAME: CLEAN.replace("    if (!vm)", "    nanosleep(&t, NULL);\n    if (!vm)")}),
    ("process", {NAME: CLEAN.replace("    if (!vm)", '    printf("x");\n    if (!vm)')}),
    ("process", {NAME: CLEAN.replace("    if (!vm)", "    exit(1);\n    if (!vm)")}),
    ("process", {NAME: CLEAN.replace("    if (!vm)", "    fork();\n    if (!vm)")}),
    ("lock", {NAME: CLEAN.replace("    if (!vm)", "    pthread_mutex_lock(&vm->lock);\n    if (!vm)")}),
    ("lock", {NAME: CLEAN.replace("    int x;", "    pthread_mutex_t lock;")}),
    ("comments", {NAME: CLEAN.replace("/* What it is for. */\n", "").replace("    /* Why. */\n", "")}),
]
ALLOWED = [
    ("a clean file", {NAME: CLEAN}),
    ("the same static name in two rooms", {NAME: CLEAN, "lib/boot/vm_pause.c": CLEAN}),
    ("a script with a licence", {"tools/x": f"#!/bin/sh\n# {LICENCE}\n"}),
    ("a backend's file for one machine", {"lib/backends/kvm/vm_kvm_x86_64.c": CLEAN}),
    ("a backend's name of the system's call", {"lib/backends/kvm/vm_kvm.c": CLEAN.replace('"vsdk_vm_pause"', '"KVM_RUN"')}),
    ("locks in base", {"lib/base/lock_vm.c": CLEAN.replace("    int x;", "    pthread_mutex_t lock;")}),
    ("a member called exit", {NAME: CLEAN.replace("    if (!vm)", "    vm->exit(1);\n    if (!vm)")}),
]
GOOD_SUBJECTS = ["kvm: a kick needs no queued signal", "core, base: locks have ranks", "lib/core: floors"]
BAD_SUBJECTS = ["Kicks are lost", "kvm: " + "x" * 70, "kvm:no blank"]

number, failed = 0, 0


def result(good, name, lines=()):
    global number, failed
    number += 1
    failed += not good
    print("ok" if good else "not ok", number, "-", name)
    for line in list(lines)[:60] if not good else []:
        print("#", line)


def planted():
    for rule, texts in PLANTED:
        found = Tree(texts, PUBLIC).broken(rule)
        result(above(found, rule, {}), f"planted: {rule} is broken in {', '.join(texts)}")
    for name, texts in ALLOWED:
        tree = Tree(texts, PUBLIC)
        lines = [line for rule in RULES for line in above(tree.broken(rule), rule, {})]
        result(not lines, f"planted: {name} breaks nothing", lines)
    one, two = {"lib/core": ["a"]}, {"lib/core": ["a", "b"], "lib/boot": []}
    result(not above(one, "lock", {("lock", "lib/core"): 1}), "planted: a count as in the baseline")
    result(above(two, "lock", {("lock", "lib/core"): 1}), "planted: a count above it")
    result(above({"lib/boot": ["a"]}, "lock", {("lock", "lib/core"): 1}), "planted: a room without one")
    two = {"lib/core": ["lib/core/a.c:1: x", "lib/core/b.c:2: y"]}
    told = above(two, "lock", {("lock", "lib/core"): 1}, {"lib/core/b.c"})
    result(told[1:] == ["lib/core/b.c:2: y"], "planted: what is told is in the file that changed")
    told = above(two, "lock", {("lock", "lib/core"): 1}, {"lib/core/c.c"})
    result(told[1:] == two["lib/core"], "planted: where none of them changed all is told")
    result(not wrong_subjects(GOOD_SUBJECTS), "planted: subjects that are good")
    result(wrong_subjects(BAD_SUBJECTS) == BAD_SUBJECTS, "planted: subjects that are not")


def show(tree, each):
    """house-style's table by room, and the share of comments by file."""
    rooms = collections.defaultdict(dict)
    for file in tree.files:
        if file.in_lib and file.name.endswith(".c") and not file.generated:
            rooms[file.room()][file.name] = file.text
    rooms["lib"] = {name: text for texts in list(rooms.values()) for name, text in texts.items()}
    print("# room                function median / p90 / max   .c median / p90   comments   once")
    for room, texts in sorted(rooms.items()):
        print("# {:<20}{:<30}{:<18}{:<11}{}".format(room, *shape.row(texts)))
    for name, text in sorted(rooms["lib"].items()) if each else []:
        some, lines = shape.comment_lines(text)
        print(f"# {100 * some / lines:5.1f} % {name}")


def judge_subjects(root, base):
    subjects = git(root, "log", "--no-merges", "--format=%s", f"{base}..HEAD")
    if subjects is None:
        global number
        number += 1
        print(f"ok {number} - commit subjects # SKIP no history since {base} here")
        return
    wrong = wrong_subjects(subjects)
    result(not wrong, f"commit subjects since {base}: at most 72 columns, the room in front", wrong)


def main():
    root, *options = sys.argv[1:]
    path = os.path.join(HERE, "dialect.baseline")
    tree = read_tree(root)
    if "--lower" in options:
        lower(path, tree)
        return 0
    planted()
    baseline, base = read_baseline(path)
    show(tree, "--files" in options)
    fell, touched = 0, changed(root)
    for rule, (_, text) in RULES.items():
        found = tree.broken(rule)
        total, most = sum(map(len, found.values())), sum(n for (r, _), n in baseline.items() if r == rule)
        fell += total < most
        result(not above(found, rule, baseline), f"{text}: {total} do not, baseline {most}",
               above(found, rule, baseline, touched))
    if fell:
        print("# some counts fell: tests/tools/dialect.py . --lower writes them into the baseline")
    judge_subjects(root, base)
    print(f"1..{number}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
