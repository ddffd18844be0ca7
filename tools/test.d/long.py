# SPDX-License-Identifier: Apache-2.0
"""tools/test --long: what tools/test samples, whole.

Jobs, each with a limit in minutes, in parts whose limits together stay under 150. What became of a
job is kept in build/long/state, so that a run that was ended goes on with the jobs that are left. A
job that passed is not run again while lib, include and tests stay as they are.

The programs take their numbers times $VSDK_TEST_SCALE (tests/threads/rig.c), and may take a seed from
$VSDK_TEST_SEED, another one each time.

A rehearsal runs the same jobs with small numbers, to see that none is broken; it has a state of its own
(build/long/rehearsal), so that what it passed does not count.
"""
import concurrent.futures
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import builds
import places
import tap

PART_LIMIT = 150
FIGURE = re.compile(r"^# +(.*\d.*)$")
OF_OTHERS = {"schedules", "parts of the core"}  # jobs of their own, or another's
FUZZ_FIGURE = re.compile(r"^stat::(number_of_executed_units|new_units_added): +(\d+)")


class Job:
    """`run(job, log, seed)` gives results and figures. Of `more`, `scale`, `each` (minutes a fuzzer) and
    `sample` (mutants) say how much; `small` is what a rehearsal takes instead."""

    small = {"scale": 1, "each": 0.1, "sample": 2}

    def __init__(self, part, name, minutes, run, **more):
        self.part, self.name, self.minutes, self.run, self.more = part, name, minutes, run, more


def figures_of(log, place, tests):
    """What the programs tell with a number in it, by test."""
    found = []
    for test in tests:
        path = os.path.join(log.folder, place, test.name.replace("/", "_") + ".log")
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                found += [f"{test.name}: {m[1]}" for line in file if (m := FIGURE.match(line.rstrip()))]
    return found


def env_of(job, seed):
    return {"VSDK_TEST_SCALE": str(job.more.get("scale", 1)), "VSDK_TEST_SEED": str(seed)}


def without_kvm(tests):
    return [t for t in tests if "host-kvm" not in t.suites or os.path.exists(places.KVM)]


def threads(job, log, seed):
    """Storms, kicks and cycles of one place, in one build, `scale` times as long."""
    kind, place = job.more["kind"], job.more["place"]
    folder = builds.make(kind)
    tests = without_kvm([t for t in builds.tests(folder) if "threads" in t.suites and place in t.suites
                         and "core" not in t.suites and t.name not in OF_OTHERS])
    return run_tests(job, log, seed, kind, tests)


def schedules(job, log, seed):
    """Random schedules against the model of the state table, 1,000 times the scale in one thread and a
    tenth of it in several, half on each mock. The program tells a seed that repeats a schedule."""
    folder = builds.make(job.more["kind"])
    tests = [t for t in builds.tests(folder) if t.name == "schedules"]
    return run_tests(job, log, seed, job.more["kind"], tests)


