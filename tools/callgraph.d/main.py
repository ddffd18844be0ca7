# SPDX-License-Identifier: Apache-2.0
"""tools/callgraph: the ways of calls through the library. See tools/callgraph for the options."""
import argparse
import collections
import os
import sys
import tempfile

import objects
import walked

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Table:
    """The ways and the calls through pointers."""

    def __init__(self, text):
        self.pointers, self.ways, self.seldom = [], {}, set()
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] == "pointer" and ":" in words:
                colon = words.index(":")
                self.pointers.append((words[1:colon], words[colon + 1:]))
            elif words[0] == "way" and len(words) >= 5 and words[2].isdigit():
                self.ways[words[1]] = (int(words[2]), words[3:])
            elif words[0] == "seldom" and len(words) >= 2:
                self.seldom.update(words[1:])
            else:
                raise SystemExit(f"callgraph: ways, line {number}: {line}")


class Graph:
    """Functions by their plain names, and whom each calls. Of two static functions with one name
    the calls are told apart by their files."""

    def __init__(self, every, table):
        self.seldom = table.seldom
        defined = objects.owners(every)
        self.file, self.calls, self.stale = {}, collections.defaultdict(list), []
        self.by_plain = collections.defaultdict(list)
        indirect = set()
        for obj in every:
            for name, function in obj.functions.items():
                self.by_plain[name.split(":")[-1]].append(name)
                self.file[name] = obj.source
                self.calls[name] += [callee for callee in function.calls if callee in defined]
                if function.indirect:
                    indirect.add(name)
        for callers, targets in table.pointers:
            self._pointer(callers, targets, indirect)
        self.stale += [f"seldom {name}: no such function"
                       for name in sorted(self.seldom) if not self.by_plain[name]]

    def _pointer(self, callers, targets, indirect):
        there = [name for caller in callers for name in self.by_plain[caller] if name in indirect]
        gone = [target for target in targets if not self.by_plain[target]]
        if not there or gone:
            self.stale.append(f"pointer {' '.join(callers)} : {' '.join(targets)}: "
                              + (f"no function {' '.join(gone)}" if gone else "none of them calls through a pointer"))
            return
        self.calls[there[0]] += [name for target in targets for name in self.by_plain[target]]

    def shortest(self, starts, goal):
        """The functions from one of `starts` to `goal`, or None."""
        before, queue = dict.fromkeys(starts), collections.deque(starts)
        while queue:
            name = queue.popleft()
            if name.split(":")[-1] == goal:
                steps = []
                while name:
                    steps.insert(0, name)
                    name = before[name]
                return steps
            for callee in self.calls.get(name, ()):
                if callee not in before and plain(callee) not in self.seldom:
                    before[callee] = name
                    queue.append(callee)
        return None

    def way(self, points):
        """Over all points; with @NAME first, beginning with who calls NAME."""
        first, *others = points
        if first.startswith("@"):
            called = self.by_plain[first[1:]]
            starts = [name for name in self.calls if set(self.calls[name]) & set(called)]
            steps, prefix = [], called[:1]
        else:
            starts, steps, prefix = self.by_plain[first], [], []
        for goal in others:
            part = self.shortest(starts, goal) if starts else None
            if part is None:
                return None
            steps += part if not steps else part[1:]
            starts = [steps[-1]]
        return prefix + steps

    def beside(self, steps):
        """What the steps call too, for some exits only or for all."""
        found = {callee for name in steps[1:-1] for callee in self.calls[name]}
        return sorted(found - set(steps))


