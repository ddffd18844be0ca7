#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The floors of lib/core, and cycles of calls between the files of each room. Prints TAP; begins by
proving that it notices what it must.

usage: floors.py SOURCE-ROOT BUILD-ROOT

lib/core/floors says which file stands where. The edges come from the built objects: a file calls
another when its object refers to a function or datum of the other's, or when it calls a function
pointer that the other has given it. Of the latter the receiver of the pointer is the caller unless
lib/core/floors names another: a pointer that goes into a structure has no receiver that could be
seen, and must be named.
"""

import collections
import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools" / "callgraph.d")]

import objects
from tap import Tap

OUTSIDE = "outside"


class Floors:
    """What the list says. A line is one of

    limit cycle N         files of the largest cycle of calls
    limit up N            pairs of files of which one calls the other upwards
    callback NAME... FILE...   these functions are called through pointers by these files; `outside`
                          instead of a file: by nobody in the room
    during NAME...        what these functions are given they call before they return and keep
                          nowhere, as qsort does: it stays its giver's own code
    floor NAME FILE...    from the ground up
    """

    def __init__(self, text):
        self.floors, self.callbacks, self.during = [], {}, set()
        self.limits, self.faults = {}, []
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split("#")[0].split()
            if words and not self._line(words[0], words[1:]):
                self.faults.append(f"line {number}: {line}")
        self.level = {}
        for level, (_, files) in enumerate(self.floors):
            for name in files:
                if name in self.level:
                    self.faults.append(f"{name} stands on two floors")
                self.level[name] = level

    def _line(self, verb, words):
        files = [word for word in words if word.endswith(".c") or word == OUTSIDE]
        names = [word for word in words if word not in files]
        if verb == "limit" and len(words) == 2 and words[1].isdigit():
            self.limits[words[0]] = int(words[1])
        elif verb == "callback" and files and names:
            for name in names:
                self.callbacks[name] = [file for file in files if file != OUTSIDE]
        elif verb == "during" and names and not files:
            self.during.update(names)
        elif verb == "floor" and len(names) == 1:
            self.floors.append((names[0], files))
        else:
            return False
        return True


class Edges:
    """Who calls whom between the files of all rooms, and through which name."""

    def __init__(self, every, floors):
        self.floors = floors
        self.why = collections.defaultdict(set)  # (from, to) -> names
        self.unnamed = []
        self.defines = objects.owners(every)
        self.functions = {name for obj in every for name in obj.functions}
        for obj in every:
            for function in obj.functions.values():
                self._of_function(function)
            for name in obj.data_taken:
                self._add(obj.source, name)
                self._taken(obj.source, name, None)

    def _add(self, source, name):
        target = self.defines.get(name)
        if target and target != source:
            self.why[source, target].add(name.split(":")[-1])

    def _of_function(self, function):
        for name in [*function.calls, *function.data, *(name for name, _ in function.taken)]:
            self._add(function.source, name)
        for name, receiver in function.taken:
            self._taken(function.source, name, receiver)

    def _taken(self, source, name, receiver):
        """The address of a function is given away: who calls it calls its file."""
        target, plain = self.defines.get(name, ""), name.split(":")[-1]
        room = os.path.dirname(target)
        if name not in self.functions or os.path.dirname(source) != room or receiver in self.floors.during:
            return
        if plain in self.floors.callbacks:
            callers = [f"{room}/{file}" for file in self.floors.callbacks[plain]]
        elif receiver:
            callers = [self.defines[receiver]] if receiver in self.defines else []
        else:
            self.unnamed.append((source, plain))
            return
        for caller in callers:
            if caller != target and os.path.dirname(caller) == room:
                self.why[caller, target].add(plain)

    def within(self, room):
        """{file: files that it calls} with the names of one room's files."""
        graph = collections.defaultdict(set)
        for source, target in self.why:
            if os.path.dirname(source) == os.path.dirname(target) == room:
                graph[os.path.basename(source)].add(os.path.basename(target))
        return graph

    def leaving(self, room):
        return sorted((source, target) for source, target in self.why
                      if os.path.dirname(source) == room != os.path.dirname(target))


def ups(graph, level):
    return [(source, target) for source in sorted(graph) for target in sorted(graph[source])
            if source in level and target in level and level[target] > level[source]]


