# SPDX-License-Identifier: Apache-2.0
"""Leaving the vsdk command: Ctrl-A X and signals, whatever is stuck, and the terminal afterwards.

usage: leaving.py VSDK FOLDER-OF-GUESTS
"""
import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
import threading
import tty

from here import (GUESTS, VSDK, done, file_of, is_raw, out, read_for, result, start,
                  start_in_terminal, status_of, terminal, wait_until)


def in_terminal(finish):
    """Runs the echoing guest on a terminal; returns status, output, and whether it was restored."""
    with terminal() as (master, slave):
        before = termios.tcgetattr(slave)
        process = start_in_terminal("echo.bin", slave)
        text = read_for(master, 30, b"ready")
        raw = is_raw(slave)
        os.write(master, b"hi\x01\x01")
        text += read_for(master, 10, b"\x01")
        finish(process, master)
        status = status_of(process)
        return status, text, raw, termios.tcgetattr(slave) == before


def terminal_and_escape():
    status, text, raw, restored = in_terminal(lambda process, fd: os.write(fd, b"\x01x"))
    result(b"hi\x01" in text, f"what is typed reaches the guest: {text!r}")
    result(raw, "the terminal is raw while the guest runs")
    result(text.count(b"Ctrl-A X leaves") == 1, f"it says once how to leave: {text!r}")
    result(status == 130 and restored, f"Ctrl-A X leaves, the terminal as before: {status}")
    with open("/dev/null", "rb") as nothing:
        process = start("exit7.bin", nothing, stderr=subprocess.PIPE)
        result(b"Ctrl" not in process.communicate()[1], "not where standard input is no terminal")


def every_signal():
    orderly = ["HUP", "INT", "TERM", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "IO", "PWR", "STKFLT", "XCPU"]
    for name in orderly + ["QUIT", "ABRT", "SEGV", "TRAP", "SYS", "RTMIN"]:
        number = getattr(signal, "SIG" + name, 16)  # Python does not know SIGSTKFLT
        status, _, _, restored = in_terminal(lambda process, fd: process.send_signal(number))
        good = status == 130 if name in orderly else status == -number
        result(good and restored, f"SIG{name} ends it, the terminal as before: {status}")


def deaf_guest():
    with terminal() as (master, slave):
        process = start_in_terminal("spin.bin", slave)
        wait_until(lambda: is_raw(slave))
        for _ in range(100):
            os.write(master, b"x" * 100)
            read_for(master, 0.01)
        os.write(master, b"\x01x")
        result(status_of(process, 120) == 130,
               "Ctrl-A X leaves a guest that does not listen, whatever was typed before")


def fill(fd):
    """Until a pipe or terminal takes nothing more."""
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    try:
        while True:
            os.write(fd, b"." * 100)
    except BlockingIOError:
        pass
    fcntl.fcntl(fd, fcntl.F_SETFL, flags)


def stuck_output():
    """Nobody reads what a guest writes without end, and something is typed before the escape."""
    with terminal() as (master, slave):
        reader, writer = os.pipe()
        fill(writer)
        with open(os.devnull, "wb") as nothing:
            process = start("flood.bin", slave, stdout=writer, stderr=nothing)
            wait_until(lambda: is_raw(slave))
            os.write(master, b"typed")
            read_for(master, 0.5)  # so that the escape is not read together with it
            os.write(master, b"\x01x")
            result(status_of(process) == 130, "Ctrl-A X leaves though a pipe takes no output")
        os.close(reader)
        os.close(writer)
    with terminal() as (master, slave), terminal() as (_, silent):
        with open(os.devnull, "wb") as nothing:
            process = start("flood.bin", slave, stdout=silent, stderr=nothing)
            wait_until(lambda: is_raw(slave))
            read_for(master, 0.5)
            os.write(master, b"typed")
            read_for(master, 0.5)
            os.write(master, b"\x01x")
            result(status_of(process) == 130, "Ctrl-A X leaves though a terminal takes no output")


def stuck_complaint():
    """Standard error is the same pipe."""
    reader, writer = os.pipe()
    fill(writer)
    with open(os.devnull, "rb") as nothing:
        process = start("flood.bin", nothing, timeout="1", stdout=writer, stderr=writer)
        result(status_of(process) == 124, "it ends at the timeout though nobody reads its complaint")
    os.close(reader)
    os.close(writer)


def shared_description():
    """O_NONBLOCK would be everybody's who has the pipe."""
    reader, writer = os.pipe()
    with open(os.devnull, "rb") as nothing:
        process = start("echo.bin", nothing, stdout=writer)
        read_for(reader, 30, b"ready")
        result(not fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK,
               "the pipe that it was given stays as it is")
        process.terminate()
        status_of(process)
    os.close(reader)
    os.close(writer)


