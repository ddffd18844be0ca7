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

import found
import mutants

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "test.d"))
import builds  # noqa: E402
import tap  # noqa: E402

ROOMS = ["lib/core", "lib/base", "lib/boot", "lib/backends/kvm"]
SUITES = {"unit", "core", "contract", "faults", "mock", "mock-autonomous", "host-kvm"}
SLOW = 60  # seconds: a test that takes longer is none of the fast ones; the slower come last
CHANCE = 5  # seconds of processor time that a test may take beside ten times its own
PATIENCE = 20  # seconds without any work after which a test hangs
FILE_LIMIT = 64 << 20


def arguments(words):
    parser = argparse.ArgumentParser(prog="tools/mutate")
    parser.add_argument("--sample", type=int, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--file", action="append", metavar="F")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--found", action="store_true")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, metavar="M")
    parser.add_argument("--budget", type=float, metavar="SECONDS")
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
    """N of them, from all files and kinds alike: in turn from each file, and there from each kind."""
    if not options.sample or options.sample >= len(every):
        return every
    piles, chances, chosen = {}, {}, set()
    for mutant in every:
        piles.setdefault(mutant.file, {}).setdefault(mutant.kind, []).append(mutant)
    for file, kinds in piles.items():  # a change of one file changes nothing of the others
        chances[file] = random.Random(f"{options.seed} {file}")
        for kind in sorted(kinds):
            chances[file].shuffle(kinds[kind])
    files = sorted(piles)
    random.Random(options.seed).shuffle(files)
    while len(chosen) < options.sample:
        for file in files[:options.sample - len(chosen)]:
            kinds = piles[file]
            kind = chances[file].choice(sorted(kinds))
            chosen.add(kinds[kind].pop().id)
            if not kinds[kind]:
                del kinds[kind]
        files = [file for file in files if piles[file]]
    return [m for m in every if m.id in chosen]


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
            if len(words) < 4 or not words[-1]:
                raise SystemExit(f"mutate: argued: not FILE | LINE | CHANGED | WHY: {line}")
            middle = words[1:-1]  # a bar of the line's own is in the changed one too, unless all of it went
            half = len(middle) - 1 if len(middle) % 2 else len(middle) // 2
            found[words[0], " | ".join(middle[:half]), " | ".join(middle[half:])] = words[-1]
    return found


running, stopping = set(), threading.Event()


def signal_group(run, number):
    try:
        os.killpg(run.pid, number)
    except ProcessLookupError:
        pass


def confine():
    """A mutant may do anything: it fills no disk, and is the first to go where memory is short. Who started
    this in the background ignores some signals; tests do not."""
    for number in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT:
        signal.signal(number, signal.SIG_DFL)
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def group_time(leader):
    """(seconds of processor time, whether one runs) of the processes of a session."""
    ticks, awake = 0, False
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                words = file.read().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(words[3]) == leader:
            ticks += sum(map(int, words[11:15]))
            awake = awake or words[0] == "R"
    return ticks / os.sysconf("SC_CLK_TCK"), awake


class Hang:
    """Whether a program hangs, told by the work that it does: other programs may have the processors."""

    def __init__(self, leader, limit):
        self.leader, self.limit = leader, limit
        self.end = time.monotonic() + limit + 6 * PATIENCE
        self.used, self.since = -1, time.monotonic()

    def seen(self):
        now, (used, awake) = time.monotonic(), group_time(self.leader)
        if awake or used != self.used:
            self.used, self.since = used, now
        return used > self.limit or now - self.since > PATIENCE or now > self.end


