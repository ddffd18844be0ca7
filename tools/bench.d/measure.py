"""The rows of the table, each a function of (tools, pairs) that gives a list of rows."""
import json
import os
import re
import subprocess
import tempfile

import build

FEW, MANY = 1000, 3000
MEMORY_KIB = 128 << 10


def have_kvm():
    return os.path.exists("/dev/kvm")


def run(command, **options):
    return subprocess.run([str(word) for word in command], check=True, text=True,
                          stdout=subprocess.PIPE, **options).stdout


def bench(tools, *arguments):
    return [json.loads(line) for line in run([tools.bench, *arguments]).splitlines()]


def counted(name, place, unit, ours, raw, **more):
    """A row of what is counted and not timed: it has no noise."""
    ratio = ours / raw if raw else None
    return {"name": name, "place": place, "unit": unit, "ours": ours, "raw": raw, "ratio": ratio,
            "noise": None, "runs": 1, **more}


def slope(count):
    """What one more exit adds to a count of a whole program."""
    return (count(MANY) - count(FEW)) / (MANY - FEW)


def create(tools, pairs):
    return bench(tools, "create", pairs) if have_kvm() else []


def ioctls(tools, what, exits):
    done = subprocess.run([tools.bench, "only-exits", str(exits), what], check=True, text=True,
                          stderr=subprocess.PIPE, env={**os.environ,
                                                       "LD_PRELOAD": tools.count_ioctls})
    return int(re.search(r"ioctls (\d+)", done.stderr).group(1))


def ioctls_per_exit(tools, pairs):
    if not have_kvm():
        return []
    ours = slope(lambda exits: ioctls(tools, "ours", exits))
    raw = slope(lambda exits: ioctls(tools, "raw", exits))
    return [counted("ioctls_per_exit", "host-kvm", "ioctls", ours, raw, limit=1, judged="ours")]


def instructions(tools, what, exits):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", tools.bench,
               "only-exits", str(exits), what]
    done = subprocess.run(command, check=True, text=True, stderr=subprocess.PIPE)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def instructions_an_exit(tools, what):
    return slope(lambda exits: instructions(tools, what, exits))


def exit_pio(tools, pairs):
    rows = bench(tools, "bus", max(21, pairs // 6))
    bus = instructions_an_exit(tools, "bus") - instructions_an_exit(tools, "nop")
    rows.append(counted("exit_pio_bus", "mock", "instructions", bus, None))
    if have_kvm():
        rows += bench(tools, "exit", pairs)
        rows.append(counted("exit_pio", "host-kvm", "instructions",
                            instructions_an_exit(tools, "ours"),
                            instructions_an_exit(tools, "raw")))
    return rows


def exec_first_byte(tools, pairs):
    if not have_kvm():
        return []
    return bench(tools, "exec", pairs, tools.exec_ours, tools.exec_raw)


def pss_of_guest(pid):
    """Pss of the mapping that is the guest's memory: by its size, and not given to children."""
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as file:
        mappings = re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", file.read())
    return sum(int(re.search(r"^Pss: +(\d+)", one, re.M).group(1)) for one in mappings
               if re.search(rf"^Size: +{MEMORY_KIB} kB", one, re.M) and " dc" in one)


def overhead(program):
    """KiB of a program with a machine, its guest's memory not counted."""
    with subprocess.Popen([program, "wait"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdout.read(1)
        with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as file:
            all_of_it = int(re.search(r"^Pss: +(\d+)", file.read(), re.M).group(1))
        guest = pss_of_guest(process.pid)
        process.stdin.close()
    if not guest:
        raise SystemExit(f"bench: the guest's memory was not found in {program}")
    return all_of_it - guest


def median(values):
    return sorted(values)[len(values) // 2]


def ram_overhead(tools, pairs):
    if not have_kvm():
        return []
    runs = 11
    ours = [overhead(tools.exec_ours) for _ in range(runs)]
    raw = [overhead(tools.exec_raw) for _ in range(runs)]
    return [counted("ram_overhead", "host-kvm", "KiB", median(ours), median(raw), limit=1024,
                    judged="ours") | {"runs": runs}]


def linux_to_init(tools, pairs):
    """In the lab, where KVM runs kernels natively."""
    with tempfile.TemporaryDirectory() as folder:
        guest = os.path.join(folder, "guest")
        run([os.path.join(build.ROOT, "tools", "guest"), guest])
        out = run([os.path.join(build.ROOT, "tools", "lab"), "kvm", "--file", tools.linux_init,
                   "--file", guest, "--",
                   "mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null; "
                   "linux-init /t/guest"])
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]
