# SPDX-License-Identifier: Apache-2.0
"""The places where tests run. Each gives a list of results."""
import concurrent.futures
import glob
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import builds
import tap

KVM = "/dev/kvm"
LEFT = "# left behind: "  # what a test leaves fails it, and must not become the next one's
EVERYWHERE = {"mock", "mock-autonomous", "host-kvm"}


class Log:
    """Where the shim writes what each function returned, and the raw output of every test."""

    def __init__(self, folder):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.shim = os.path.join(folder, "shim.log")

    def info(self, place):
        return os.path.join(self.folder, f"info-{place}.json")

    def keep(self, place, name, text):
        path = os.path.join(self.folder, place)
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, name.replace("/", "_") + ".log"), "w", encoding="utf-8") as f:
            f.write(text)


def hear_all():
    """What is started has every signal at its default, however this was started: a child inherits that a
    signal is ignored, as nohup and the background of `sh` have it, but no handler."""
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


running = set()
stopping = threading.Event()


def signal_group(run, number):
    try:
        os.killpg(run.pid, number)
    except ProcessLookupError:
        pass


def has_ended(run):
    try:
        return os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def stop():
    """Ends all that runs: with SIGTERM, so that a lab can clean up, and what is left with SIGKILL.
    For a signal handler: the thread that it interrupted may be waiting for one of them."""
    stopping.set()
    for run in list(running):
        signal_group(run, signal.SIGTERM)
    end = time.monotonic() + 10
    while time.monotonic() < end and not all(has_ended(run) for run in list(running)):
        time.sleep(0.05)
    for run in list(running):
        signal_group(run, signal.SIGKILL)


def run_group(command, limit=None, env=None, folder=builds.ROOT):
    """Output and status of a command in a process group of its own, which ends with it. Its output
    goes to a file: a process that left the group can't keep us waiting for the end of a pipe."""
    with tempfile.TemporaryFile() as output:
        if stopping.is_set():
            return "", 130
        run = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, cwd=folder, start_new_session=True)
        running.add(run)
        if stopping.is_set():  # it began when stop() had looked already
            signal_group(run, signal.SIGTERM)
        try:
            status, last = run.wait(limit), ""
        except subprocess.TimeoutExpired:
            status, last = 124, "\ntimed out\n"
        signal_group(run, signal.SIGKILL)
        run.wait()
        running.discard(run)
        output.seek(0)
        return output.read().decode(errors="replace") + last, status


def tell_failures(place, results, text):
    """Names them, with the end of what the program said."""
    failed = [result for result in results if result.outcome == "fail"]
    if failed and not stopping.is_set():
        print("".join(f"FAIL {place}: {result.name} {result.note}\n" for result in failed)
              + "".join(f"    | {line}\n" for line in text.splitlines()[-40:]), flush=True, end="")


def run_one(test, place, log, wrap=(), env=None, limit=None):
    """Runs one test program here."""
    full = {**os.environ, **test.env, **(env or {})}
    text, status = run_group([*wrap, *test.command], limit or test.timeout * (10 if wrap else 2), full)
    log.keep(place, test.name, text)
    results = tap.of_run(text, status, test.name)
    tell_failures(place, results, text)
    return results


def run_all(tests, place, log, jobs=2, **options):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        lists = pool.map(lambda test: run_one(test, place, log, **options), tests)
        return [result for results in lists for result in results]


def shim_env(folder, log):
    shim = os.path.join(folder, "tests", "generated", "vsdk-shim.so")
    return {"LD_PRELOAD": shim, "VSDK_SHIM_LOG": log.shim} if os.path.exists(shim) else {}


def host(folder, place, log, wanted):
    """A place on this machine, in the plain build."""
    if place == "host":
        elsewhere = EVERYWHERE | {"lab", "lab-kvm", "lab-xen"}
        tests = [t for t in wanted if not t.suites & elsewhere]
        plain = [t for t in tests if not t.suites & {"contract", "faults"}]
        noted = [t for t in tests if t.suites & {"contract", "faults"}]
        return run_all(plain, place, log) + run_all(noted, place, log, env=shim_env(folder, log))
    tests = [t for t in wanted if place in t.suites]
    return run_all(tests, place, log, env=shim_env(folder, log))


def sanitizer_findings(place, reports):
    found = []
    for path in sorted(glob.glob(reports + "*")):
        with open(path, encoding="utf-8", errors="replace") as f:
            print(f"FAIL {place}: {path}\n{f.read()[:4000]}", flush=True)
        found.append(tap.Result(f"sanitizer report {os.path.basename(path)}", "fail"))
    return found


def sanitizer_env(kind, log):
    """Where a build with sanitizers puts what it finds, and the environment that says so."""
    reports = os.path.join(log.folder, kind + "-report")
    options = f"log_path={reports}:exitcode=66"
    return reports, {"ASAN_OPTIONS": options + ":detect_leaks=1:allocator_may_return_null=1",
                     "TSAN_OPTIONS": options,
                     "UBSAN_OPTIONS": options + ":print_stacktrace=1:halt_on_error=1"}


def sanitized(kind, log, suites):
    """The suites named, in a build with sanitizers; any report is a failure. Interposers and the
    sanitizers' own would be in each other's way."""
    folder = builds.make(kind)
    reports, env = sanitizer_env(kind, log)
    tests = [t for t in builds.tests(folder) if t.suites & suites and "faults" not in t.suites]
    skipped = []
    if not os.path.exists(KVM):
        tests = [t for t in tests if "host-kvm" not in t.suites]
        skipped = [tap.Result("host-kvm", "skip", f"no {KVM} here")]
    return run_all(tests, kind, log, env=env) + skipped + sanitizer_findings(kind, reports)