def slow(where, signal_number):
    with open(os.devnull, "rb") as nothing:
        process = start("exit7.bin", nothing, stderr=subprocess.PIPE,
                        env={**os.environ, "LD_PRELOAD": os.path.join(GUESTS, "slow.so"), "VSDK_SLOW": where})
        hangs = b"hangs" in read_for(process.stderr.fileno(), 30, b"hangs")
        process.send_signal(signal_number)
        status = status_of(process)
        process.stderr.close()
        return hangs and status in (130, -signal_number)


def long_load():
    for name in "INT", "TERM":
        number = getattr(signal, "SIG" + name)
        result(slow("disk", number), f"SIG{name} ends it while a file is read from a disk that hangs")
        result(slow("build", number), f"SIG{name} ends it while the guest is loaded")


def answer_late(master, stop, answers_well):
    """A terminal at the end of a long line: it answers half a moment after it was asked."""
    seen = b""
    while not stop.is_set():
        seen += read_for(master, 0.1)
        if b"\x1b[6n" in seen:
            stop.wait(0.3)
            os.write(master, b"\x1b[24;80R")
            seen = seen.replace(b"\x1b[6n", b"")
        if b"\x1b[5n" in seen and answers_well:
            os.write(master, b"\x1b[0n")
            seen = seen.replace(b"\x1b[5n", b"")


def left_over(slave):
    tty.setraw(slave)
    return read_for(slave, 0.6)


def answers(answers_well):
    text = b"".join(out(0x3f8, byte) for byte in b"\x1b[6n")
    with file_of(text + out(0xf4, 7)) as guest, terminal() as (master, slave):
        stop = threading.Event()
        thread = threading.Thread(target=answer_late, args=(master, stop, answers_well))
        thread.start()
        process = subprocess.Popen([VSDK, "run", "--backend", "mock", "--format", "flat", guest],
                                   stdin=slave, stdout=slave, stderr=slave)
        status = status_of(process)
        left = left_over(slave)
        stop.set()
        thread.join()
    result(status == 7 and not left, f"what the terminal answered the guest is not the shell's: {left!r}")


def typed_ahead():
    """What was typed at the guest and not read."""
    with terminal() as (master, slave):
        process = start_in_terminal("spin.bin", slave)
        wait_until(lambda: is_raw(slave))
        process.send_signal(signal.SIGSTOP)
        os.write(master, b"reboot\n")
        process.terminate()
        process.send_signal(signal.SIGCONT)
        status = status_of(process)
        left = left_over(slave)
    result(status == 130 and not left, f"what was typed at the guest is not the shell's: {left!r}")


def stopped():
    """In a process group of its own, as a shell's job: one without a parent outside can't be stopped."""
    with terminal() as (_, slave):
        process = start_in_terminal("spin.bin", slave, preexec_fn=lambda: os.setpgid(0, 0))
        wait_until(lambda: is_raw(slave))
        process.send_signal(signal.SIGTSTP)
        is_stopped = wait_until(
            lambda: os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT))
        result(is_stopped and not is_raw(slave), "a stopped run gives the terminal back")
        process.send_signal(signal.SIGCONT)
        result(wait_until(lambda: is_raw(slave)), "and takes it again when it goes on")
        process.terminate()
        result(status_of(process) == 130 and not is_raw(slave), "and restores it at its end")


def ignored():
    """As nohup runs a command: SIGHUP is ignored, and the time is over."""
    with terminal() as (master, slave):
        process = start_in_terminal("echo.bin", slave, timeout="2",
                                    preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        read_for(master, 30, b"ready")
        process.send_signal(signal.SIGHUP)
        result(status_of(process, 60) == 124, "a signal that is ignored stays ignored")


def however_started():
    """nohup ignores a signal, `sh -c '... &'` two, and what is started inherits that."""
    ignored_here = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
    look = "import here, subprocess; subprocess.run(['cat', '/proc/self/status'])"
    run = subprocess.run([sys.executable, "-c", look, VSDK, GUESTS], cwd=os.path.dirname(os.path.abspath(__file__)),
                         stdout=subprocess.PIPE, text=True, check=True, timeout=60,
                         preexec_fn=lambda: [signal.signal(number, signal.SIG_IGN) for number in ignored_here])
    mask = int(re.search(r"^SigIgn:\s*(\w+)", run.stdout, re.M)[1], 16)
    left = {number.name for number in ignored_here if mask >> number - 1 & 1}
    result(not left, f"what these tests start ignores no signal, however they were started: {left or ''}")


however_started()
terminal_and_escape()
every_signal()
deaf_guest()
stuck_output()
stuck_complaint()
shared_description()
long_load()
answers(True)
answers(False)
typed_ahead()
stopped()
ignored()
done()
