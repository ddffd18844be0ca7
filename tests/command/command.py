"""The vsdk command on this machine: statuses, help, JSON, and the terminal. Prints TAP.

usage: command.py VSDK FOLDER-OF-GUESTS
"""
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time

VSDK, GUESTS = sys.argv[1], sys.argv[2]
number, failed = 0, 0


def result(good, name):
    global number, failed
    number += 1
    failed += not good
    print(("ok" if good else "not ok"), number, "-", name, flush=True)


def vsdk(*arguments, **options):
    return subprocess.run([VSDK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=options.pop("stdin", subprocess.DEVNULL), timeout=120, **options)


def flat(name, *more, backend="mock", **options):
    return vsdk("run", "--backend", backend, "--format", "flat", *more,
                os.path.join(GUESTS, name), **options)


def statuses():
    done = flat("exit7.bin")
    result(done.returncode == 7, f"the byte written to the exit port: {done.returncode}")
    result(flat("exit7.bin", "--exit-port-qemu").returncode == 15, "the same as QEMU gives it")
    result(flat("exit7.bin", "--exit-port", "0x502", "--timeout", "0.5").returncode != 7,
           "another port is another port")
    result(flat("spin.bin", "--timeout", "0.3").returncode == 124, "124 at the timeout")
    stuck = subprocess.Popen([VSDK, "run", "--backend", "mock", "--format", "flat", "--timeout", "1",
                              os.path.join(GUESTS, "flood.bin")],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    result(stuck.wait(timeout=120) == 124, "124 at the timeout though nobody reads the output")
    stuck.stdout.close()
    result(flat("spin.bin", "--timeout", "1e-12").returncode == 124, "the shortest time is not for ever")
    result(flat("exit7.bin", "--memory", "64m").returncode == 7, "suffixes may be small")
    result(flat("exit7.bin", "--vcpus", "08").returncode == 7, "numbers are not octal")
    for arguments in [["run"], ["run", "/does/not/exist"], ["run", "--memory", "5X", "x"],
                      ["run", "--vcpus", "-1", "x"], ["run", "--memory", "0", "x"], ["run", "--vcpus", "0", "x"],
                      ["nonsense"], [], ["info", "--backend", "no"]]:
        done = vsdk(*arguments)
        result(done.returncode == 125 and done.stderr, f"125 for {' '.join(arguments) or 'nothing'}")
    done = flat("exit7.bin", backend="nonsense")
    result(done.returncode == 125 and b"nonsense" in done.stderr, "125 and a word for no backend")
    done = vsdk("run", GUESTS)
    result(done.returncode == 125 and b"not a regular file" in done.stderr, f"a folder: {done.stderr}")
    done = vsdk("run", "--memory", "99999999999999999999", "x")
    result(done.returncode == 125 and b"too large" in done.stderr, f"a number of 67 bits: {done.stderr}")


def endings():
    for code, word in [(b"\xd9\xe8", b"vCPU 0 is at 0x7c00"), (b"\xba\x00\x06\xb0\x24\xee\xf4", b"suspend, 0x1")]:
        with tempfile.NamedTemporaryFile() as image:
            image.write(code)
            image.flush()
            done = vsdk("run", "--backend", "mock", "--format", "flat", image.name)
        result(done.returncode == 125 and word in done.stderr, f"what no status tells: {done.stderr}")


def words():
    result(b"usage" in vsdk("--help").stdout, "help")
    result(re.fullmatch(rb"vsdk \d+\.\d+\.\d+\n", vsdk("--version").stdout), "version")
    info = json.loads(vsdk("info", "--json").stdout)
    names = [backend["name"] for backend in info["backends"]]
    result(names == ["kvm", "xen", "mock", "mock-autonomous"], f"backends in JSON: {names}")
    good = all(b["reason"] if not b["available"] else b["capabilities"] for b in info["backends"])
    result(good, "each has capabilities, or a reason")
    with open("/dev/full", "wb") as full:
        for words_ in [["info"], ["info", "--json"], ["--help"], ["run", "-h"], ["--version"]]:
            done = subprocess.run([VSDK, *words_], stdout=full, stderr=subprocess.PIPE, timeout=60)
            result(done.returncode == 125 and done.stderr, f"{words_} to a full disk is a failure")


def warned():
    done = vsdk("run", "--backend", "mock", os.path.join(GUESTS, "multiboot.elf"))
    result(done.returncode == 41 and b"kernel_mode" in done.stderr,
           f"a kernel where kernel mode is emulated: {done.returncode} {done.stderr}")
    result(not flat("exit7.bin").stderr, "no warning for a flat binary")


def read_for(fd, seconds, until=None):
    text, end = b"", time.monotonic() + seconds
    while time.monotonic() < end and not (until and until in text):
        if select.select([fd], [], [], 0.05)[0]:
            try:
                text += os.read(fd, 4096)
            except OSError:
                break
    return text


def start_in_terminal(name, slave, timeout="60", **options):
    return subprocess.Popen([VSDK, "run", "--backend", "mock", "--format", "flat", "--timeout", timeout,
                             os.path.join(GUESTS, name)],
                            stdin=slave, stdout=slave, stderr=slave, **options)


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def is_raw(slave):
    return not termios.tcgetattr(slave)[3] & termios.ICANON


def in_terminal(finish):
    """Runs the echoing guest on a terminal; returns status, output, and whether it was restored."""
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    process = start_in_terminal("echo.bin", slave)
    text = read_for(master, 30, b"ready")
    raw = is_raw(slave)
    os.write(master, b"hi\x01\x01")
    text += read_for(master, 10, b"\x01")
    finish(process, master)
    status = process.wait(30)
    restored = termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
    return status, text, raw, restored


def terminal():
    status, text, raw, restored = in_terminal(lambda process, fd: os.write(fd, b"\x01x"))
    result(b"hi\x01" in text, f"what is typed reaches the guest: {text!r}")
    result(raw, "the terminal is raw while the guest runs")
    result(status == 130 and restored, f"Ctrl-A X leaves, the terminal as before: {status}")
    status, _, _, restored = in_terminal(lambda process, fd: process.terminate())
    result(status == 130 and restored, f"SIGTERM leaves, the terminal as before: {status}")
    status, _, _, restored = in_terminal(lambda process, fd: process.send_signal(6))
    result(restored, f"after SIGABRT too: {status}")


def deaf_guest():
    master, slave = pty.openpty()
    process = start_in_terminal("spin.bin", slave)
    wait_until(lambda: is_raw(slave))
    for _ in range(100):
        os.write(master, b"x" * 100)
        time.sleep(0.01)
    os.write(master, b"\x01x")
    result(process.wait(120) == 130, "Ctrl-A X leaves a guest that does not listen, whatever was typed before")
    os.close(master)
    os.close(slave)


def stopped():
    """In a process group of its own, as a shell's job: one without a parent outside can't be stopped."""
    master, slave = pty.openpty()
    process = start_in_terminal("spin.bin", slave, preexec_fn=lambda: os.setpgid(0, 0))
    wait_until(lambda: is_raw(slave))
    process.send_signal(signal.SIGTSTP)
    is_stopped = wait_until(lambda: os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT))
    result(is_stopped and not is_raw(slave), "a stopped run gives the terminal back")
    process.send_signal(signal.SIGCONT)
    result(wait_until(lambda: is_raw(slave)), "and takes it again when it goes on")
    process.terminate()
    result(process.wait(60) == 130 and not is_raw(slave), "and restores it at its end")
    os.close(master)
    os.close(slave)


def ignored():
    """As nohup runs a command: SIGHUP is ignored, and the time is over."""
    master, slave = pty.openpty()
    process = start_in_terminal("echo.bin", slave, timeout="2",
                                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    read_for(master, 30, b"ready")
    process.send_signal(signal.SIGHUP)
    result(process.wait(60) == 124, "a signal that is ignored stays ignored")
    os.close(master)
    os.close(slave)


def redirected():
    with open(os.path.join(GUESTS, "exit7.bin"), "rb") as file:
        result(flat("echo.bin", "--timeout", "2", stdin=file).stdout.startswith(b"ready"),
               "a file as standard input")
    done = subprocess.run(f"{VSDK} run --backend mock --format flat {GUESTS}/exit7.bin <&- >&- 2>&-",
                          shell=True, timeout=60)
    result(done.returncode == 7, "standard descriptors closed")
    with tempfile.NamedTemporaryFile() as kept:
        subprocess.run(f"{VSDK} run --backend mock --format flat --timeout 0.5 --debug-console {kept.name} "
                       f"{GUESTS}/flood.bin >&-", shell=True, timeout=60, stderr=subprocess.DEVNULL)
        result(not kept.read(), "a file of ours does not become the standard output")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([VSDK, "run", "--backend", "mock", "--format", "flat", "--timeout", "1",
                               os.path.join(GUESTS, "flood.bin")], stdin=subprocess.DEVNULL, stdout=full,
                              stderr=subprocess.PIPE, timeout=60)
        result(done.returncode == 124 and done.stderr.count(b"lost") == 1,
               f"output to a full disk, one complaint: {done.stderr}")


statuses()
endings()
words()
warned()
terminal()
deaf_guest()
stopped()
ignored()
redirected()
print(f"1..{number}")
sys.exit(failed != 0)
