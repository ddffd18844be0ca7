# SPDX-License-Identifier: Apache-2.0
"""include/vsdk/*.h"""

import re

from .text import (WIDTH, columns, comment, plain, prose_lines, sentence, trimmed, wrap)

INNER = WIDTH - 3
LICENCE = "/* SPDX-License-Identifier: Apache-2.0 */"
CONVENTIONS = ("A pointer must not be NULL unless it says that it may be. An `error` may always be "
               "NULL; it is filled in when the call fails.")


def qualifiers(variable):
    """The words that stand in parentheses before a parameter's or field's text."""
    data = variable.data
    words = [variable.dir] if variable.dir != "in" else []
    words += {"new": ["new reference"], "transferred": ["taken over"], "static": ["static"]}.get(
        data.get("ownership"), [])
    if "length" in data:
        words.append(data["length"] + (" bytes" if variable.type.base == "void" else " elements"))
    if "unit" in data:
        words.append(data["unit"])
    if variable.nullable and not re.search(r"\bNULL\b", variable.telling):
        words.append("may be NULL")
    return words


def meaning(variable, text):
    """What is printed of a parameter or field whose own text is `text`, which may be nothing."""
    words = ", ".join(qualifiers(variable))
    if words and text:
        return f"({words}) {text}"
    return text or (words and words[0].upper() + words[1:] + ".")


def param_rows(call):
    """Without the error, and without those of whom nothing is to be said."""
    rows = [(p.name, meaning(p, p.telling)) for p in call.params
            if not ("doc" not in p.data and p.name == "error")]
    return [(name, text) for name, text in rows if text]


def facts(function):
    data = function.data
    text = (f"Threads: {trimmed(data['threads'])}. Blocks: {trimmed(data['blocks'])}. "
            f"From callbacks: {trimmed(data['callback'])}. States: {trimmed(data['states'])}. "
            f"Backends: {trimmed(function.backends)}. Since {function.since}.")
    return wrap(plain(text), INNER)


def returns_lines(function):
    if function.returns["type"] == "void":
        return []
    text = function.returns.get("doc", "")
    if not text:
        return []
    owner = {"static": " (static)", "new": " (new reference)", "borrowed": " (borrowed)"}.get(
        function.returns.get("ownership"), "")
    text = sentence(trimmed(text) + owner)
    return wrap(plain("Returns " + text[0].lower() + text[1:] if text[1:2].islower() else
                      "Returns: " + text), INNER)


def source_text(item):
    return plain(f"Source: {sentence(item.data['source'])} ") if "source" in item.data else ""


def section(lines):
    return ([""] + lines) if lines else []


def function_comment(function):
    data = function.data
    lines = prose_lines(sentence(data["brief"]), INNER)
    lines += section(prose_lines(data.get("doc", ""), INNER))
    lines += section(columns(param_rows(function), INNER))
    tail = returns_lines(function)
    if function.errors:
        tail += ["Errors, VSDK_ERROR_...:"] + columns(list(function.errors.items()), INNER)
    if "null_result" in data and any(p.type.pointer for p in function.params):
        tail += wrap(plain(f"Given NULL: {sentence(data['null_result'])}"), INNER)
    tail += facts(function)
    if "source" in data:
        tail += wrap(source_text(function), INNER)
    lines += section(tail)
    if "example" in data:
        lines += ["", "Example:"] + ["    " + line for line in data["example"].strip("\n").split("\n")]
    return lines


def prototype(head, params, end=";"):
    """A declaration, its parameters filled in under the opening parenthesis."""
    words = [p.type.declare(p.name) for p in params] or ["void"]
    words = [word + "," for word in words[:-1]] + [words[-1] + ")" + end]
    lines, line, column = [], head + "(", len(head) + 1
    for index, word in enumerate(words):
        space = "" if line.endswith("(") or not line.strip() else " "
        if len(line) + len(space) + len(word) > WIDTH and index:
            lines.append(line)
            line, space = " " * column, ""
        line += space + word
    return lines + [line]


def function_lines(function):
    head = function.return_type.declare(function.name)
    return comment(function_comment(function)) + prototype(head, function.params)


def callback_lines(callback):
    data = callback.data
    lines = prose_lines(callback.doc, INNER) + section(columns(param_rows(callback), INNER))
    tail = returns_lines(callback)
    if data.get("thread"):
        tail += wrap(plain(f"Runs on: {sentence(data['thread'])}"), INNER)
    if data.get("may_call"):
        tail += wrap(plain(f"May call: {sentence(data['may_call'])}"), INNER)
    lines += section(tail + wrap(f"{source_text(callback)}Since {callback.since}.", INNER))
    head = callback.return_type.declare(f"(*{callback.name})")
    return comment(lines) + prototype("typedef " + head, callback.params)


def members(rows):
    """Rows of (declaration, text), their comments aligned on the right or set above."""
    column = 4 + max(len(declaration) for declaration, _ in rows) + 1
    lines = []
    for declaration, text in rows:
        text = plain(trimmed(text) if ". " not in text else text)
        beside = wrap(text, max(WIDTH - column - 6, 1))
        if column <= 44 and len(beside) <= 3:
            left = f"    {declaration}".ljust(column)
            beside[0] = "/* " + beside[0]
            beside[1:] = [" " * (column + 3) + line for line in beside[1:]]
            lines += [left + beside[0]] + beside[1:]
            lines[-1] += " */"
        else:
            lines += member_above(declaration, text)
    return lines


def member_above(declaration, text):
    wrapped = wrap(text, WIDTH - 13)
    if len(wrapped) == 1:
        return [f"    /* {wrapped[0]} */", f"    {declaration}"]
    return comment(wrap(text, WIDTH - 7), "    ") + [f"    {declaration}"]


