# SPDX-License-Identifier: Apache-2.0
"""tools/test: builds, runs every place, prints the counts. See tools/test for the options."""
import argparse
import os
import signal
import subprocess
import sys

import builds
import differences
import long
import places
import tap

QUICK = ["host", "mock", "mock-autonomous", "host-kvm", "bench"]
ALL = [*QUICK, "asan", "tsan", "valgrind", "lab-kvm", "lab-xen"]
SANITIZED = {"unit", "contract", "fuzz", "mock", "mock-autonomous", "host-kvm", "threads"}


def arguments():
    parser = argparse.ArgumentParser(prog="tools/test")
    parser.add_argument("--quick", action="store_true", help="only what runs here, in one build")
    parser.add_argument("--place", action="append", choices=ALL, help="only this place")
    parser.add_argument("--long", action="store_true", help="what the rest samples, whole")
    parser.add_argument("--part", type=int, help="of --long: only this part")
    parser.add_argument("--fresh", action="store_true", help="of --long: forget what was run before")
    parser.add_argument("--rehearse", action="store_true", help="of --long: small numbers, to see that no job is broken")
    options = parser.parse_args()
    if not options.long and (options.part is not None or options.fresh or options.rehearse):
        parser.error("--part, --fresh and --rehearse are of --long")
    return options


def run_place(place, folder, tests, log, stage, quick):
    if place == "host-kvm" and not os.path.exists(places.KVM):
        required = "host-kvm" in os.environ.get("VSDK_REQUIRE", "").split(",")
        return [tap.Result("host-kvm", "fail" if required else "skip", f"no {places.KVM} here")]
    if place == "asan":
        return places.sanitized("asan", log, SANITIZED)
    if place == "tsan":
        return places.sanitized("tsan", log, {"threads"})
    if place == "valgrind":
        return places.valgrind(folder, log)
    if place == "bench":
        return places.bench(log, quick)
    if place.startswith("lab-"):
        return places.lab(folder, place, log, stage)
    return places.host(folder, place, log, tests)


def count(results, outcome):
    return sum(result.outcome == outcome for result in results)


def print_skips(rows):
    for place, results, _ in rows:
        for result in results:
            if result.outcome == "skip":
                print(f"SKIP {place}: {result.name}: {result.note}")


def print_table(rows):
    print(f"\n{'place':<18}{'passed':>8}{'failed':>8}{'skipped':>8}{'minutes':>9}")
    for place, results, minutes in rows:
        print(f"{place:<18}{count(results, 'pass'):>8}{count(results, 'fail'):>8}"
              f"{count(results, 'skip'):>8}{minutes:>9.1f}")


def matrix(log):
    """What the shim saw each function return; complete only after every place."""
    script = os.path.join(builds.ROOT, "tests", "abi", "matrix.py")
    done = subprocess.run([sys.executable, script, log.shim])
    return [tap.Result("matrix of functions and outcomes", "fail" if done.returncode else "pass")]


def show_differences(log, stage):
    """Of the backends here and in the labs; the labs' answers must have come back."""
    here = log.info("host")
    with open(here, "w", encoding="utf-8") as f:
        subprocess.run([os.path.join(stage, "usr/local/bin/vsdk"), "info", "--json"], stdout=f,
                       env={**os.environ, "LD_LIBRARY_PATH": os.path.join(
                           stage, "usr/local", builds.LIBDIR)})
    found = {f"host {name}": answers for name, answers in differences.read(here).items()}
    for lab, name in [("lab-kvm", "kvm"), ("lab-xen", "xen")]:
        found[f"{lab} {name}"] = differences.read(log.info(lab)).get(name, {})
    missing = [place for place, answers in found.items() if not answers]
    if missing:
        return [tap.Result("differences between backends", "fail", f"no answer: {missing}")]
    differences.show(found)
    return [tap.Result("differences between backends", "pass")]


# Conformance of what Xen lacks as a whole: what it skips is said, and not counted.
NOT_ON_XEN = ["conf_dirty on xen"]


def few_skipped(rows):
    """At most a tenth of the other conformance tests may be skipped on Xen."""
    results = [r for place, results, _ in rows if place == "lab-xen"
               for r in results if r.name.startswith("conf_")]
    lacks = [r for r in results if r.outcome == "skip" and r.name.startswith(tuple(NOT_ON_XEN))]
    others = len(results) - len(lacks)
    skipped = count(results, "skip") - len(lacks)
    print(f"conformance on Xen: {skipped} of {others} skipped, and {len(lacks)} of {', '.join(NOT_ON_XEN)}")
    good = lacks and skipped * 10 <= others
    return [tap.Result("at most a tenth skipped on Xen", "pass" if good else "fail")]


def interrupted(number, _frame):
    places.stop()
    raise SystemExit(128 + number)


def main():
    options = arguments()
    places.hear_all()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    if options.long:
        return long.main(options.part, options.fresh, options.rehearse)
    chosen = options.place or (QUICK if options.quick else ALL)
    folder = builds.make("gcc")
    stage = builds.stage(folder)
    tests = builds.tests(folder)
    log = places.Log(os.path.join(builds.ROOT, "build", "test-logs"))
    rows = []
    for place in chosen:
        results, minutes = places.timed(run_place, place, folder, tests, log, stage, options.quick)
        if not results:
            results = [tap.Result(place, "fail", "nothing ran")]
        rows.append((place, results, minutes))
        print(f"{place}: {count(results, 'pass')} passed, {count(results, 'fail')} failed, "
              f"{count(results, 'skip')} skipped", flush=True)
    if chosen == ALL:
        rows.append(("matrix", *places.timed(matrix, log)))
        rows.append(("differences", show_differences(log, stage) + few_skipped(rows), 0))
    print_skips(rows)
    print_table(rows)
    every = [result for _, results, _ in rows for result in results]
    print(f"\n{count(every, 'pass')} passed, {count(every, 'fail')} failed, "
          f"{count(every, 'skip')} skipped")
    return 1 if count(every, "fail") else 0


if __name__ == "__main__":
    sys.exit(main())
