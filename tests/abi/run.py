#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the generator. Prints TAP; needs the standard library, and a compiler for two of them."""

import contextlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
GOLDEN = HERE / "golden"
sys.path.insert(0, str(ROOT / "abi"))

import generate
import matrix
from cases import CASES
from generator.source import Scanner
from tap import Tap


@contextlib.contextmanager
def temporary():
    with tempfile.TemporaryDirectory() as name:
        yield pathlib.Path(name)


def run_generator(*arguments):
    """Status and standard error of one run."""
    errors, output = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(output):
        status = generate.main([str(argument) for argument in arguments])
    return status, errors.getvalue()


def must_fail(file, old, new, complaint):
    with temporary() as root:
        shutil.copytree(GOLDEN / "abi", root / "abi")
        path = root / "abi" / f"{file}.toml"
        text = path.read_text()
        assert text.count(old) >= 1, f"`{old}` does not stand in {file}.toml"
        text = text.replace(old, new, 1)
        line = text.count("\n", 0, text.index("@@")) + 1 if "@@" in text else None
        path.write_text(text.replace("@@", ""))
        status, errors = run_generator("--root", root)
        assert status == 1, "it was accepted"
        where = f"abi/{file}.toml:{line}: " if line else f"abi/{file}.toml:"
        found = [text for text in errors.splitlines() if text.startswith(where) and complaint in text]
        assert found, f"wanted {where}{complaint}\ngot {errors}"
        assert not (root / "include").exists(), "it wrote something"


def up_to_date(root):
    status, errors = run_generator("--check", "--root", root)
    assert status == 0, errors


def same_twice():
    with temporary() as root:
        shutil.copytree(GOLDEN / "abi", root / "abi")
        run_generator("--root", root)
        first = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        run_generator("--root", root)
        assert first == {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def names_stale_files():
    with temporary() as root:
        shutil.copytree(GOLDEN, root, dirs_exist_ok=True)
        (root / "include/vsdk/lamp.h").write_text("edited\n")
        (root / "abi/libvsdk.map").unlink()
        (root / "include/vsdk/old.h").write_text("left over\n")
        status, errors = run_generator("--check", "--root", root)
        assert status == 1
        for text in ("include/vsdk/lamp.h: stale", "abi/libvsdk.map: missing",
                     "include/vsdk/old.h: not described"):
            assert text in errors, errors


def several_complaints():
    with temporary() as root:
        shutil.copytree(GOLDEN / "abi", root / "abi")
        path = root / "abi/lamp.toml"
        path.write_text(path.read_text().replace("value = 1,", "value = 0,").replace("size = 40", "size = 48"))
        errors = run_generator("--root", root)[1]
        assert len(errors.splitlines()) == 2, errors


def scanner_finds_lines():
    text = ('[object]\nname = "x" # [[not]]\ndoc = """\na = 1\n"""\n[[f]]\n[[f]]\nparams = [\n'
            '  { name = "a}", n = 1 },\n\n  { name = \'b\' },\n]\n[f.errors]\nSTATE = "s"\n')
    lines = Scanner(text).scan()
    wanted = {("object",): 1, ("object", "name"): 2, ("object", "doc"): 3, ("f", 0): 6, ("f", 1): 7,
              ("f", 1, "params"): 8, ("f", 1, "params", 0, "n"): 9,
              ("f", 1, "params", 1, "name"): 11, ("f", 1, "errors", "STATE"): 14}
    assert wanted == {path: lines.get(path) for path in wanted}, lines


def run_matrix(*lines):
    """Status and output of the matrix of the golden description over one log."""
    with temporary() as root:
        log = root / "log"
        log.write_text("".join(line.replace(" ", "\t") + "\n" for line in lines))
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = matrix.main(["--api", str(GOLDEN / "abi/api.json"), str(log)])
        return status, output.getvalue()


COVERED = ["vsdk_lamp_create success", "vsdk_lamp_create INVALID_ARGUMENT", "vsdk_lamp_create NULL",
           "vsdk_lamp_close success", "vsdk_lamp_close NULL", "vsdk_lamp_state_name success",
           "vsdk_status_name success", "vsdk_lamp_watch success", "vsdk_lamp_watch STATE",
           "vsdk_lamp_watch NULL", "vsdk_lamp_watch INVALID_ARGUMENT", "vsdk_lamp_watch GONE",
           "vsdk_lamp_watch BUSY"]


def matrix_of(lines, status, *texts):
    got, output = run_matrix(*lines)
    assert got == status, output
    for text in texts:
        assert text in output, output


def without(line):
    return [other for other in COVERED if other != line]


MATRIX = [
    ("everything covered", COVERED, 0, "reason: vsdk_lamp_close state: cannot fail",
     "0 missing; 0 undocumented errors"),
    ("a documented error never seen", without("vsdk_lamp_watch STATE"), 1, "missing: vsdk_lamp_watch STATE"),
    ("NULL never seen", without("vsdk_lamp_watch NULL"), 1, "missing: vsdk_lamp_watch NULL"),
    ("success never seen", without("vsdk_lamp_create success"), 1, "missing: vsdk_lamp_create success"),
    ("an undocumented error", COVERED + ["vsdk_lamp_create STATE"], 1,
     "undocumented: vsdk_lamp_create returned STATE"),
    ("a function that nobody described", COVERED + ["vsdk_bulb_create success"], 1,
     "log: vsdk_bulb_create: not described"),
]

LIBRARY = """
#include <stddef.h>
#include <vsdk/vsdk.h>
vsdk_status vsdk_lamp_create(const vsdk_lamp_config *config, vsdk_lamp **lamp, vsdk_error *error)
{ (void)error; return lamp == NULL ? VSDK_ERROR_INVALID_ARGUMENT : config ? -77 : VSDK_OK; }
void vsdk_lamp_close(vsdk_lamp *lamp) { (void)lamp; }
vsdk_status vsdk_lamp_watch(vsdk_lamp *lamp, const void *bytes, size_t length, vsdk_lamp_fn fn,
                            void *user, vsdk_release_fn release, vsdk_error *error)
{ (void)bytes; (void)length; (void)user; (void)release; (void)error;
  return !lamp || !bytes || !fn ? VSDK_ERROR_INVALID_ARGUMENT : VSDK_ERROR_STATE; }
"""
PROGRAM = """
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#include "null_calls.h"
static void *calls(void *unused)
{
    vsdk_lamp *lamp;
    for (int i = 0; i < 1000; i++) {
        assert(vsdk_lamp_create(NULL, &lamp, NULL) == VSDK_OK);
        vsdk_lamp_close((vsdk_lamp *)unused);
    }
    return NULL;
}
int main(void)
{
    pthread_t threads[4];
    vsdk_lamp_config config = {0};
    vsdk_lamp *lamp;
    int first = open("/dev/null", O_RDONLY);
    assert(first >= 0 && first < 10);
    for (size_t i = 0; i < null_calls_count; i++) {
        int64_t result = null_calls[i].call(NULL);
        assert(null_calls[i].outcome != NULL_REFUSED || result == VSDK_ERROR_INVALID_ARGUMENT);
    }
    errno = 5;
    assert(vsdk_lamp_create(&config, &lamp, NULL) == -77 && errno == 5);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, calls, &config);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    fork();
    calls(&config);
    return 0;
}
"""
NOTED = {"vsdk_lamp_close\tNULL", "vsdk_lamp_close\tsuccess", "vsdk_lamp_create\tINVALID_ARGUMENT",
         "vsdk_lamp_create\tNULL", "vsdk_lamp_create\tUNKNOWN", "vsdk_lamp_create\tsuccess",
         "vsdk_lamp_state_name\tsuccess", "vsdk_lamp_watch\tINVALID_ARGUMENT", "vsdk_lamp_watch\tNULL",
         "vsdk_status_name\tsuccess"}


def compiler():
    return os.environ.get("CC", "").split() or [path for path in [shutil.which("cc")] if path]


def compile_c(root, *arguments):
    command = compiler() + ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread",
                            f"-I{GOLDEN}/include", f"-I{GOLDEN}/tests/generated"]
    subprocess.run(command + [str(a) for a in arguments], check=True, cwd=root)


