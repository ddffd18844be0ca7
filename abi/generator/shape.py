# SPDX-License-Identifier: Apache-2.0
"""The shape of a description: which tables, keys and kinds of values there may be."""

from .model import load_object
from .text import plain, prose_lines

WORD_LIMIT = 90
TOP = {"object", "constant", "handle", "typedef", "enum", "struct", "callback", "function"}
REQUIRED = {
    "object": {"name": str, "title": str, "order": int, "doc": str},
    "constant": {"name": str, "type": str, "value": int, "doc": str},
    "handle": {"name": str, "doc": str},
    "typedef": {"name": str, "type": str, "doc": str},
    "enum": {"name": str, "type": str, "doc": str, "values": list},
    "struct": {"name": str, "kind": str, "size": int, "doc": str, "fields": list},
    "callback": {"name": str, "doc": str, "thread": str},
    "function": {"name": str, "brief": str, "threads": str, "blocks": str, "callback": str,
                 "states": str, "backends": (str, list), "since": str},
    "values": {"name": str, "value": int, "doc": str},
    "fields": {"name": str, "type": str, "doc": str},
    "params": {"name": str, "type": str},
    "returns": {"type": str},
}
OPTIONAL = {
    "object": {"needs": list, "prefixes": list},
    "constant": {"since": str, "unit": str},
    "handle": {"since": str, "counted": bool},
    "typedef": {"since": str},
    "enum": {"since": str, "namer": str, "flags": bool, "source": str},
    "struct": {"since": str, "source": str},
    "callback": {"since": str, "source": str, "returns": (str, dict), "params": list, "may_call": str},
    "function": {"doc": str, "returns": (str, dict), "params": list, "errors": dict, "source": str,
                 "null_result": str, "example": str},
    "values": {"since": str, "text": str},
    "fields": {"since": str, "unit": str, "nullable": bool, "offset": int, "array": int,
               "length": str},
    "params": {"doc": str, "dir": str, "ownership": str, "nullable": bool, "length": str,
               "closure": (str, list), "unit": str},
    "returns": {"doc": str, "ownership": str, "unit": str},
}
CHOICES = {
    ("struct", "kind"): {"config", "out", "record"},
    ("params", "dir"): {"in", "out", "inout"},
    ("params", "ownership"): {"borrowed", "new", "static", "transferred"},
    ("returns", "ownership"): {"borrowed", "new", "static", "transferred"},
    ("constant", "type"): {"uint32_t", "uint64_t"},
    ("enum", "type"): {"uint8_t", "uint16_t", "uint32_t", "int32_t"},
}
def check_table(source, path, kind, data):
    """Keys and the types of their values."""
    if not isinstance(data, dict):
        raise source.error(path, f"{kind}: a table is expected")
    known = REQUIRED[kind] | OPTIONAL[kind]
    for key, value in data.items():
        if key not in known:
            raise source.error(path + (key,), f"unknown key `{key}` in {kind}")
        if not isinstance(value, known[key]) or (known[key] is int and isinstance(value, bool)):
            raise source.error(path + (key,), f"key `{key}` in {kind} has the wrong type")
        choices = CHOICES.get((kind, key))
        if choices and value not in choices:
            raise source.error(path + (key,), f"`{key}` must be one of {', '.join(sorted(choices))}")
    for key in REQUIRED[kind]:
        if key not in data:
            raise source.error(path, f"{kind} {data.get('name', '')} lacks `{key}`".replace("  ", " "))
    check_texts(source, path, kind, data)


def check_texts(source, path, kind, data):
    for key in ("doc", "brief", "title", "threads", "blocks", "callback", "states", "thread"):
        text = data.get(key)
        if text is None:
            continue
        where = path + (key,)
        if not text.strip():
            raise source.error(where, f"empty `{key}`")
        if "*/" in text or "/*" in text:
            raise source.error(where, f"`{key}` would begin or end a comment")
        long = [line for line in prose_lines(plain(text), WORD_LIMIT) if len(line) > WORD_LIMIT]
        if long:
            raise source.error(where, f"a line of `{key}` cannot be wrapped at {WORD_LIMIT} columns")


def check_shape(source):
    """Everything that can be said before the tables become objects."""
    for key in source.data:
        if key not in TOP:
            raise source.error((key,), f"unknown table `{key}`")
    if "object" not in source.data:
        raise source.error((), "no [object] table")
    check_table(source, ("object",), "object", source.data["object"])
    for kind in TOP - {"object"}:
        tables = source.data.get(kind, [])
        if not isinstance(tables, list):
            raise source.error((kind,), f"write [[{kind}]], not [{kind}]")
        for index, data in enumerate(tables):
            check_table(source, (kind, index), kind, data)
            check_inner(source, (kind, index), data)


def check_inner(source, path, data):
    for key in ("values", "fields", "params"):
        for index, inner in enumerate(data.get(key, [])):
            check_table(source, path + (key, index), key, inner)
    if isinstance(data.get("returns"), dict):
        check_table(source, path + ("returns",), "returns", data["returns"])
    for name, text in data.get("errors", {}).items():
        if not isinstance(text, str) or not text.strip():
            raise source.error(path + ("errors", name), f"{name} has no text")


def load(source):
    check_shape(source)
    return load_object(source)
