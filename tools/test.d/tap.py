# SPDX-License-Identifier: Apache-2.0
"""Reading of the Test Anything Protocol."""
import re

LINE = re.compile(r"^(not )?ok\b(?:\s+\d+)?\s*-?\s*([^#]*)(?:#\s*(\w+)\s*(.*))?$")
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*SKIP\s*(.*))?", re.I)


class Result:
    """One test: its name and what became of it."""

    def __init__(self, name, outcome, note=""):
        self.name, self.outcome, self.note = name, outcome, note


def skip(name, reason):
    """A skip says why."""
    reason = (reason or "").strip()
    return Result(name, "skip" if reason else "fail", reason or "skipped without a reason")


def parse(text, prefix):
    """The results in TAP text, and the number that its plan promised (None without a plan)."""
    results, plan = [], None
    for line in text.splitlines():
        planned = PLAN.match(line)
        if planned:
            plan = int(planned[1])
            if plan == 0:
                results.append(skip(prefix, planned[2]))
            continue
        match = LINE.match(line)
        if not match:
            continue
        name = f"{prefix}: {match[2].strip()}"
        directive = (match[3] or "").upper()
        if directive.startswith("SKIP"):
            results.append(skip(name, match[4]))
        else:
            results.append(Result(name, "fail" if match[1] else "pass", match[4] or ""))
    return results, plan


def of_run(text, status, prefix):
    """Results of one program. Every program plans its tests: one that ended before its plan, or
    printed nothing, has not passed whatever its exit status."""
    results, plan = parse(text, prefix)
    if plan is None:
        results.append(Result(prefix, "fail", f"no plan, {len(results)} results, exit status {status}"))
    elif plan and plan != len(results):
        results.append(Result(prefix, "fail", f"{len(results)} results, {plan} planned"))
    elif status != 0 and not any(r.outcome == "fail" for r in results):
        results.append(Result(prefix, "fail", f"exit status {status} after its last test"))
    return results
