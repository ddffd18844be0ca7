# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command share: running it, with and without a terminal, and TAP.

Each test is started as: TEST VSDK FOLDER-OF-GUESTS
"""
import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time

VSDK, GUESTS = (os.path.abspath(word) for word in sys.argv[1:3])
count = {"number": 0, "failed": 0}


def hear_all():
    """What is started has every signal at its default, however this was started: a child inherits that a
    signal is ignored, as nohup and the background of `sh` have it, but no handler."""
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


hear_all()


def result(good, name):
    count["number"] += 1
    count["failed"] += not good
    print(("ok" if good else "not ok"), count["number"], "-", name.replace("\n", " "), flush=True)


def skip(name, why):
    count["number"] += 1
    print("ok", count["number"], "-", name, "# SKIP", why, flush=True)


def done():
    print(f"1..{count['number']}")
    sys.exit(count["failed"] != 0)


def vsdk(*arguments, **options):
    return subprocess.run([VSDK, *arguments], stdout=options.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, stdin=options.pop("stdin", subprocess.DEVNULL),
                          timeout=120, **options)


def flat(name, *more, backend="mock", **options):
    return vsdk("run", "--backend", backend, "--format", "flat", *more,
                os.path.join(GUESTS, name), **options)


@contextlib.contextmanager
def file_of(code):
    with tempfile.NamedTemporaryFile() as file:
        file.write(code)
        file.flush()
        yield file.name


def run_code(code, *more, **options):
    """A guest of a few bytes, in real mode at 0:0x7c00."""
    with file_of(code) as name:
        return flat(name, *more, **options)


def out(port, value):
    """mov dx, port; mov al, value; out dx, al"""
    return b"\xba" + port.to_bytes(2, "little") + b"\xb0" + bytes([value]) + b"\xee"


def read_for(fd, seconds, until=None):
    text, end = b"", time.monotonic() + seconds
    while time.monotonic() < end and not (until and until in text):
        if select.select([fd], [], [], 0.05)[0]:
            try:
                text += os.read(fd, 4096)
            except OSError:
                break
    return text


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def is_raw(slave):
    return not termios.tcgetattr(slave)[3] & termios.ICANON


@contextlib.contextmanager
def terminal():
    master, slave = pty.openpty()
    try:
        yield master, slave
    finally:
        os.close(master)
        os.close(slave)


def start(name, stdin, *more, timeout="60", **options):
    return subprocess.Popen([VSDK, "run", "--backend", "mock", "--format", "flat", "--timeout", timeout,
                             *more, os.path.join(GUESTS, name)], stdin=stdin, **options)


def start_in_terminal(name, slave, *more, **options):
    return start(name, slave, *more, stdout=slave, stderr=slave, **options)


def status_of(process, seconds=30):
    """The status, or None (and the process is killed) if it does not end."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None
