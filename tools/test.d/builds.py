# SPDX-License-Identifier: Apache-2.0
"""Build folders, and what meson knows of the tests in them."""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

LIBDIR = "lib/x86_64-linux-gnu"  # without dpkg-dev meson does not know Debian's

BUILDS = {
    "gcc": ({"CC": "gcc"}, ["-Dbuildtype=debugoptimized", "-Dwerror=true", "-Dchecked=true",
                            "-Dxen=enabled", "-Dcommand=enabled"]),
    "asan": ({"CC": "clang"}, ["-Dbuildtype=debugoptimized", "-Dwerror=true", "-Dchecked=true",
                               "-Db_lundef=false", "-Db_sanitize=address,undefined"]),
    "tsan": ({"CC": "clang"}, ["-Dbuildtype=debugoptimized", "-Dchecked=true",
                               "-Db_lundef=false", "-Db_sanitize=thread"]),
    # The fuzzers have sanitizers of their own.
    "fuzz": ({"CC": "clang"}, ["-Dbuildtype=debugoptimized", "-Dchecked=true", "-Db_lundef=false"]),
}


class Test:
    """A test of a build folder, with the environment that it wants."""

    def __init__(self, entry, folder):
        self.name = entry["name"]
        self.command = [whole_path(word, folder) for word in entry["cmd"]]
        self.env = entry["env"]
        self.suites = {suite.split(":")[-1] for suite in entry["suite"]}
        self.timeout = entry["timeout"] or 300


def whole_path(word, folder):
    """Meson names what it builds relative to the build folder."""
    path = os.path.normpath(os.path.join(folder, word))
    return path if os.path.isfile(path) and ("/" in word or path == word) else word


def quiet(command, **options):
    """Runs a command; its output appears only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    if done.returncode:
        sys.stdout.write(done.stdout)
        raise SystemExit(f"test: failed: {' '.join(command)}")
    return done.stdout


def make(kind, targets=()):
    """Configures and builds one kind, or some targets of it; returns its folder."""
    env, options = BUILDS[kind]
    folder = os.path.join(ROOT, "build", kind)
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        quiet(["meson", "setup", folder, ROOT, "--prefix=/usr/local", f"--libdir={LIBDIR}", *options],
              env={**os.environ, **env})
    print(f"building {os.path.relpath(folder, ROOT)}", flush=True)
    quiet(["ninja", "-C", folder, *targets])
    return folder


def stage(folder):
    """An install tree of a build."""
    target = os.path.join(folder, "stage")
    quiet(["meson", "install", "-C", folder, "--no-rebuild", "--quiet"],
          env={**os.environ, "DESTDIR": target})
    return target


def tests(folder):
    return [Test(entry, folder) for entry in json.loads(quiet(["meson", "introspect", "--tests", folder]))]