def faults(job, log, seed):
    """Each call to the system fails in turn, and owners are killed; again and again, since what runs
    beside it differs each time."""
    folder = builds.make("gcc")
    tests = without_kvm([t for t in builds.tests(folder) if ("faults" in t.suites or t.name.startswith("orphan on "))
                         and not t.suites & {"lab", "lab-kvm", "lab-xen"}])
    return run_tests(job, log, seed, "gcc", tests * max(1, job.more["scale"] // 4))


def core(job, log, seed):
    """The core's own storms: more rounds of the one that takes a number, and the one that takes none
    again and again. What else is of the suite may take its number from the scale."""
    folder = builds.make(job.more["kind"])
    tests = [t for t in builds.tests(folder) if "core" in t.suites or t.name == "parts of the core"]
    for test in tests:
        if test.name == "core_storm":
            test.command.append(str(2000 * job.more["scale"]))
    again = [t for t in tests if t.name == "parts of the core"] * (job.more["scale"] // 4)
    return run_tests(job, log, seed, job.more["kind"], tests + again)


def within(job, log, tests, **options):
    """Runs programs two at a time; what the job's limit cuts off has failed."""
    end = time.monotonic() + job.minutes * 60

    def one(test):
        return places.run_one(test, job.name, log, limit=max(1, end - time.monotonic()), **options)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return [result for results in pool.map(one, tests) for result in results]


def run_tests(job, log, seed, kind, tests):
    if not tests:
        return [tap.Result(job.name, "skip", f"nothing to run: no {places.KVM}?")], []
    reports, env = places.sanitizer_env(kind, log)
    results = within(job, log, tests, env={**env, **env_of(job, seed)})
    kept = {test.name: test for test in tests}.values()
    return results + places.sanitizer_findings(kind, reports), figures_of(log, job.name, kept)


def fuzz_one(program, corpus, seconds, artifacts, seed):
    """(result, figures) of one fuzzer, begun from a copy of its corpus."""
    name = os.path.basename(program)
    with tempfile.TemporaryDirectory() as work:
        grown = os.path.join(work, "corpus")
        builds.quiet([sys.executable, os.path.join(builds.ROOT, "tests", "fuzz", "corpus.py"), "unpack", corpus, grown])
        text, status = places.run_group(
            [program, grown, f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=25", "-rss_limit_mb=4096",
             "-print_final_stats=1", f"-artifact_prefix={artifacts}/{name}-"], seconds + 120, folder=work)
    stats = {m[1]: m[2] for line in text.splitlines() if (m := FUZZ_FIGURE.match(line))}
    good = status == 0 and stats
    note = "" if good else "\n".join(text.splitlines()[-12:])
    ran = stats.get("number_of_executed_units", "?")
    return tap.Result(name, "pass" if good else "fail", note), [
        f"{name}: {ran} runs in {seconds} s, {stats.get('new_units_added', '?')} new inputs, status {status}"]


def fuzz(job, log, seed):
    """Each fuzzer for a while, two at a time. The build has the library's own assertions (checked)."""
    folder = builds.make("fuzz", ["tests/fuzz/fuzz_seeds"])
    targets = json.loads(builds.quiet(["meson", "introspect", "--targets", folder]))
    names = sorted(t["name"] for t in targets if t["name"].startswith("fuzz_") and t["name"] != "fuzz_seeds")
    builds.make("fuzz", [f"tests/fuzz/{name}" for name in names])
    artifacts = os.path.join(builds.ROOT, "build", "long", "fuzz")
    os.makedirs(artifacts, exist_ok=True)
    seconds = int(job.more["each"] * 60)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda name: fuzz_one(
            os.path.join(folder, "tests", "fuzz", name),
            os.path.join(builds.ROOT, "tests", "fuzz", "corpus", name.removeprefix("fuzz_") + ".txt"), seconds, artifacts,
            seed), names))
    for result, _ in done:
        log.keep(job.name, result.name, result.note)
    return [result for result, _ in done], [figure for _, figures in done for figure in figures]


def lab(job, log, seed):
    """All that a lab runs, its storms, kicks and cycles `scale` times as long."""
    folder = builds.make("gcc")
    stage = builds.stage(folder)
    which = job.more["place"]
    results = places.lab(folder, which, log, stage, more=env_of(job, seed),
                         stretch=job.more["scale"], minutes=job.minutes - 5)
    backend = which.removeprefix("lab-")
    tests = [t for t in builds.tests(folder) if "threads" in t.suites]
    for test in tests:
        test.name = places.lab_name(test, backend)
    return results, figures_of(log, which, tests)


def valgrind(job, log, seed):
    """What tools/test runs without valgrind: the other plain and conformance tests on both mocks. It does not
    know what the calls of KVM write, so that these are not for it."""
    folder = builds.make("gcc")
    tests = [t for t in builds.tests(folder) if t.suites & {"mock", "mock-autonomous", "contract", "core"}
             and not t.suites & {"valgrind", "threads", "faults", "host-kvm"} and t.command[0].startswith(folder)]
    return within(job, log, tests, wrap=places.VALGRIND), []


def mutants(job, log, seed):
    """A sample of mutants; survivors are figures, and only those without an argument fail the job."""
    command = [os.path.join(builds.ROOT, "tools", "mutate"), "--sample", str(job.more["sample"]), "--seed", "1", "--again"]
    text, status = places.run_group(command, job.minutes * 60)
    log.keep(job.name, "mutate", text)
    figures = [line for line in text.splitlines() if re.match(r"^\d+ mutants: |^survived ", line)]
    note = "" if status == 0 else "ended early" if status not in (0, 1) else "some survived"
    return [tap.Result("no mutant survives", "pass" if status == 0 else "fail", note)], figures


def small(job):
    """The job as a rehearsal runs it."""
    return Job(job.part, job.name, job.minutes, job.run,
               **{name: min(value, Job.small.get(name, value)) if name in Job.small else value
                  for name, value in job.more.items()})


def jobs():
    """All of them: the parts' limits are held by a test."""
    rows = []
    for kind, part, scale in [("gcc", 1, 60), ("tsan", 2, 20), ("asan", 3, 20)]:
        for place in ("mock", "mock-autonomous", "host-kvm"):
            times = scale // 2 if place == "host-kvm" else scale
            rows.append(Job(part, f"threads {kind} {place}", 35, threads, kind=kind, place=place, scale=times))
        rows.append(Job(part, f"core {kind}", 35, core, kind=kind, scale=scale * 2))
    rows.append(Job(1, "faults", 8, faults, scale=20))
    rows.append(Job(8, "schedules gcc", 50, schedules, kind="gcc", scale=40))
    rows.append(Job(8, "schedules tsan", 90, schedules, kind="tsan", scale=20))
    rows.append(Job(4, "fuzz", 100, fuzz, each=18))
    rows.append(Job(4, "valgrind", 45, valgrind))
    rows.append(Job(5, "lab-kvm", 145, lab, place="lab-kvm", scale=10))
    rows.append(Job(6, "lab-xen", 145, lab, place="lab-xen", scale=10))
    rows.append(Job(7, "mutants", 145, mutants, sample=400))
    return rows


def tree_digest():
    """Of what the jobs test; '' without git."""
    try:
        trees = subprocess.run(["git", "-C", builds.ROOT, "rev-parse", "HEAD:lib", "HEAD:include", "HEAD:tests"],
                               capture_output=True, text=True, check=True).stdout
        changes = subprocess.run(["git", "-C", builds.ROOT, "diff", "HEAD", "--", "lib", "include", "tests"],
                                 capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""
    return hashlib.sha1((trees + changes).encode()).hexdigest()[:12]


class State:
    """What became of the jobs."""

    def __init__(self, path):
        self.path, self.jobs = path, {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.jobs = json.load(file)

    def done(self, job, digest):
        entry = self.jobs.get(job.name)
        return bool(entry and entry["failed"] == 0 and entry["digest"] == digest)

    def seed(self, job):
        return self.jobs.get(job.name, {}).get("seed", 0) + 1

    def put(self, job, entry):
        self.jobs[job.name] = entry
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.jobs, file, indent=1)
        os.replace(self.path + ".new", self.path)


def run_job(job, state, digest):
    log = places.Log(os.path.join(builds.ROOT, "build", "long", "logs", job.name.replace(" ", "-")))
    seed, begin = state.seed(job), time.monotonic()
    print(f"{job.name}: begun {time.strftime('%H:%M')}, at most {job.minutes} minutes, seed {seed}", flush=True)
    results, figures = job.run(job, log, seed)
    if not results:
        results = [tap.Result(job.name, "fail", "nothing ran")]
    counts = {outcome: sum(r.outcome == outcome for r in results) for outcome in ("pass", "fail", "skip")}
    state.put(job, {"digest": digest, "seed": seed, "passed": counts["pass"], "failed": counts["fail"],
                    "skipped": counts["skip"], "minutes": round((time.monotonic() - begin) / 60, 1),
                    "figures": figures, "failures": [f"{r.name} {r.note}".strip() for r in results
                                                     if r.outcome == "fail"],
                    "when": time.strftime("%Y-%m-%d %H:%M")})


def report(every, state, digest):
    """The figures of all jobs; how many are left or failed."""
    print(f"\n{'job':<30}{'part':>5}{'seed':>6}{'passed':>8}{'failed':>8}{'skipped':>8}{'minutes':>9}  when")
    left = 0
    for job in every:
        entry = state.jobs.get(job.name)
        left += not state.done(job, digest)
        if not entry:
            print(f"{job.name:<30}{job.part:>5}   not run yet")
            continue
        print(f"{job.name:<30}{job.part:>5}{entry['seed']:>6}{entry['passed']:>8}{entry['failed']:>8}{entry['skipped']:>8}"
              f"{entry['minutes']:>9.1f}  {entry['when']}{'' if entry['digest'] == digest else ', of another tree'}")
    for job in every:
        entry = state.jobs.get(job.name, {"figures": [], "failures": []})
        for text in [*entry["figures"], *(f"FAIL {failure}" for failure in entry["failures"])]:
            print(f"  {job.name}: {text}")
    print(f"\n{len(every) - left} of {len(every)} jobs passed, {left} left")
    return left


@contextlib.contextmanager
def alone(path):
    """False when another run is at work on this state."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".lock", "w", encoding="utf-8") as lock:
        own = True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            own = False
        yield own


def run_chosen(chosen, every, path, fresh):
    if fresh and os.path.exists(path):
        os.unlink(path)
    state, digest = State(path), tree_digest()
    for job in chosen:
        if state.done(job, digest):
            print(f"{job.name}: has passed already, {state.jobs[job.name]['when']}", flush=True)
        else:
            run_job(job, state, digest)
    report(every, state, digest)
    return 0 if all(state.done(job, digest) for job in chosen) else 1


def main(part=None, fresh=False, rehearse=False, every=None, path=None):
    """Runs what is left of a part, or of all; the exit status."""
    every = every or jobs()
    if rehearse:
        every = [small(job) for job in every]
    chosen = [job for job in every if part in (None, job.part)]
    if not chosen:
        print(f"test: there is no part {part}: {sorted({job.part for job in every})}", file=sys.stderr)
        return 2
    path = path or os.path.join(builds.ROOT, "build", "long", "rehearsal" if rehearse else "state")
    with alone(path) as own:
        if own:
            return run_chosen(chosen, every, path, fresh)
    print("test: another tools/test --long is at work in this tree", file=sys.stderr)
    return 2
