# SPDX-License-Identifier: Apache-2.0
"""What tools/test notices: each way in which a test can go wrong is tried. Prints TAP.

usage: test_test.py SOURCE-ROOT
"""
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(sys.argv[1], "tools", "test.d"))
import builds  # noqa: E402
import long  # noqa: E402
import places  # noqa: E402
import tap  # noqa: E402

number, failed = 0, 0


def result(good, name):
    global number, failed
    number += 1
    failed += not good
    print(("ok" if good else "not ok"), number, "-", name, flush=True)


def outcomes(script, limit=60):
    text, status = places.run_group(["/bin/sh", "-c", script], limit)
    return [r.outcome for r in tap.of_run(text, status, "test")]


def notices():
    result(outcomes("echo ok 1 - a; echo ok 2 - b; echo 1..2") == ["pass", "pass"], "tests that pass")
    result(outcomes("echo 1..2; echo ok 1 - a; echo ok 2 - b") == ["pass", "pass"], "the plan may be first")
    result(outcomes("echo 1..0 '# SKIP because'") == ["skip"], "a program that skips all")
    result(outcomes("echo 'ok 1 - a # SKIP because'; echo 1..1") == ["skip"], "a test that is skipped")
    result(outcomes("echo not ok 1 - a; echo 1..1") == ["fail"], "a failure, though the program succeeds")
    for script, what in [
            ("echo 'ok 1 - a # SKIP'; echo 1..1", "a skip that does not say why"),
            ("echo 1..0", "a program without tests that does not say why"),
            ("true", "a program that prints nothing"),
            ("exit 77", "one that prints nothing and says skip by its status"),
            ("exit 1", "one that prints nothing and fails"),
            ("echo ok 1 - a", "an end before the plan"),
            ("echo 1..2; echo ok 1 - a", "an end before the last test"),
            ("echo ok 1 - a; echo 1..1; exit 1", "a failure after the last test"),
            ("echo ok 1 - a; echo 1..1; kill -SEGV $$", "a crash after the last test"),
            ("echo 1..0; exit 1", "a failure that says that it skips"),
            ("echo ok 1 - a; echo 1..1; sleep 60", "a program that hangs"),
            ("echo ok 1 - a; setsid sleep 60 & sleep 60", "a program that hangs, with a child elsewhere")]:
        begin = time.monotonic()
        got = outcomes(script, 1)
        result("fail" in got and time.monotonic() - begin < 50, f"{what}: {got}")


def leaves_nothing():
    """The end of a program is the end of its group."""
    text, _ = places.run_group(["/bin/sh", "-c", "sleep 60 & echo $!"], 60)
    end = time.monotonic() + 30
    while os.path.exists(f"/proc/{text.strip()}") and time.monotonic() < end:
        time.sleep(0.05)
    result(not os.path.exists(f"/proc/{text.strip()}"), "what a program leaves in its group ends")


