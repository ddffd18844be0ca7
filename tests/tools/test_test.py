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
        result(lab_outcomes(root, one + two) == ["pass", "pass"], "a lab that runs all")
        result(lab_outcomes(root, "exit 125") == ["fail", "fail"], "a lab that does not boot")
        result(lab_outcomes(root, "exit 0") == ["fail", "fail"], "a lab that says nothing")
        result(lab_outcomes(root, one) == ["pass", "fail"], "a lab that leaves one out")
        ends = one + "echo '### two on kvm'; echo ok 1 - a; echo 1..1"
        result(lab_outcomes(root, ends) == ["pass", "pass", "fail"], "a lab that ends in a test")


notices()
labs()
leaves_nothing()
stops()
print(f"1..{number}")
sys.exit(failed != 0)