def enum_value(enum, value):
    number = value["value"]
    return hex(number) if enum.flags or number > 0xffff else str(number)


def enum_lines(enum):
    lines = comment(prose_lines(f"{enum.doc.strip()}\n\n{source_text(enum)}Since {enum.since}.", INNER))
    rows = [(f"{v['name']} = {enum_value(enum, v)},", since_text(enum, v)) for v in enum.values]
    return (lines + [f"enum {enum.name}_values {{"] + members(rows) +
            ["};", f"typedef {enum.data['type']} {enum.name};"])


def since_text(owner, data):
    since = data.get("since", owner.since)
    return data["doc"] if since == owner.since else f"{sentence(data['doc'])} Since {since}."


STRUCT_NOTES = {
    "config": "The caller sets size to sizeof, and may leave the rest zero.",
    "out": "The caller sets size to sizeof; the library fills in the rest.",
    "record": "",
}


def struct_lines(struct, forward):
    note = (f"{STRUCT_NOTES[struct.data['kind']]} {source_text(struct)}{struct.data['size']} bytes. "
            f"Since {struct.since}.")
    lines = comment(prose_lines(f"{struct.doc.strip()}\n\n{note.strip()}", INNER))
    rows = []
    for field in struct.fields:
        array = f"[{field.array}]" if field.array else ""
        rows.append((field.type.declare(field.name) + array + ";",
                     meaning(field, since_text(struct, {"doc": field.doc} | field.data))))
    if forward:
        return lines + [f"struct {struct.name} {{"] + members(rows) + ["};"]
    return lines + [f"typedef struct {struct.name} {{"] + members(rows) + [f"}} {struct.name};"]


def typedef_lines(item):
    lines = prose_lines(f"{item.doc.strip()} Since {item.since}.", INNER)
    return comment(lines) + [f"typedef {item.data['type']} {item.name};"]


def constant_lines(constant):
    lines = prose_lines(f"{sentence(constant.doc)} Since {constant.since}.", INNER)
    return comment(lines) + [f"#define {constant.name} {constant.literal}"]


def handle_lines(handle):
    lines = prose_lines(f"{sentence(handle.doc)} Since {handle.since}.", INNER)
    return comment(lines) + [f"typedef struct {handle.name} {handle.name};"]


def mentions(item):
    """The names that a type's declaration uses."""
    if item.kind == "struct":
        return [field.type.base for field in item.fields]
    if item.kind == "callback":
        return [item.return_type.base] + [param.type.base for param in item.params]
    return []


class TypeWriter:
    """Writes an object's types in file order, each after the types that it uses."""

    def __init__(self, obj):
        self.types = {item.name: item for item in obj.items if item.kind != "function"}
        self.started, self.done, self.forward, self.chunks = set(), set(), set(), []

    def write(self):
        for item in self.types.values():
            self.emit(item)
        return self.chunks

    def emit(self, item):
        if item.name in self.started:
            return
        self.started.add(item.name)
        for name in mentions(item):
            if name not in self.types or name in self.done:
                continue
            if name in self.started and name != item.name:
                self.declare_ahead(name)
            self.emit(self.types[name])
        self.done.add(item.name)
        self.chunks.append(self.lines(item))

    def declare_ahead(self, name):
        if name not in self.forward:
            self.forward.add(name)
            self.chunks.append([f"typedef struct {name} {name};"])

    def lines(self, item):
        if item.kind == "struct":
            return struct_lines(item, item.name in self.forward)
        return {"constant": constant_lines, "handle": handle_lines, "typedef": typedef_lines, "enum": enum_lines,
                "callback": callback_lines}[item.kind](item)


def includes(obj):
    needs = sorted(obj.needs)
    lines = ["#include <stddef.h>", "#include <stdint.h>"]
    return lines + ([""] + [f"#include <vsdk/{name}.h>" for name in needs] if needs else [])


def join(chunks):
    return "\n\n".join("\n".join(chunk) for chunk in chunks) + "\n"


def header(obj):
    """The text of one header."""
    guard = f"VSDK_{obj.name.upper()}_H"
    top = prose_lines(f"{sentence(obj.title)}\n\n{obj.data['doc'].strip()}", INNER)
    if obj.functions:
        top += [""] + wrap(plain(CONVENTIONS), INNER)
    top += [""] + [f"Generated from abi/{obj.name}.toml by abi/generate.py."]
    chunks = [[LICENCE] + comment(top), [f"#ifndef {guard}", f"#define {guard}"],
              includes(obj),
              ["#ifdef __cplusplus", 'extern "C" {', "#endif"],
              ["#pragma GCC visibility push(default)"]]
    chunks += TypeWriter(obj).write()
    chunks += [function_lines(function) for function in obj.functions]
    chunks += [["#pragma GCC visibility pop"], ["#ifdef __cplusplus", "}", "#endif"],
               [f"#endif /* {guard} */"]]
    return join(chunks)


def umbrella(api):
    lines = ["All of libvsdk.", "", "Generated from the descriptions in abi by abi/generate.py."]
    chunks = [[LICENCE] + comment(lines), ["#ifndef VSDK_VSDK_H", "#define VSDK_VSDK_H"],
              [f"#include <vsdk/{name}.h>" for name in sorted(obj.name for obj in api.objects)],
              ["#endif /* VSDK_VSDK_H */"]]
    return join(chunks)


def outputs(api):
    files = {f"include/vsdk/{obj.name}.h": header(obj) for obj in api.objects}
    return files | {"include/vsdk/vsdk.h": umbrella(api)}
