"""The build that is measured: optimised, without assertions, installed below its own folder."""
import os
import subprocess
import sys
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "build", "bench")


@dataclass
class Tools:
    bench: str
    exec_ours: str
    exec_raw: str
    count_ioctls: str
    linux_init: str


def quiet(*command):
    """Runs a command; its output appears only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise SystemExit(f"bench: failed: {' '.join(command)}")


def pkg_config(installed, what):
    command = ["pkg-config", f"--define-variable=prefix={installed}", what, "vsdk"]
    env = {**os.environ, "PKG_CONFIG_PATH": os.path.join(installed, "lib", "pkgconfig")}
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE,
                          env=env).stdout.split()


def compile_program(installed, name, sources, options):
    program = os.path.join(FOLDER, "programs", name)
    os.makedirs(os.path.dirname(program), exist_ok=True)
    quiet("cc", "-O2", "-std=gnu11", "-D_GNU_SOURCE", *pkg_config(installed, "--cflags"),
          *[os.path.join(ROOT, "tests", "bench", source) for source in sources],
          "-o", program, *options)
    return program


def compile_programs(installed):
    library = [*pkg_config(installed, "--libs"), f"-Wl,-rpath,{installed}/lib"]
    ours, raw = ["ours.c", "guest.c"], ["raw.c", "guest.c"]
    return Tools(
        compile_program(installed, "bench", ["bench.c", "series.c", "raw.c", *ours],
                        [*library, "-lm"]),
        compile_program(installed, "exec-ours", ["exec_ours.c", *ours], library),
        compile_program(installed, "exec-raw", ["exec_raw.c", *raw], []),
        compile_program(installed, "count-ioctls.so", ["count_ioctls.c"], ["-shared", "-fPIC"]),
        compile_program(installed, "linux-init", ["linux_init.c"], library))


def make():
    installed = os.path.join(FOLDER, "installed")
    if not os.path.exists(os.path.join(FOLDER, "build.ninja")):
        quiet("meson", "setup", FOLDER, ROOT, f"--prefix={installed}", "--libdir=lib",
              "-Dbuildtype=release", "-Db_ndebug=true", "-Dwerror=true", "-Dtests=false")
    quiet("ninja", "-C", FOLDER)
    quiet("meson", "install", "-C", FOLDER, "--quiet", "--no-rebuild")
    return compile_programs(installed)