VALGRIND = ["valgrind", "--quiet", "--error-exitcode=66", "--leak-check=full",
            "--errors-for-leak-kinds=definite", "--trace-children=yes",
            "--trace-children-skip=/bin/*,/usr/bin/*"]


def valgrind(folder, log):
    tests = [t for t in builds.tests(folder) if "valgrind" in t.suites]
    return run_all(tests, "valgrind", log, wrap=VALGRIND)


def bench(log, quick):
    """What the benches count, against the limits that stand there; in the lab too unless `quick`."""
    path = os.path.join(log.folder, "bench.json")
    command = f"exec tools/bench --counts --json {'--quick' if quick else ''} >{shlex.quote(path)}"
    text, status = run_group(["sh", "-c", command])
    log.keep("bench", "bench", text)
    if status:
        results = [tap.Result("tools/bench", "fail", f"status {status}")]
    else:
        with open(path, encoding="utf-8") as f:
            rows = json.load(f)
        results = [tap.Result(f"{name}, {label}", "pass" if figure["kept"] else "fail",
                              f"{figure['ours']:.4g} {figure['unit']}, at most {figure['limit']:g}")
                   for name, row in rows.items() for label, figure in row["figures"].items() if "limit" in figure]
    tell_failures("bench", results, text)
    return results


def in_lab(word):
    """A word of a command as it is in the lab, where every file lies in the current folder."""
    ours = word.startswith(builds.ROOT) and os.path.exists(word)
    return "./" + os.path.basename(word) if ours else word


def lab_name(test, backend):
    return test.name.replace(" on mock", f" on {backend}")


def lab_script(tests, backend, more=None, stretch=1):
    """A shell script for the inside of a lab: each test between markers, with the backend's name;
    `more` goes into the environment, and a test may take `stretch` times as long."""
    lines = ["export VSDK_SHIM_LOG=/t/shim.log", ": >shim.log", "vsdk info --json >info.json"]
    for test in tests:
        env = {**test.env, **(more or {}), "VSDK_TEST_BACKEND": backend, "VSDK_GUEST_DIR": "/t/guest"}
        env.pop("LD_LIBRARY_PATH", None)  # of the build folder; the lab has its own
        words = " ".join(f"{key}={shlex.quote(value)}" for key, value in env.items())
        command = " ".join(shlex.quote(in_lab(word)) for word in test.command)
        lines += [f"echo {shlex.quote('### ' + lab_name(test, backend))}",
                  f"env LD_PRELOAD=/t/vsdk-shim.so {words} timeout {test.timeout * stretch} {command} 2>&1",
                  "status=$?"]
        if backend == "xen":
            lines.append(f"vsdk reap 2>&1 | sed 's/^/{LEFT}/'")
        lines.append('echo "### = $status"')
    return "\n".join(lines) + "\n"


def split_lab_output(text):
    """(name, text, status) of each test in a lab's output."""
    name, lines = None, []
    for line in text.splitlines():
        if line.startswith("### = "):
            yield name, "\n".join(lines) + "\n", int(line[6:] or 1)
            name = None
        elif line.startswith("### "):
            name, lines = line[4:], []
        else:
            lines.append(line)
    if name:
        yield name, "\n".join(lines) + "\n(the lab ended here)\n", 255


def lab(folder, which, log, stage, suites=None, more=None, stretch=1, minutes=30):
    """One of the labs, with the same binaries; of `suites` only, if they are given."""
    backend = {"lab-kvm": "kvm", "lab-xen": "xen"}[which]
    tests = [t for t in builds.tests(folder) if t.suites & {"mock", "lab", which}
             and (not suites or t.suites & suites)]
    names = [lab_name(test, backend) for test in tests]
    with tempfile.TemporaryDirectory() as work:
        script = os.path.join(work, "lab-tests.sh")
        with open(script, "w", encoding="utf-8") as f:
            f.write(lab_script(tests, backend, more, stretch))
        guest = os.path.join(work, "guest")
        builds.quiet([os.path.join(builds.ROOT, "tools", "guest"), guest])
        files = {script, guest, os.path.join(folder, "tests", "generated", "vsdk-shim.so"),
                 *(word for test in tests for word in test.command if in_lab(word) != word)}
        command = [os.path.join(builds.ROOT, "tools", "lab"), backend, "--timeout", str(minutes * 60),
                   "--stage", stage, "--out", "shim.log", "--out", "info.json"]
        for path in sorted(files):
            command += ["--file", path]
        text, _ = run_group([*command, "--", "sh ./lab-tests.sh"], folder=work)
        log.keep(which, "lab", text)
        if os.path.exists(os.path.join(work, "info.json")):
            shutil.copy(os.path.join(work, "info.json"), log.info(which))
        brought = os.path.join(work, "shim.log")
        if os.path.exists(brought):
            with open(brought, encoding="utf-8") as back, open(log.shim, "a", encoding="utf-8") as f:
                f.write(back.read())
    results, seen = [], []
    for name, output, status in split_lab_output(text):
        seen.append(name)
        log.keep(which, name, output)
        of_test = tap.of_run(output, status, name)
        of_test += [tap.Result(f"{name}: leaves no guest", "fail", line)
                    for line in output.splitlines() if line.startswith(LEFT)]
        tell_failures(which, of_test, output)
        results += of_test
    missing = [tap.Result(name, "fail", "did not run") for name in names if name not in seen]
    tell_failures(which, missing, text)
    return results + missing


def timed(function, *arguments, **options):
    begin = time.monotonic()
    results = function(*arguments, **options)
    return results, (time.monotonic() - begin) / 60
