# SPDX-License-Identifier: Apache-2.0
"""What backends do not share, from their own capabilities."""
import json


def read(path):
    """Backend -> {capability: (answer, reason)} of a `vsdk info --json`; {} if there is no file."""
    try:
        with open(path, encoding="utf-8") as f:
            backends = json.load(f)["backends"]
    except (OSError, ValueError):
        return {}
    return {b["name"]: {c["name"]: (c["answer"], c["reason"]) for c in b["capabilities"]}
            for b in backends if b["available"]}


def rows(places):
    """(capability, {place: answer}, reasons) where the answers of {place: capabilities} differ."""
    names = sorted({name for capabilities in places.values() for name in capabilities})
    for name in names:
        answers = {place: capabilities[name] for place, capabilities in places.items()}
        if len({answer for answer, _ in answers.values()}) > 1:
            yield name, answers


def show(places):
    """Prints the list; returns how many there are."""
    count = 0
    print(f"\nDifferences between backends, from their capabilities ({', '.join(places)}):")
    for name, answers in rows(places):
        count += 1
        print(f"  {name}: " + ", ".join(f"{place} {answer}" for place, (answer, _) in answers.items()))
        for place, (answer, reason) in answers.items():
            if answer != "yes":
                print(f"      {place}: {reason}")
    return count
