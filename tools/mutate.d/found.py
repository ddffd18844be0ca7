# SPDX-License-Identifier: Apache-2.0
"""What strangers found, and the test that holds it: found.toml says for each how its mend is undone and
which test notices. tools/mutate --found undoes each and asks that test; --page prints docs/found.md."""
import os
import re
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))

HEAD = """# What strangers found, and the test that holds it

<!-- Made by `tools/mutate --page` from tools/mutate.d/found.toml. -->

Somebody attacked the library, somebody ran guests that its authors did not write, and somebody used it
for the first time. This page lists what they found, and for each the test that holds its mend.

`tools/mutate --found` checks the page: it undoes each mend in a copy of the tree, one at a time, and
asks the test, which must fail. "Undone" says what was changed for that.
"""
TABLE = "\n## {}\n\n| found | undone | the test that fails then |\n|---|---|---|\n"


def entries():
    with open(os.path.join(HERE, "found.toml"), "rb") as file:
        return [{key: text.strip("\n") for key, text in entry.items()} for entry in tomllib.load(file)["found"]]


def page():
    text, part = HEAD, None
    for entry in entries():
        if entry["by"] != part:
            part = entry["by"]
            text += TABLE.format(part)
        place = f"`{entry['file']}`: {entry['undone']}" if "file" in entry else entry["undone"]
        holder = "none" if entry["test"] == "-" else f"{entry['test']}: {entry['name']}"
        text += f"| {entry['item']} | {place} | {holder} |\n"
    return text


def undo(source, entry):
    """The source without the mend; None where the mend is no longer written so."""
    for before, after in ("before", "after"), ("before_too", "after_too"):
        if before in entry:
            if source.count(entry[before]) != 1:
                return None
            source = source.replace(entry[before], entry.get(after, ""))
    return source


def words(text):
    return re.sub(r"[\W_]+", " ", text).strip()


def notices(entry, results):
    """Whether the test that the entry names failed, or its program did not come to its end."""
    failed = [r for r in results if r.outcome == "fail"]
    return any(words(entry["name"]) in words(r.name) for r in failed) or \
        any(re.search(r"no plan|planned|exit status", r.note) for r in failed)
