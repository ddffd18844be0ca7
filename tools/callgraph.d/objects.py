# SPDX-License-Identifier: Apache-2.0
"""What the built objects say of calls: who defines what, who calls it, whose address is taken.

Read with objdump and readelf, so that it is the compiler's view: macros are expanded, what was
inlined belongs to whom it was inlined into, a header's function to each file that uses it.
"""
import bisect
import json
import os
import re
import shlex
import subprocess

PARTS = re.compile(r"\.(cold|part|isra|constprop|lto_priv)(\.\d+)*")
HEAD = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
LINE = re.compile(r"^\s*([0-9a-f]+):\t(?:\w+ )*?(\w+)\s*([^\t]*)(?:\t[0-9a-f]+: (R_X86_64_\w+)\t(\S+))?")
SYMBOL = re.compile(r"^\s*\d+:\s+([0-9a-f]+)\s+\S+\s+(\w+)\s+(\w+)\s+\w+\s+(\w+)\s+(\S+)$")
SECTION = re.compile(r"^\s*\[\s*(\d+)\]\s+(\S+)")
RELOCATIONS = re.compile(r"^Relocation section '\.rela(\S+)'")
RELOCATION = re.compile(r"^[0-9a-f]+\s+[0-9a-f]+\s+(R_X86_64_\w+)\s+[0-9a-f]+\s+(\S+)(?: ([+-]) ([0-9a-f]+))?")
KEPT = {"bx", "bp", "12", "13", "14", "15"}  # registers that survive a call
ARGUMENTS = {"di", "si", "dx", "cx", "8", "9"}
DATA = (".data", ".rodata", ".init_array", ".fini_array", ".tdata")


def whole(name):
    """The function that a part of it (name.cold, name.isra.0) belongs to."""
    return PARTS.sub("", name)