def complaints(floors, every, room="lib/core"):
    """{rule: what breaks it}; every rule is there."""
    edges = Edges(every, floors)
    graph = edges.within(room)
    files = {os.path.basename(obj.source) for obj in every if os.path.dirname(obj.source) == room}
    found = {"list": list(floors.faults)}
    found["list"] += [f"{name} stands on no floor" for name in sorted(files - set(floors.level))]
    found["list"] += [f"{name} is not there" for name in sorted(set(floors.level) - files)]
    largest = (objects.cycles({name: graph.get(name, set()) for name in files}) or [[]])[0]
    limit = floors.limits.get("cycle", 2)
    found["cycle"] = [f"{len(largest)} files call each other: {' '.join(largest)}"] * (len(largest) > limit)
    going_up = ups(graph, floors.level)
    found["up"] = []
    if len(going_up) > floors.limits.get("up", 0):
        found["up"] = [f"{source} calls up to {target}: "
                       + ", ".join(sorted(edges.why[f'{room}/{source}', f'{room}/{target}']))
                       for source, target in going_up]
    found["callback"] = [f"{source}: who calls {name}? lib/core/floors must say"
                         for source, name in sorted(set(edges.unnamed)) if os.path.dirname(source) == room]
    found["stale"] = [f"no function {name}" for name in sorted({*floors.callbacks, *floors.during})
                      if not any(known.split(":")[-1] == name for known in edges.functions)]
    found["room"] = [f"{source} refers to {target}" for source, target in edges.leaving(room)
                     if not target.startswith(("lib/base/", "lib/backends/"))]
    return found


RULES = {
    "list": "each file of lib/core stands on one floor",
    "cycle": "no cycle is larger than the limit",
    "up": "no more calls go up than the limit",
    "callback": "of each function whose address is given away it is known who calls it",
    "stale": "each callback named is there",
    "room": "lib/core refers to nothing above it",
}


def show(floors, every):
    """The truth, whatever the limits are."""
    edges = Edges(every, floors)
    for name, files in reversed(floors.floors):
        print(f"# {name:<12} {' '.join(files)}")
    graph = edges.within("lib/core")
    going_up = ups(graph, floors.level)
    print(f"# {len(going_up)} calls go up (limit {floors.limits.get('up', 0)})")
    for source, target in going_up:
        names = sorted(edges.why[f"lib/core/{source}", f"lib/core/{target}"])
        print(f"#   {source} -> {target}: {', '.join(names)}")
    for room in sorted({os.path.dirname(obj.source) for obj in every}):
        files = {os.path.basename(obj.source) for obj in every if os.path.dirname(obj.source) == room}
        own = edges.within(room)
        largest = objects.cycles({name: own.get(name, set()) for name in files})[0]
        which = f": {' '.join(largest)}" if len(largest) > 1 else ""
        print(f"# {room}: {len(files)} files, largest cycle {len(largest)}{which}")


