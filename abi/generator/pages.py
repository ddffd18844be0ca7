# SPDX-License-Identifier: Apache-2.0
"""docs/reference/*.md"""

from .header import STRUCT_NOTES, enum_value, meaning, prototype, since_text
from .text import sentence, trimmed

NOTE = "<!-- Generated from abi/{}.toml by abi/generate.py. -->"


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def table(heads, rows):
    if not rows:
        return []
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(cell(text) for text in row) + " |" for row in rows] + [""]


def code(lines):
    return ["```c", *lines, "```", ""]


def facts(rows):
    return [f"- {name}: {sentence(text)}" for name, text in rows if text] + [""]


def constant_page(item):
    return code([f"#define {item.name} {item.literal}"])


def handle_page(item):
    return code([f"typedef struct {item.name} {item.name};"])


def typedef_page(item):
    return code([f"typedef {item.data['type']} {item.name};"])


def enum_page(enum):
    rows = [(f"`{v['name']}`", f"`{enum_value(enum, v)}`", since_text(enum, v))
            for v in enum.values]
    return code([f"typedef {enum.data['type']} {enum.name};"]) + table(("name", "value", "meaning"), rows)


def struct_page(struct):
    rows, layout = [], struct.data["offsets"]
    for field, offset in zip(struct.fields, layout):
        array = f"[{field.array}]" if field.array else ""
        rows.append((str(offset), f"`{field.type.declare(field.name)}{array}`",
                     meaning(field, since_text(struct, {"doc": field.doc} | field.data))))
    note = f"{STRUCT_NOTES[struct.data['kind']]} {struct.data['size']} bytes."
    return [note.strip(), ""] + table(("offset", "field", "meaning"), rows)


def param_table(call):
    rows = [(f"`{p.name}`", f"`{p.type.text.strip()}`", meaning(p, p.telling)) for p in call.params]
    rows = [row for row in rows if row[2]]
    return table(("parameter", "type", "meaning"), rows)


def callback_page(callback):
    head = callback.return_type.declare(f"(*{callback.name})")
    data = callback.data
    return (code(prototype("typedef " + head, callback.params)) + param_table(callback) +
            facts([("Returns", callback.returns.get("doc")), ("Runs on", data["thread"]),
                   ("May call", data.get("may_call"))]))


def function_page(function):
    data = function.data
    lines = [data["doc"].strip(), ""] if data.get("doc") else []
    lines = [sentence(data["brief"]), ""] + lines
    lines += code(prototype(function.return_type.declare(function.name), function.params))
    lines += param_table(function)
    returns = function.returns
    owner = f" ({returns['ownership']})" if "ownership" in returns else ""
    lines += facts([
        ("Returns", trimmed(returns["doc"]) + owner if returns.get("doc") else ""),
        ("Given NULL", data.get("null_result")), ("Threads", data["threads"]),
        ("Blocks", data["blocks"]), ("From callbacks", data["callback"]),
        ("States", data["states"]), ("Backends", function.backends), ("Since", function.since),
        ("Source", data.get("source"))])
    lines += table(("error", "cause"),
                   [(f"`VSDK_ERROR_{name}`", sentence(text)) for name, text in function.errors.items()])
    if "example" in data:
        lines += code(data["example"].strip("\n").split("\n"))
    return lines


PAGES = {"constant": constant_page, "handle": handle_page, "typedef": typedef_page, "enum": enum_page, "struct": struct_page,
         "callback": callback_page, "function": function_page}


def item_page(item):
    lines = [f"### `{item.name}`", ""]
    if item.kind != "function":
        lines += [item.doc.strip(), ""]
    lines += PAGES[item.kind](item)
    if item.kind != "function":
        tail = f"Since {item.since}."
        lines += [f"{tail} Source: {sentence(item.data['source'])}" if "source" in item.data else tail, ""]
    return lines


def page(obj):
    lines = [NOTE.format(obj.name), f"# {obj.title}", "", f"`#include <vsdk/{obj.name}.h>`", "",
             obj.data["doc"].strip(), ""]
    kinds = (("Types", [i for i in obj.items if i.kind != "function"]), ("Functions", obj.functions))
    for title, items in kinds:
        if items:
            lines += [f"## {title}", ""]
        for item in items:
            lines += item_page(item)
    return "\n".join(lines).rstrip("\n") + "\n"


def index(api):
    lines = [NOTE.format("*"), "# Reference", "",
             "Everything that the headers of libvsdk declare. `#include <vsdk/vsdk.h>` has all of it.", ""]
    lines += table(("page", "header"), [(f"[{o.title}]({o.name}.md)", f"`<vsdk/{o.name}.h>`")
                                        for o in api.objects])
    lines += ["## Functions", ""]
    lines += table(("function", "what it does"),
                   [(f"[`{f.name}`]({f.object.name}.md#{f.name})", sentence(f.data["brief"]))
                    for f in sorted(api.functions, key=lambda f: f.name)])
    return "\n".join(lines).rstrip("\n") + "\n"


def outputs(api):
    files = {f"docs/reference/{obj.name}.md": page(obj) for obj in api.objects}
    return files | {"docs/reference/index.md": index(api)}
