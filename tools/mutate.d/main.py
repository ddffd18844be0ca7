# SPDX-License-Identifier: Apache-2.0
"""tools/mutate: breaks the library line by line and asks the fast tests. See tools/mutate."""
import argparse
import concurrent.futures
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import mutants

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "test.d"))
import builds  # noqa: E402
import tap  # noqa: E402

ROOMS = ["lib/core", "lib/base", "lib/boot", "lib/backends/kvm"]
SUITES = {"unit", "core", "contract", "mock", "mock-autonomous"}
KVM_SUITES = SUITES | {"host-kvm"}
SLOW = 60  # seconds: a test that takes longer is none of the fast ones; the slower come last
CHANCE = 5  # seconds that a test may take beside ten times its own
PATIENCE = 20  # and, if it did not end in that time, once more and alone, before it is believed
FILE_LIMIT = 64 << 20


def arguments(words):
    parser = argparse.ArgumentParser(prog="tools/mutate")
    parser.add_argument("--sample", type=int, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--file", action="append", metavar="F")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--work", default=os.path.join(tempfile.gettempdir(), "vsdk-mutate"))
    parser.add_argument("--root", default=builds.ROOT, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def sources(root, wanted):
    for room in ROOMS:
        folder = os.path.join(root, room)
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            path = f"{room}/{name}"
            if name.endswith(".c") and (not wanted or any(path == w or path.startswith(w.rstrip("/") + "/")
                                                          for w in wanted)):
                yield path


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def every_mutant(root, wanted):
    return [m for path in sources(root, wanted) for m in mutants.of_file(path, read(os.path.join(root, path)))]


def sampled(every, options):
    if options.sample and options.sample < len(every):
        chosen = set(random.Random(options.seed).sample([m.id for m in every], options.sample))
        return [m for m in every if m.id in chosen]
    return every


class Results:
    """What became of each mutant, one line each in a file that only grows. A result is of the file as
    it was: another text of it, and it is tried again."""

    def __init__(self, root):
        self.path = os.path.join(root, "build", "mutate", "results")
        self.root, self.known, self.digests = root, {}, {}
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        if os.path.exists(self.path):
            for line in read(self.path).splitlines():
                entry = json.loads(line)
                self.known[entry["id"]] = entry

    def digest(self, path):
        if path not in self.digests:
            self.digests[path] = hashlib.sha1(read(os.path.join(self.root, path)).encode()).hexdigest()[:12]
        return self.digests[path]

    def of(self, mutant):
        entry = self.known.get(mutant.id)
        return entry if entry and entry["source"] == self.digest(mutant.file) else None

    def add(self, mutant, outcome, note):
        entry = {"id": mutant.id, "source": self.digest(mutant.file), "outcome": outcome, "note": note,
                 "file": mutant.file, "line": mutant.line}
        self.known[mutant.id] = entry
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def read_argued(root):
    """{(file, before, after): why}"""
    path = os.path.join(root, "tools", "mutate.d", "argued")
    found = {}
    for line in read(path).splitlines() if os.path.exists(path) else []:
        if line.strip() and not line.startswith("#"):
            words = [word.strip() for word in line.split(" | ")]
            if len(words) != 4 or not words[3]:
                raise SystemExit(f"mutate: argued: not FILE | LINE | CHANGED | WHY: {line}")
            found[words[0], words[1], words[2]] = words[3]
    return found


running, stopping = set(), threading.Event()


def signal_group(run, number):
    try:
        os.killpg(run.pid, number)
    except ProcessLookupError:
        pass


def confine():
    """A mutant may do anything: it fills no disk, and is the first to go where memory is short."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_group(command, limit, env, folder):
    """(output, status) of a program in a group of its own, which ends with it; 124: out of time."""
    with tempfile.TemporaryFile() as output:
        run = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
                               stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=confine)
        running.add(run)
        try:
            status = run.wait(limit)
        except subprocess.TimeoutExpired:
            status = 124
        signal_group(run, signal.SIGKILL)
        run.wait()
        running.discard(run)
        output.seek(0)
        return output.read().decode(errors="replace"), status


class Lab:
    """A copy of the tree with a build folder of its own."""

    def __init__(self, options):
        self.root, self.jobs = options.root, options.jobs
        self.tree, self.build = os.path.join(options.work, "tree"), os.path.join(options.work, "build")
        self.copy()
        self.configure()
        self.objects = {}

    def copy(self):
        """What git knows or would, as it lies in the tree now; a file that did not change keeps its time."""
        done = subprocess.run(["git", "-C", self.root, "ls-files", "-co", "--exclude-standard"],
                              capture_output=True, text=True)
        names = done.stdout.splitlines() if done.returncode == 0 else [
            os.path.relpath(os.path.join(folder, name), self.root)
            for folder, _, files in os.walk(self.root) for name in files if "/build/" not in folder + "/"]
        there = {name for name in names if os.path.isfile(os.path.join(self.root, name))}
        for folder, _, files in os.walk(self.tree):
            for name in files:
                path = os.path.join(folder, name)
                if os.path.relpath(path, self.tree) not in there:
                    os.unlink(path)
        for name in there:
            source, target = os.path.join(self.root, name), os.path.join(self.tree, name)
            with open(source, "rb") as file:
                wanted = file.read()
            if os.path.exists(target):
                with open(target, "rb") as file:
                    if file.read() == wanted:
                        continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)

    def configure(self):
        if not os.path.exists(os.path.join(self.build, "build.ninja")):
            builds.quiet(["meson", "setup", self.build, self.tree, "--prefix=/usr/local",
                          f"--libdir={builds.LIBDIR}", "-Dbuildtype=plain", "-Dc_args=-O1", "-Dxen=disabled",
                          "-Dcommand=disabled"], env={**os.environ, "CC": "gcc"})
        builds.quiet(["ninja", "-C", self.build])

    def path(self, name):
        return os.path.join(self.tree, name)

    def make(self, targets=()):
        done = subprocess.run(["ninja", "-C", self.build, *targets], capture_output=True, text=True)
        return done.returncode == 0

    def object_of(self, file):
        if not self.objects:
            with open(os.path.join(self.build, "compile_commands.json"), encoding="utf-8") as commands:
                for entry in json.load(commands):
                    source = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
                    name = os.path.relpath(source, self.tree)
                    if name not in self.objects:
                        self.objects[name] = entry["output"]
        return self.objects.get(file)

    def code(self, file):
        """The object's bytes, that an equal mutant has too: nothing in it tells of lines."""
        with open(os.path.join(self.build, self.object_of(file)), "rb") as built:
            return built.read()


class Test:
    """One fast test, how long it takes when nothing is broken, and what it is linked from."""

    def __init__(self, test, build):
        self.test, self.build, self.seconds = test, build, 0.0
        self.kills = {}

    def targets(self):
        return [os.path.relpath(word, self.build) for word in self.test.command if word.startswith(self.build)]

    def run(self, limit):
        """'' when it passed, else what went wrong."""
        begin = time.monotonic()
        text, status = run_group(self.test.command, limit, {**os.environ, **self.test.env}, self.build)
        self.took = time.monotonic() - begin
        if status == 124:
            return "out of time"
        failed = [r for r in tap.of_run(text, status, self.test.name) if r.outcome == "fail"]
        return failed[0].name if failed else ""


def fast_tests(lab):
    """Those that pass as the tree is, and are fast; quickest first."""
    found = []
    for test in builds.tests(lab.build):
        program = test.command[0].startswith(lab.build) or not test.command[0].endswith("python3")
        if test.suites & KVM_SUITES and program:
            if "host-kvm" not in test.suites or os.path.exists("/dev/kvm"):
                found.append(Test(test, lab.build))
    with concurrent.futures.ThreadPoolExecutor(lab.jobs) as pool:
        wrong = list(pool.map(lambda test: test.run(SLOW * 3), found))
    kept = []
    for test, why in zip(found, wrong):
        test.seconds = test.took
        if why or test.seconds > SLOW:
            print(f"  left out: {test.test.name}: {why or f'{test.seconds:.0f} s'}", flush=True)
        else:
            kept.append(test)
    return sorted(kept, key=lambda test: test.seconds)


def relevant(tests, mutant):
    suites = KVM_SUITES if mutant.file.startswith("lib/backends/kvm/") else SUITES
    fitting = [test for test in tests if test.test.suites & suites
               and (suites is KVM_SUITES or "host-kvm" not in test.test.suites)]
    def order(test):
        here, anywhere = test.kills.get(mutant.file, 0), sum(test.kills.values())
        return (-here, test.seconds / (1 + anywhere))
    return sorted(fitting, key=order)


def judge(lab, tests, mutant, source, code):
    """(outcome, note) of one mutant; the source in the lab is as it was afterwards."""
    path = lab.path(mutant.file)
    write(path, mutant.apply(source))
    try:
        if not lab.make([lab.object_of(mutant.file)]):
            return "invalid", ""
        if lab.code(mutant.file) == code:
            return "equal", ""
        return ask(lab, relevant(tests, mutant), mutant)
    finally:
        write(path, source)


def ask(lab, tests, mutant):
    """Runs test by test, as many at a time as there are jobs, until one notices."""
    with concurrent.futures.ThreadPoolExecutor(lab.jobs) as pool:
        for begin in range(0, len(tests), lab.jobs):
            some = tests[begin:begin + lab.jobs]
            if not lab.make(sorted({target for test in some for target in test.targets()})):
                return "invalid", "does not link"
            notes = list(pool.map(lambda test: test.run(CHANCE + 10 * test.seconds), some))
            for test, note in zip(some, notes):
                if note == "out of time":
                    note = test.run(PATIENCE + 10 * test.seconds)
                if note:
                    test.kills[mutant.file] = test.kills.get(mutant.file, 0) + 1
                    return "killed", f"{test.test.name}: {note}" if note == "out of time" else note
            if stopping.is_set():
                raise SystemExit(130)
    return "survived", ""


def stop(number, _frame):
    stopping.set()
    for run in list(running):
        signal_group(run, signal.SIGKILL)
    raise SystemExit(128 + number)


def run(options, todo, results):
    lab = Lab(options)
    print("the tests as the tree is:", flush=True)
    tests = fast_tests(lab)
    print(f"  {len(tests)} fast tests, {sum(test.seconds for test in tests):.0f} s", flush=True)
    file, source, code = None, "", b""
    for number, mutant in enumerate(todo, 1):
        if mutant.file != file:
            file, source = mutant.file, read(lab.path(mutant.file))
            if not lab.make([lab.object_of(file)]):
                raise SystemExit(f"mutate: {file} does not build")
            code = lab.code(file)
        outcome, note = judge(lab, tests, mutant, source, code)
        results.add(mutant, outcome, note)
        print(f"{number}/{len(todo)} {mutant.file}:{mutant.line} {mutant.kind}: {outcome} {note}", flush=True)


def report(chosen, results, argued, whole):
    """Prints the figures and the survivors; how many survived without an argument."""
    counts, left, used = {}, [], set()
    for mutant in chosen:
        entry = results.of(mutant)
        outcome = entry["outcome"] if entry else "not tried"
        key = mutant.file, mutant.before, mutant.after
        if outcome == "survived":
            if key in argued:
                outcome = "argued"
                used.add(key)
            else:
                left.append(mutant)
        elif key in argued and outcome == "killed":
            print(f"argued, but {entry['note']} notices: {mutant.file}:{mutant.line}: {mutant.after}")
        counts[outcome] = counts.get(outcome, 0) + 1
    print(f"\n{len(chosen)} mutants: " + ", ".join(f"{counts.get(o, 0)} {o}" for o in
          ("killed", "survived", "argued", "equal", "invalid", "not tried")))
    for mutant in left:
        print(f"survived {mutant.file}:{mutant.line} {mutant.kind}\n    {mutant.before}\n    {mutant.after}")
    if whole:
        there = {(mutant.file, mutant.before, mutant.after) for mutant in chosen}
        for key in sorted(set(argued) - there):
            print(f"argued, but there is no such mutant: {' | '.join(key)}")
    return len(left)


def main(words=None):
    options = arguments(words)
    every = every_mutant(options.root, options.file)
    chosen = sampled(every, options)
    if options.list:
        for mutant in chosen:
            print(f"{mutant.file}:{mutant.line} {mutant.kind}\n    {mutant.before}\n    {mutant.after}")
        print(f"{len(chosen)} mutants")
        return 0
    results, argued = Results(options.root), read_argued(options.root)
    todo = [mutant for mutant in chosen if not results.of(mutant)
            or (options.again and results.of(mutant)["outcome"] == "survived")]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    print(f"{len(every)} mutants, {len(chosen)} chosen, {len(todo)} to try", flush=True)
    if todo:
        run(options, todo, results)
    return 1 if report(chosen, results, argued, len(chosen) == len(every) and not options.file) else 0


if __name__ == "__main__":
    sys.exit(main())