def shim_notes_first_times():
    if not compiler():
        return "no C compiler"
    with temporary() as root:
        (root / "library.c").write_text(LIBRARY)
        (root / "program.c").write_text(PROGRAM)
        compile_c(root, "-shared", "-fPIC", "-o", "liblamp.so", "library.c", GOLDEN / "lib/core/names.c",
                  f"-Wl,--version-script={GOLDEN}/abi/libvsdk.map", "-Wl,--no-undefined-version")
        compile_c(root, "-shared", "-fPIC", "-fvisibility=hidden", "-o", "shim.so",
                  GOLDEN / "tests/generated/shim.c", "-ldl")
        compile_c(root, "-o", "program", "program.c", GOLDEN / "tests/generated/null_calls.c",
                  "-L.", "-llamp", "-Wl,-rpath," + str(root))
        quiet = os.environ | {"LD_PRELOAD": str(root / "shim.so")}
        quiet.pop("VSDK_SHIM_LOG", None)
        subprocess.run([root / "program"], check=True, env=quiet)
        noisy = quiet | {"VSDK_SHIM_LOG": str(root / "log")}
        subprocess.run([root / "program"], check=True, env=noisy)
        lines = (root / "log").read_text().splitlines()
        assert sorted(lines) == sorted(NOTED), lines
    return None


def assertions_hold(tree):
    if not compiler():
        return "no C compiler"
    source = tree / "tests/generated/abi_asserts.c"
    command = compiler() + ["-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{tree}/include"]
    subprocess.run(command + ["-std=c11", source], check=True)
    return None


def says_what_matters(tree):
    """No line that only says a parameter's name again, or twice that it may be NULL."""
    for path in [*tree.glob("include/vsdk/*.h"), *tree.glob("docs/reference/*.md")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            empty = re.search(r"\bOr NULL\.|may be NULL\).*\bNULL\b", line)
            empty = empty or re.search(r" \* {3}(\w+) +(\(may be NULL\) )?The \1\.$", line)
            assert not empty, f"{path.name}:{number}: {line}"


def main():
    tap = Tap()
    for rule, *case in CASES:
        tap.run(f"refuses: {rule}", must_fail, *case)
    tap.run("gives the golden output", up_to_date, GOLDEN)
    tap.run("what is committed is what is generated", up_to_date, ROOT)
    tap.run("prints nothing that says nothing", says_what_matters, GOLDEN)
    tap.run("the headers and pages neither", says_what_matters, ROOT)
    tap.run("gives the same twice", same_twice)
    tap.run("--check names stale, missing and left-over files", names_stale_files)
    tap.run("gives all complaints at once", several_complaints)
    tap.run("the scanner finds lines", scanner_finds_lines)
    for name, *case in MATRIX:
        tap.run(f"matrix: {name}", matrix_of, *case)
    tap.run("assertions hold for the golden headers", assertions_hold, GOLDEN)
    tap.run("assertions hold for the headers", assertions_hold, ROOT)
    tap.run("the shim notes first times", shim_notes_first_times)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