def run_group(command, limit, env, folder):
    """(output, status) of a program in a group of its own, which ends with it; 124: it hangs."""
    with tempfile.TemporaryFile() as output:
        run = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
                               stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=confine)
        running.add(run)
        hang, status = Hang(run.pid, limit), None
        while status is None:
            try:
                status = run.wait(1)
            except subprocess.TimeoutExpired:
                status = 124 if hang.seen() else None
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
        self.reached = os.path.join(options.work, "reach")
        self.copy()
        self.objects = {}

    def prepare(self):
        self.configure(self.build, asked, "-Dc_args=-O1")
        self.libraries = libraries(self.build)

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

    def configure(self, build, wanted, *more):
        """Later options go over earlier ones."""
        if not os.path.exists(os.path.join(build, "build.ninja")):
            builds.quiet(["meson", "setup", build, self.tree, "--prefix=/usr/local",
                          f"--libdir={builds.LIBDIR}", "-Dbuildtype=plain", "-Dchecked=true",
                          "-Dxen=disabled", "-Dcommand=disabled", *more], env={**os.environ, "CC": "gcc"})
        found = {name for test in wanted(build) for name in targets(test, build)}
        builds.quiet(["ninja", "-C", build, *sorted(found), *libraries(build)])

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


def asked(build):
    """The tests that a mutant may be shown to, before it is known which are fast."""
    for test in builds.tests(build):
        program = test.command[0].startswith(build) or not test.command[0].endswith("python3")
        if test.suites & SUITES and program:
            if "host-kvm" not in test.suites or os.path.exists("/dev/kvm"):
                yield test


def libraries(build):
    """What tests load while they run."""
    kinds = {"shared library", "shared module"}
    return sorted(os.path.relpath(name, build)
                  for target in json.loads(builds.quiet(["meson", "introspect", "--targets", build]))
                  if target["type"] in kinds for name in target["filename"])


def targets(test, build):
    return [os.path.relpath(word, build) for word in test.command
            if word.startswith(build + "/") and not os.path.isdir(word)]


class Test:
    """One fast test, how long it takes when nothing is broken, and what it is linked from."""

    def __init__(self, test, build):
        self.test, self.build, self.seconds = test, build, 0.0
        self.kills, self.forking = {}, None

    def targets(self):
        return targets(self.test, self.build)

    def forks(self):
        if self.forking is None:
            self.forking = False
            for name in self.targets():
                with open(os.path.join(self.build, name), "rb") as program:
                    self.forking = self.forking or b"\0fork\0" in program.read()
        return self.forking

    def run(self, limit):
        """'' when it passed, else what went wrong."""
        begin = time.monotonic()
        text, status = run_group(self.test.command, limit, {**os.environ, **self.test.env}, self.build)
        self.took = time.monotonic() - begin
        if status == 124:
            return "out of time"
        failed = [r for r in tap.of_run(text, status, self.test.name) if r.outcome == "fail"]
        return failed[0].name if failed else ""