def floors_of_core():
    """{file of lib/core: (level, floor)} from lib/core/floors, {} without one."""
    path, levels = os.path.join(ROOT, "lib", "core", "floors"), {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            lines = [line.split("#")[0].split() for line in file]
        for level, words in enumerate(words for words in lines if words[:1] == ["floor"]):
            levels.update({f"lib/core/{name}": (level, words[1]) for name in words[2:]})
    return levels


def plain(name):
    return name.split(":")[-1]


def goes_up(levels, graph, caller, callee):
    one, other = levels.get(graph.file[caller]), levels.get(graph.file[callee])
    return bool(one and other and other[0] > one[0])


def between(steps):
    return steps[1:-1]


def show(name, limit, steps, graph, levels, view, back):
    files = {graph.file[step] for step in steps}
    inner = between(steps)
    ups = [(one, other) for one, other in zip(steps, steps[1:])
           if goes_up(levels, graph, one, other) and not (back and one is steps[0])]
    print(f"{name}, {view}: {len(inner)} functions between {plain(steps[0])} and {plain(steps[-1])}"
          f"{f' (limit {limit})' if limit else ''}, {len({graph.file[step] for step in inner})} files between, "
          f"{len(files)} in all, {len(ups)} calls up")
    for number, step in enumerate(steps):
        mark = "<-" if back and number == 1 else "->" if number else "  "
        up = "  UP" if number and (steps[number - 1], step) in ups else ""
        floor = levels.get(graph.file[step], (0, "-"))[1]
        print(f"  {mark} {plain(step):<28} {graph.file[step]:<34} {floor}{up}")
    beside = graph.beside(steps)
    by_file = collections.Counter(graph.file[step] for step in beside)
    print(f"  beside them, called by them in some case: {len(beside)} functions in {len(by_file)} files\n")


def mermaid(name, steps, graph, levels, back):
    """A picture for a page: files are boxes, functions nodes, the dashed arrow a return."""
    print("```mermaid\nflowchart TD")
    boxes = {}
    for number, step in enumerate(steps):
        boxes.setdefault(graph.file[step], []).append((number, step))
    for box, (file, inside) in enumerate(boxes.items()):
        floor = levels.get(file)
        print(f'  subgraph f{box}["{file}{f" ({floor[1]})" if floor else ""}"]')
        for number, step in inside:
            print(f'    s{number}["{plain(step)}"]')
        print("  end")
    for number in range(1, len(steps)):
        arrow = "-. returns .->" if back and number == 1 else "-->"
        up = "|up|" if goes_up(levels, graph, steps[number - 1], steps[number]) and arrow == "-->" else ""
        print(f"  s{number - 1} {arrow}{up} s{number}")
    print("```\n")


def arguments(words):
    parser = argparse.ArgumentParser(prog="tools/callgraph")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "gcc"))
    parser.add_argument("--mermaid", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--walked", action="store_true")
    parser.add_argument("names", nargs="*", metavar="WAY | FROM TO")
    return parser.parse_args(words)


def chosen(table, names):
    if not names:
        return table.ways
    if all(name in table.ways for name in names):
        return {name: table.ways[name] for name in names}
    if len(names) < 2:
        raise SystemExit(f"callgraph: no way {names[0]}; there are {', '.join(table.ways)}")
    return {" ".join(names): (0, names)}


def run(options, table, views):
    """Prints; the complaints."""
    levels, wrong = floors_of_core(), []
    for view, every in views:
        graph = Graph(every, table)
        wrong += [f"{view}: {text}" for text in graph.stale]
        for name, (limit, points) in chosen(table, options.names).items():
            steps = graph.way(points)
            if steps is None:
                wrong.append(f"{view}: {name}: no way {' '.join(points)}")
                continue
            back = points[0].startswith("@")
            if options.mermaid:
                print(f"{name}, {view}:")
                mermaid(name, steps, graph, levels, back)
            else:
                show(name, limit, steps, graph, levels, view, back)
            if limit and len(between(steps)) > limit:
                wrong.append(f"{view}: {name}: {len(between(steps))} functions, limit {limit}")
    for text in wrong:
        print(f"callgraph: {text}")
    return wrong


def show_walked(build):
    rows = walked.an_exit(build)
    files = {source for _, _, source in rows}
    print(f"an exit to a device on the mock, counted: {len(rows)} functions in {len(files)} files of "
          "lib/core and lib/base are called for each")
    for each, function, source in rows:
        print(f"  {each:4.1f} {function:<28} {source}")


def main(words=None):
    options = arguments(words)
    with open(os.path.join(HERE, "ways"), encoding="utf-8") as file:
        table = Table(file.read())
    if not os.path.exists(os.path.join(options.build, "compile_commands.json")):
        raise SystemExit(f"callgraph: no build in {options.build}: run tools/test --quick first")
    if options.walked:
        show_walked(options.build)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        views = [("as built", objects.built(options.build)),
                 ("as written", objects.as_written(options.build, folder))]
        wrong = run(options, table, views)
    return 1 if wrong and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
