# SPDX-License-Identifier: Apache-2.0
"""Rows of what grows with the number of devices, slots or watches that are there."""
import json

from figures import counted, run, row, slope, timed
from small import have_kvm, instructions



SIZES = [1, 100, 1000, 5000]


def times(tools, what, backend, sizes, rounds):
    """A figure for each size: microseconds, the best of some rounds."""
    found = {}
    for n in sizes:
        one = json.loads(run([tools.bench, "scale", n, what, backend, rounds]))
        found[f"n_{n}"] = timed("us", one["ours"], one["raw"], n=n)
    return found


def growth(tools, what, few, many, per_item=False):
    """Instructions of an operation with many there, against few: 1 where it does not grow."""
    costs = [slope(lambda times: instructions([tools.bench, "only-scale", n, what, times]), 2, 6) for n in (few, many)]
    if per_item:
        costs = [cost / n for cost, n in zip(costs, (few, many))]
    return counted("times", round(costs[1] / costs[0], 2), instructions=[round(cost) for cost in costs], n=[few, many])


def scale(tools, pairs, counts, what, text, few=1, many=5000, per_item=False, backend="mock"):
    grows = {"growth": growth(tools, what, few, many, per_item)}
    rounds = 5 if pairs < 100 else 20
    timings = {} if counts else times(tools, what, backend, SIZES, rounds)
    return row("host-kvm" if backend == "kvm" else "mock", text, **grows, **timings)


def scale_pause(tools, pairs, counts):
    """Pause and resume with n devices; growth is per device."""
    return scale(tools, pairs, counts, "pause", scale_pause.__doc__, few=100, many=1000, per_item=True)


def scale_map(tools, pairs, counts):
    """One more slot with n slots, and away again; raw: KVM's own call. Growth on the mock, without the kernel's."""
    if not have_kvm():
        counts = True
    return scale(tools, pairs, counts, "map", scale_map.__doc__, backend="kvm")


def scale_watch(tools, pairs, counts):
    """One more watch with n watches, and closed again; raw: epoll's own call."""
    return scale(tools, pairs, counts, "watch", scale_watch.__doc__, few=100, many=1000)


def scale_attach(tools, pairs, counts):
    """One more device with a range with n such devices, and detached again."""
    return scale(tools, pairs, counts, "attach", scale_attach.__doc__)