def stops():
    """tools/test is told to end while a test runs: the test gets the signal, the next never begins."""
    program = ("import signal, sys, main, places\n"
               "signal.signal(signal.SIGTERM, main.interrupted)\n"
               "print('here', flush=True)\n"
               "places.run_all([1, 2, 3], 'nowhere', None)\n")
    script = "echo x >>began; trap 'echo y >ended; exit' TERM; sleep 60 & wait"
    stand_in = ("import places, tap\n"
                "def one(test, place, log):\n"
                f"    text, status = places.run_group(['/bin/sh', '-c', {script!r}], 60, folder='.')\n"
                "    return [tap.Result('test', 'fail')]\n"
                "places.run_one = one\n")
    with tempfile.TemporaryDirectory() as work:
        run = subprocess.Popen([sys.executable, "-c", stand_in + program], cwd=work,
                               stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": sys.path[0]})
        while not os.path.exists(os.path.join(work, "began")):
            time.sleep(0.05)
        time.sleep(0.5)
        run.terminate()
        status = run.wait(60)
        run.stdout.close()
        result(status == 143, f"SIGTERM ends it: {status}")
        result(os.path.exists(os.path.join(work, "ended")), "what runs gets the signal too")
        with open(os.path.join(work, "began"), encoding="utf-8") as file:
            began = len(file.readlines())
        result(began <= 2, f"nothing begins afterwards: {began} began")


def lab_outcomes(root, script):
    """Of the tests `one` and `two` in a lab that does what the script says."""
    with open(os.path.join(root, "tools", "lab"), "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + script)
    with contextlib.redirect_stdout(io.StringIO()):
        results = places.lab(root, "lab-kvm", places.Log(os.path.join(root, "log")), root)
    return [r.outcome for r in results]


def labs():
    good = "echo '### {0} on kvm'; echo ok 1 - a; echo 1..1; echo '### = 0'\n"
    one, two = good.format("one"), good.format("two")
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(os.path.join(root, "tools"))
        for name in ("lab", "guest"):
            with open(os.path.join(root, "tools", name), "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\n")
            os.chmod(os.path.join(root, "tools", name), 0o755)
        builds.ROOT = root
        builds.tests = lambda folder: [
            builds.Test({"name": f"{name} on mock", "cmd": ["true"], "env": {}, "suite": ["vsdk:mock"],
                         "timeout": 1}, folder) for name in ("one", "two")]
        script = places.lab_script(builds.tests(""), "kvm", {"VSDK_TEST_SCALE": "7"}, 5)
        result("VSDK_TEST_SCALE=7" in script and "timeout 5 " in script, "a long run in a lab has its scale and time")
        result(lab_outcomes(root, one + two) == ["pass", "pass"], "a lab that runs all")
        result(lab_outcomes(root, "exit 125") == ["fail", "fail"], "a lab that does not boot")
        result(lab_outcomes(root, "exit 0") == ["fail", "fail"], "a lab that says nothing")
        result(lab_outcomes(root, one) == ["pass", "fail"], "a lab that leaves one out")
        ends = one + "echo '### two on kvm'; echo ok 1 - a; echo 1..1"
        result(lab_outcomes(root, ends) == ["pass", "pass", "fail"], "a lab that ends in a test")


def long_run(root, every, **options):
    """(status, what it said) of tools/test --long with these jobs."""
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        status = long.main(every=every, path=os.path.join(root, "state"), **options)
    return status, said.getvalue()


def longs():
    """The long run: its parts, what it goes on with, what it prints."""
    sums = {}
    for job in long.jobs():
        sums[job.part] = sums.get(job.part, 0) + job.minutes
    result(all(total < long.PART_LIMIT for total in sums.values()), f"each part is under 150 minutes: {sums}")
    rehearsed = [long.small(job) for job in long.jobs()]
    result(all(job.more.get("scale", 1) == 1 for job in rehearsed) and
           [(job.name, job.part, job.run) for job in rehearsed] == [(job.name, job.part, job.run) for job in long.jobs()],
           "a rehearsal has the same jobs, small")
    corpora = os.path.join(sys.argv[1], "tests", "fuzz", "corpus")
    with tempfile.TemporaryDirectory() as work:
        fuzzer = os.path.join(work, "fuzz_elf")
        with open(fuzzer, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n[ $(ls $1 | wc -l) -gt 1 ] && echo stat::number_of_executed_units: 5\n")
        os.chmod(fuzzer, 0o755)
        found, _ = long.fuzz_one(fuzzer, os.path.join(corpora, "elf.txt"), 1, work, 1)
        result(found.outcome == "pass", f"a fuzzer begins with its corpus: {found.note}")
    names = [job.name for job in long.jobs()]
    result(len(set(names)) == len(names), "each job has a name of its own")
    ran, outcome = [], {"b": "fail"}

    def work(job, log, seed):
        ran.append((job.name, seed))
        if outcome.get(job.name) == "ends":
            raise KeyboardInterrupt
        return [tap.Result(job.name, outcome.get(job.name, "pass"))], [f"{seed} figures"]
    with tempfile.TemporaryDirectory() as root:
        builds.ROOT = root
        every = [long.Job(1, "a", 1, work), long.Job(1, "b", 1, work), long.Job(2, "c", 1, work)]
        with long.alone(os.path.join(root, "state")):
            status, said = long_run(root, every, part=1)
        result(status == 2 and "another" in said and not ran, "two long runs in one tree are one too many")
        status, said = long_run(root, every, part=1)
        result(status == 1 and ran == [("a", 1), ("b", 1)], f"a part runs its jobs, one failed: {ran}")
        result("a: 1 figures" in said and "FAIL b" in said and "1 of 3 jobs passed, 2 left" in said,
               "it prints figures and failures")
        ran.clear()
        outcome["b"] = "pass"
        status, said = long_run(root, every, part=1)
        result(status == 0 and ran == [("b", 2)], f"what passed is not run again, what failed is: {ran}")
        ran.clear()
        outcome["c"] = "ends"
        try:
            long_run(root, every)
        except KeyboardInterrupt:
            pass
        outcome["c"] = "pass"
        status, _ = long_run(root, every)
        result(status == 0 and [name for name, _ in ran] == ["c", "c"], f"a run that was ended goes on: {ran}")
        ran.clear()
        status, _ = long_run(root, every, fresh=True)
        result(status == 0 and len(ran) == 3, "--fresh forgets")
        result(long_run(root, every, part=9)[0] == 2, "a part that is not there")
        empty = [long.Job(1, "d", 1, lambda job, log, seed: ([], []))]
        result(long_run(root, empty)[0] == 1, "a job in which nothing ran has failed")
        slow = builds.Test({"name": "slow", "cmd": ["/bin/sh", "-c", "echo ok 1 - a; echo 1..1; sleep 60"], "env": {},
                            "suite": [], "timeout": 1}, root)
        late = [long.Job(1, "e", 1 / 60, lambda job, log, seed: (long.within(job, log, [slow] * 3), []))]
        begin = time.monotonic()
        status, _ = long_run(root, late)
        result(status == 1 and time.monotonic() - begin < 40, "a job ends at its limit")


def lab_options():
    """Without eager-fpu this Xen loses the SSE registers of guests with two processors."""
    done = subprocess.run(["bash", "-c", 'build=B mem=64 linux_options=; qemu=(); . "$0"; machine_kernel_xen; echo "${qemu[@]}"',
                           os.path.join(sys.argv[1], "tools", "lab.d", "machine.sh")], capture_output=True, text=True)
    result("spec-ctrl=no,eager-fpu " in done.stdout, f"the Xen lab has eager-fpu: {done.stdout}".strip().replace("\n", " "))


notices()
longs()
lab_options()
labs()
leaves_nothing()
stops()
print(f"1..{number}")
sys.exit(failed != 0)