def output_of(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Function:
    """One function of one object. Names of functions that only its file knows are FILE:NAME."""

    def __init__(self, name, source):
        self.name, self.source = name, source
        self.calls = []       # names, in the order of the code
        self.taken = []       # (name, what it is given to or None): functions whose address it takes
        self.data = []        # names of data that it touches
        self.indirect = 0     # calls through pointers


class Object:
    """One object file and the source that it is made from."""

    def __init__(self, source, path):
        self.source, self.path = source, path
        self.functions = {}
        self.globals = set()
        self.data_taken = []  # functions whose address lies in data
        self.locals = set()
        self._symbols()
        self._code()
        self._relocations()

    def _symbols(self):
        sections, self._by_section, kinds = {}, {}, {}
        for line in output_of(["readelf", "-SsW", self.path]).splitlines():
            match = SECTION.match(line)
            if match:
                sections[match[1]] = match[2]
                continue
            match = SYMBOL.match(line)
            if not match or match[4] == "ABS":
                continue
            value, kind, bind, where, name = match.groups()
            if kind in ("SECTION", "FILE") or where == "UND":
                continue
            kinds[name] = kind
            if bind == "LOCAL":
                self.locals.add(whole(name))
            else:
                self.globals.add(name)
            if where in sections:
                self._by_section.setdefault(sections[where], []).append((int(value, 16), name))
        for entries in self._by_section.values():
            entries.sort()
        self.locals -= self.globals  # the cold part of a function that others know too
        self.kinds = {whole(name): kind for name, kind in kinds.items()}

    def known(self, name):
        name = whole(name)
        return f"{self.source}:{name}" if name in self.locals else name

    def _at(self, section, offset):
        entries = self._by_section.get(section)
        if not entries:
            return None
        place = bisect.bisect_right(entries, (offset, "\x7f")) - 1
        return entries[place][1] if place >= 0 else None

    def _target(self, kind, text):
        """The symbol of a relocation; of a section symbol with a distance, what lies there."""
        match = re.match(r"^(.*?)([+-]0x[0-9a-f]+)?$", text)
        name, addend = match[1], int(match[2] or "0", 16)
        if name in self._by_section:
            return self._at(name, addend + (4 if kind in ("R_X86_64_PC32", "R_X86_64_PLT32") else 0))
        return name

    def _is_function(self, name):
        return self.kinds.get(whole(name)) in ("FUNC", "IFUNC")

    def _code(self):
        function, waiting = None, []
        for line in output_of(["objdump", "-drw", "--no-show-raw-insn", self.path]).splitlines():
            head = HEAD.match(line)
            if head:
                name = self.known(head[1])
                function = self.functions.setdefault(name, Function(name, self.source))
                waiting = []
                continue
            match = LINE.match(line)
            if match and function:
                self._instruction(function, waiting, *match.groups()[1:])

    def _instruction(self, function, waiting, verb, operands, kind, reference):
        target = self._target(kind, reference) if kind else None
        if not target and (shown := re.search(r"<([^>+]+)(?:\+0x[0-9a-f]+)?>", operands)):
            target = shown[1]
        if verb.startswith("call") or (verb.startswith("j") and (target or "*" in operands)):
            self._branch(function, waiting, verb, operands, target)
            return
        operands = operands.split("#")[0].strip()
        if target:
            name = self.known(target)
            if name == function.name:
                return
            if target.startswith("."):
                return
            if self._is_function(target) or (target not in self.kinds and verb in ("lea", "mov")):
                register = re.search(r"%[re]?(\w+)$", operands)
                register = register[1].rstrip("d") if register else ""
                waiting.append((register, name))
                function.taken.append([name, None])
            elif not target.startswith("."):
                function.data.append(name)
            return
        self._moves(waiting, verb, operands)

    @staticmethod
    def _moves(waiting, verb, operands):
        """An address that is put into memory is not an argument of the next call; it may go through
        registers first."""
        match = re.match(r"%[re]?(\w+),(.*)$", operands)
        copied = []
        if match:
            register, to = match[1].rstrip("d"), match[2]
            if "(" in to or "xmm" in to:
                waiting[:] = [entry for entry in waiting if entry[0] != register]
                return
            copied = [name for held, name in waiting if held == register]
        if changed := re.search(r"%[re]?(\w+)$", operands):
            register = changed[1].rstrip("d")
            if verb.startswith(("cmp", "test", "push")):
                return
            waiting[:] = [entry for entry in waiting if entry[0] != register]
            waiting += [(register, name) for name in copied]

    def _branch(self, function, waiting, verb, operands, target):
        if not target or ("*" in operands and not target):
            function.indirect += 1
            self._end_of_call(waiting)
            return
        name = self.known(target)
        if name != function.name and not target.startswith("."):
            function.calls.append(name)
        if verb.startswith("call") or name != function.name:
            for register, taken in waiting:
                if register in ARGUMENTS:
                    for entry in function.taken:
                        if entry[0] == taken and entry[1] is None:
                            entry[1] = name
            self._end_of_call(waiting)

    @staticmethod
    def _end_of_call(waiting):
        waiting[:] = [entry for entry in waiting if entry[0] in KEPT]

    def _relocations(self):
        section = None
        for line in output_of(["readelf", "-rW", self.path]).splitlines():
            head = RELOCATIONS.match(line)
            if head:
                section = head[1]
                continue
            match = RELOCATION.match(line)
            if match and section and section.startswith(DATA) and match[1] == "R_X86_64_64":
                addend = int(match[4] or "0", 16)
                name = match[2]
                if name in self._by_section:  # exactly there: else it is the table of a switch
                    name = next((n for at, n in self._by_section[name] if at == addend), None)
                if name and not name.startswith("."):
                    self.data_taken.append(self.known(name))


def commands(build):
    """Source below the root -> its compile command, the first of each; generated files left out."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(build)))
    found = {}
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        for entry in json.load(file):
            source = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
            name = os.path.relpath(source, root)
            if name.endswith(".c") and name not in found and not name.startswith(".."):
                found[name] = entry
    return found


def built(build, under=("lib/",)):
    """The objects of a build folder whose sources lie under the rooms named."""
    found = []
    for name, entry in sorted(commands(build).items()):
        path = os.path.join(entry["directory"], entry["output"])
        if name.startswith(tuple(under)) and os.path.exists(path):
            found.append(Object(name, path))
    return found


def as_written(build, folder, under=("lib/",)):
    """The same compiled without optimisation or inlining: each function of the source is there."""
    os.makedirs(folder, exist_ok=True)
    found = []
    for name, entry in sorted(commands(build).items()):
        if not name.startswith(tuple(under)):
            continue
        words = [word for word in shlex.split(entry["command"]) if not word.startswith(("-O", "-M"))]
        source = os.path.join(entry["directory"], entry["file"])
        output = os.path.join(folder, name.replace("/", "_") + ".o")
        for option in ("-MQ", "-MF", "-o"):
            while option in words:
                del words[words.index(option):words.index(option) + 2]
        words = [w for w in words if not w.endswith((".o", ".d")) and w != "-Werror"]
        subprocess.run([*words, "-O0", "-fno-inline", "-o", output], cwd=entry["directory"], check=True,
                       capture_output=True)
        found.append(Object(name, output))
    return found


def owners(objects):
    """Name -> source that defines it."""
    return {name: obj.source for obj in objects for name in
            [*obj.globals, *(f"{obj.source}:{local}" for local in obj.locals)]}


def cycles(graph):
    """Strongly connected components of {node: nodes}, largest first."""
    index, low, stack, found, counter = {}, {}, [], [], [0]

    def visit(node):  # the rooms are small: no deeper than their files
        index[node] = low[node] = counter[0]
        counter[0] += 1
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            place = stack.index(node)
            found.append(sorted(stack[place:]))
            del stack[place:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return sorted(found, key=lambda component: (-len(component), component))
