# SPDX-License-Identifier: Apache-2.0
"""A row has a name, a place, what it is, and figures; the first figure is the row's own.

A figure is counted (it repeats: instructions, calls, pages, exits) or timed. It has `ours`, `raw` where
raw exists, their ratio, and what was measured beside them in the same run."""
import json
import subprocess

COUNT, TIME = "count", "time"


def figure(kind, unit, ours, raw=None, **more):
    ratio = ours / raw if raw else None
    return {"kind": kind, "unit": unit, "ours": ours, "raw": raw, "ratio": ratio, **more}


def counted(unit, ours, raw=None, **more):
    return figure(COUNT, unit, ours, raw, **more)


def timed(unit, ours, raw=None, **more):
    return figure(TIME, unit, ours, raw, **more)


def row(place, what, **figures):
    """Figures by name; those that are None could not be taken here."""
    there = {name.replace("_", " "): one for name, one in figures.items() if one}
    return {"place": place, "what": " ".join(what.split()), "figures": there} if there else None


def run(command, **options):
    return subprocess.run([str(word) for word in command], check=True, text=True,
                          stdout=subprocess.PIPE, **options).stdout


def of_bench(tools, *arguments):
    """A figure that the bench program took in pairs."""
    return {"kind": TIME, "ratio": None, **json.loads(run([tools.bench, *arguments]))}


def median(values):
    return sorted(values)[len(values) // 2]


def paired(unit, ours, raw, **more):
    """The median of the paired ratios with its 95 % interval, by order statistics."""
    ratios = sorted(a / b for a, b in zip(ours, raw))
    count = len(ratios)
    half = 0.98 * count ** 0.5
    low = int(count / 2 - half) if half < count / 2 else 0
    return {**timed(unit, median(ours), median(raw)), "ratio": median(ratios), "low": ratios[low],
            "high": ratios[count - 1 - low], "runs": count, **more}


def slope(count, few, many):
    """What one more adds to a count of a whole program."""
    return (count(many) - count(few)) / (many - few)