def digest_of(test, build):
    """Of a test's program and of what is always loaded: the same, and it does the same."""
    text = hashlib.sha1()
    for name in [*targets(test, build), "lib/libvsdk.so"]:
        path = os.path.join(build, name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                text.update(file.read())
    return text.hexdigest()


def fast_tests(lab, results):
    """Those that pass as the tree is, and are fast; quickest first."""
    path = os.path.join(os.path.dirname(results.path), "baseline")
    known = json.loads(read(path)) if os.path.exists(path) else {}
    digests = {test.name: digest_of(test, lab.build) for test in asked(lab.build)}
    every = [Test(test, lab.build) for test in asked(lab.build)]

    def measure(test):
        name = test.test.name
        if known.get(name, {}).get("digest") != digests[name]:
            why = test.run(SLOW * 3)
            known[name] = {"digest": digests[name], "why": why, "seconds": test.took}
        test.seconds = known[name]["seconds"]
        return known[name]["why"]

    with concurrent.futures.ThreadPoolExecutor(lab.jobs) as pool:
        wrong = list(pool.map(measure, every))
    write(path, json.dumps(known))
    kept = []
    for test, why in zip(every, wrong):
        if why or test.seconds > SLOW:
            print(f"  left out: {test.test.name}: {why or f'{test.seconds:.0f} s'}", flush=True)
        else:
            kept.append(test)
    return sorted(kept, key=lambda test: test.seconds)


class Reach:
    """Which tests come to which lines, from a build that counts them: where a test does not come, it can't
    notice a change. A test, or a file, that changed since is taken to be reached. What a child does that ends
    by _exit is not counted, so a test that forks is taken to come everywhere; nor is what a process does that
    is killed, so --again asks all."""

    def __init__(self, lab, results):
        self.lab, self.results = lab, results
        self.path = os.path.join(os.path.dirname(results.path), "reach")
        self.known = json.loads(read(self.path)) if os.path.exists(self.path) else {}

    def counters(self):
        for folder, folders, names in os.walk(self.lab.reached):
            folders[:] = [name for name in folders if name not in ("tests", "examples")]
            yield from (os.path.join(folder, name) for name in names if name.endswith(".gcda"))

    def measure(self, names):
        """Runs what is new, each test alone, and keeps its lines. What is new the plain build tells: of one
        source it makes the same bytes again."""
        now = {test.name: digest_of(test, self.lab.build) for test in asked(self.lab.build)}
        new = {name for name in names if self.known.get(name, {}).get("digest") != now[name]}
        if not new:
            return
        self.lab.configure(self.lab.reached, asked, "-Dc_args=-O0", "-Db_coverage=true")
        for test in asked(self.lab.reached):
            if test.name in new:
                for path in self.counters():
                    os.unlink(path)
                run_group(test.command, SLOW * 3, {**os.environ, **test.env}, self.lab.reached)
                self.known[test.name] = {"digest": now[test.name], "files": self.lines()}
        write(self.path, json.dumps(self.known))

    def lines(self):
        """{file: [its digest, lines that ran, lines that could]}"""
        found, paths = {}, sorted(self.counters())
        done = subprocess.run(["gcov", "--json-format", "--stdout", *paths], capture_output=True, text=True,
                              cwd=self.lab.reached)
        for text in filter(None, done.stdout.splitlines() if paths else []):
            for entry in json.loads(text)["files"]:
                name = os.path.relpath(os.path.join(self.lab.reached, entry["file"]), self.lab.tree)
                if any(name.startswith(room + "/") for room in ROOMS) and name.endswith(".c"):
                    ran = [line["line_number"] for line in entry["lines"] if line["count"]]
                    found[name] = [self.results.digest(name), ran, [line["line_number"] for line in entry["lines"]]]
        return found

    def comes(self, test, mutant):
        files = self.known.get(test.test.name, {}).get("files")
        if not files or test.forks():
            return True
        if mutant.file not in files:
            return False
        digest, ran, could = files[mutant.file]
        if digest != self.results.digest(mutant.file):
            return True
        if not set(mutant.lines) & set(could):  # the compiler keeps no count of such a line
            return bool(ran)
        return bool(set(mutant.lines) & set(ran))


def relevant(tests, mutant, reach, budget):
    def order(test):
        here, anywhere = test.kills.get(mutant.file, 0), sum(test.kills.values())
        return (-here, test.seconds / (1 + anywhere))
    spent, some = 0, []
    for test in sorted((test for test in tests if not reach or reach.comes(test, mutant)), key=order):
        if not budget or spent + test.seconds <= budget:
            spent += test.seconds
            some.append(test)
    return some


def judge(lab, tests, mutant, source, code, reach, budget):
    """(outcome, note) of one mutant; the source in the lab is as it was afterwards."""
    path = lab.path(mutant.file)
    write(path, mutant.apply(source))
    try:
        if not lab.make([lab.object_of(mutant.file)]):
            return "invalid", ""
        if lab.code(mutant.file) == code:
            return "equal", ""
        some = relevant(tests, mutant, reach, budget)
        return ask(lab, some, mutant) if some else ("survived", "no test comes here")
    finally:
        write(path, source)


def ask(lab, tests, mutant):
    """Runs test by test, as many at a time as there are jobs, until one notices."""
    with concurrent.futures.ThreadPoolExecutor(lab.jobs) as pool:
        for begin in range(0, len(tests), lab.jobs):
            some = tests[begin:begin + lab.jobs]
            wanted = {target for test in some for target in test.targets()}
            if not lab.make([*lab.libraries, *sorted(wanted)]):
                return "invalid", "does not link"
            notes = list(pool.map(lambda test: test.run(CHANCE + 10 * test.seconds), some))
            for test, note in zip(some, notes):
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
    lab, begin = Lab(options), time.monotonic()
    lab.prepare()
    print("the tests as the tree is:", flush=True)
    tests = fast_tests(lab, results)
    print(f"  {len(tests)} fast tests, {sum(test.seconds for test in tests):.0f} s", flush=True)
    reach = None
    if not options.again and shutil.which("gcov"):
        reach = Reach(lab, results)
        reach.measure({test.test.name for test in tests})
        print(f"  where they come is known after {time.monotonic() - begin:.0f} s", flush=True)
    codes = {}
    for number, mutant in enumerate(todo, 1):
        if options.minutes and time.monotonic() - begin > 60 * options.minutes:
            print(f"{options.minutes:g} minutes are over", flush=True)
            break
        source = read(lab.path(mutant.file))
        if mutant.file not in codes:
            if not lab.make([lab.object_of(mutant.file)]):
                raise SystemExit(f"mutate: {mutant.file} does not build")
            codes[mutant.file] = lab.code(mutant.file)
        outcome, note = judge(lab, tests, mutant, source, codes[mutant.file], reach, options.budget)
        results.add(mutant, outcome, note)
        print(f"{number}/{len(todo)} {mutant.file}:{mutant.line} {mutant.kind}: {outcome} {note}", flush=True)


def check_found(options):
    """Undoes each mend that found.toml names, and asks the test that it names; how many did not notice."""
    global FILE_LIMIT, PATIENCE
    FILE_LIMIT = 1 << 40  # the fake of Xen has a guest's memory in a file; nothing of it is written
    PATIENCE = 150  # the command's tests wait for guests that end by themselves, or not
    wanted = [entry for entry in found.entries() if "file" in entry and
              (not options.file or entry["file"] in options.file)]
    lab, unnoticed = Lab(options), 0
    build = os.path.join(options.work, "found")
    lab.configure(build, lambda folder: (), "-Dc_args=-O1", "-Dxen=enabled", "-Dcommand=enabled")
    builds.quiet(["ninja", "-C", build, "meson-test-prereq"])
    tests, loaded = {test.name: test for test in builds.tests(build)}, libraries(build)
    for entry in wanted:
        test, path = tests[entry["test"]], lab.path(entry["file"])
        source = read(path)
        without = found.undo(source, entry)
        if without is None:
            outcome = "the mend is written otherwise now"
        else:
            write(path, without)
            done = subprocess.run(["ninja", "-C", build, *loaded, *targets(test, build)], capture_output=True)
            text, status = run_group(test.command, PATIENCE + SLOW, {**os.environ, **test.env}, build) \
                if done.returncode == 0 else ("", None)
            write(path, source)
            outcome = "does not build" if status is None else "noticed" if status == 124 or found.notices(
                entry, tap.of_run(text, status, test.name)) else "NOT noticed"
        unnoticed += outcome != "noticed"
        print(f"{outcome}: {entry['item']} ({entry['test']}: {entry['name']})", flush=True)
    print(f"{len(wanted)} mends undone, {len(wanted) - unnoticed} noticed")
    return unnoticed


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
    if options.page:
        print(found.page(), end="")
        return 0
    if options.found:
        os.nice(19)
        return 1 if check_found(options) else 0
    every = every_mutant(options.root, options.file)
    chosen = sampled(every, options)
    if options.list:
        for mutant in chosen:
            print(f"{mutant.file}:{mutant.line} {mutant.kind}\n    {mutant.before}\n    {mutant.after}")
        print(f"{len(chosen)} mutants")
        return 0
    os.nice(19)
    results, argued = Results(options.root), read_argued(options.root)
    tried = {mutant.id: results.of(mutant) for mutant in chosen}
    todo = [mutant for mutant in chosen if not options.again and not tried[mutant.id]
            or options.again and tried[mutant.id] and tried[mutant.id]["outcome"] == "survived"
            and (mutant.file, mutant.before, mutant.after) not in argued]
    if options.sample:
        random.Random(options.seed).shuffle(todo)  # a run that ends early has seen some of all
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    print(f"{len(every)} mutants, {len(chosen)} chosen, {len(todo)} to try", flush=True)
    if todo:
        run(options, todo, results)
    return 1 if report(chosen, results, argued, len(chosen) == len(every) and not options.file) else 0


if __name__ == "__main__":
    sys.exit(main())
