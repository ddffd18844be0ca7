# SPDX-License-Identifier: Apache-2.0
"""abi/api.json: the checked description for bindings and other programs."""

import json


def variable(item):
    result = {"name": item.name, "type": item.data["type"].strip(), "doc": item.doc,
              "nullable": item.nullable}
    for key in ("array", "length", "unit", "ownership", "since"):
        if key in item.data:
            result[key] = item.data[key]
    if item.kind == "param":
        result["dir"] = item.dir
        result["ownership"] = item.data.get("ownership", "borrowed")
        if item.closure:
            result["closure"] = item.closure
    return result


def enum(item):
    values = [dict(value) for value in item.values]
    for value, short in zip(values, item.short_names()):
        value["text"] = short
    return {"type": item.data["type"], "flags": item.flags, "namer": item.namer, "values": values}


def struct(item):
    fields = [variable(field) | {"offset": offset}
              for field, offset in zip(item.fields, item.data["offsets"])]
    return {"kind": item.data["kind"], "size": item.data["size"], "fields": fields}


def call(item):
    return {"params": [variable(param) for param in item.params], "returns": item.returns}


def callback(item):
    return call(item) | {key: item.data[key] for key in ("thread", "may_call") if key in item.data}


def function(item):
    keys = ("brief", "threads", "blocks", "callback", "states", "backends", "null_result",
            "namer_of", "example")
    return call(item) | {key: item.data[key] for key in keys if key in item.data} | {
        "errors": item.errors, "required": [param.name for param in item.required]}


DETAIL = {"constant": lambda item: {"type": item.data["type"], "value": item.data["value"]},
          "handle": lambda item: {}, "typedef": lambda item: {"type": item.data["type"]},
          "enum": enum, "struct": struct, "callback": callback, "function": function}


def describe(item):
    result = {"object": item.object.name, "since": item.since, "doc": item.doc}
    if "source" in item.data:
        result["source"] = item.data["source"]
    return result | DETAIL[item.kind](item)


def line(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def items(things):
    """One a line, so that a change shows as the lines that it concerns."""
    return ",\n".join(f" {line(name)}: {line(things[name])}" for name in sorted(things))


def outputs(api):
    tree = {"objects": {o.name: {"title": o.title, "order": o.data["order"], "needs": o.needs,
                                 "doc": o.data["doc"].strip()} for o in api.objects}}
    for kind in DETAIL:
        tree[kind + "s"] = {item.name: describe(item) for item in api.all(kind)}
    kinds = ",\n".join(f"{line(kind)}: {{\n{items(tree[kind])}\n}}" for kind in sorted(tree))
    return {"abi/api.json": f"{{\n{kinds}\n}}\n"}