# Planted: a room of four files that keeps its floors, and one change for each rule.
GROUND = "int ground(void); int ground(void) { return 1; }"
STORE = """struct store { int (*fn)(void); };
void store_set(struct store *s, int (*fn)(void)); int store_call(struct store *s); int store_now(int (*fn)(void));
void store_set(struct store *s, int (*fn)(void)) { s->fn = fn; }
int store_call(struct store *s) { return s->fn(); }
int store_now(int (*fn)(void)) { return fn() + 1; }"""
MIDDLE = "int ground(void); int middle(void); int middle(void) { return ground() + 1; }"
TOP = "int middle(void); int top(void); int top(void) { return middle() + 1; }"
PLAIN = {"ground.c": GROUND, "store.c": STORE, "middle.c": MIDDLE, "top.c": TOP}
LIST = "limit cycle 2\nlimit up 0\nfloor ground ground.c store.c\nfloor middle middle.c\nfloor top top.c\n"
CALLS_TOP = "int top(void); int ground(void); int ground(void) { return top(); }"
GIVES = """int store_now(int (*fn)(void)); static int mine(void) { return 3; }
int middle(void); int middle(void) { return store_now(mine); }"""
STORES = """struct store { int (*fn)(void); }; static int mine(void) { return 3; }
void middle(struct store *s); void middle(struct store *s) { s->fn = mine; }"""
IN_DATA = """struct store { int (*fn)(void); }; static int mine(void) { return 3; }
extern const struct store table; const struct store table = {mine}; int middle(void); int middle(void) { return 0; }"""
LOCAL = "int middle(void); static int helper(void) { return middle(); } int top(void); int top(void) { return helper() + 1; }"
PLANTED = [
    ("the room as it is", {}, "", None),
    ("a static function between", {"top.c": LOCAL}, "", None),
    ("a call up", {"ground.c": "int middle(void); int ground(void); int ground(void) { return middle(); }"}, "", "up"),
    ("a call up by the last call of a function", {"ground.c": CALLS_TOP}, "limit cycle 3\n", "up"),
    ("data of a floor above", {"ground.c": "extern int high; int ground(void); int ground(void) { return high; }",
                               "top.c": TOP + " extern int high; int high = 4;"}, "limit cycle 3\n", "up"),
    ("a cycle of three", {"ground.c": CALLS_TOP}, "limit up 9\n", "cycle"),
    ("a cycle of two is allowed", {"ground.c": "int middle(void); int ground(void); int ground(void) { return middle(); }"},
     "limit up 9\n", None),
    ("a file on no floor", {"new.c": "int n(void); int n(void) { return 0; }"}, "", "list"),
    ("a floor's file that is gone", {}, "floor more more.c\n", "list"),
    ("a file on two floors", {}, "floor more top.c\n", "list"),
    ("a line that is none", {}, "roof top.c\n", "list"),
    ("a pointer is called by whom it is given", {"middle.c": GIVES}, "", "up"),
    ("a pointer to itself that another calls", {"middle.c": GIVES}, "callback mine outside\n", None),
    ("a pointer that is called at once", {"middle.c": GIVES}, "during store_now\n", None),
    ("a pointer goes into a structure, caller unnamed", {"middle.c": STORES}, "", "callback"),
    ("a pointer in a structure, called from below", {"middle.c": STORES}, "callback mine store.c\n", "up"),
    ("a pointer in a structure, called from above", {"middle.c": STORES}, "callback mine top.c\n", None),
    ("a pointer in a table, caller unnamed", {"middle.c": IN_DATA}, "", "callback"),
    ("a pointer in a table, called from below", {"middle.c": IN_DATA}, "callback mine store.c\n", "up"),
    ("a callback that is no function", {}, "callback nobody top.c\n", "stale"),
    ("a receiver that is no function", {}, "during nobody\n", "stale"),
]


def built_from(files, folder):
    every = []
    for name, text in files.items():
        source = os.path.join(folder, name)
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        subprocess.run([*os.environ.get("CC", "cc").split(), "-O2", "-fPIC", "-c", source, "-o", source + ".o"],
                       check=True)
        every.append(objects.Object(f"lib/core/{name}", source + ".o"))
    return every


def judges(changes, more, rule):
    with tempfile.TemporaryDirectory() as folder:
        every = built_from({**PLAIN, **changes}, folder)
        found = complaints(Floors(LIST + more), every)
    broken = [name for name, texts in found.items() if texts]
    assert broken == ([rule] if rule else []), found


def room_above():
    with tempfile.TemporaryDirectory() as folder:
        every = built_from({**PLAIN, "ground.c": "int d(void); int ground(void); int ground(void) { return d(); }",
                            "device.c": "int d(void); int d(void) { return 0; }"}, folder)
        every[-1].source = "lib/devices/device.c"
        found = complaints(Floors(LIST), every)
    assert found["room"] == ["lib/core/ground.c refers to lib/devices/device.c"], found


def keeps(texts):
    assert not texts, "\n".join(texts)


def main(root, build):
    tap = Tap()
    for name, changes, more, rule in PLANTED:
        tap.run(f"planted: {name}: {RULES[rule] + ' is broken' if rule else 'nothing is broken'}", judges,
                changes, more, rule)
    tap.run("planted: a call into a room above", room_above)
    with open(os.path.join(root, "lib", "core", "floors"), encoding="utf-8") as file:
        floors = Floors(file.read())
    every = objects.built(build)
    show(floors, every)
    for rule, texts in complaints(floors, every).items():
        tap.run(RULES[rule], keeps, texts)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
