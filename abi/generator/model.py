# SPDX-License-Identifier: Apache-2.0
"""The description as Python objects."""

import re
from dataclasses import dataclass, field

from .source import Source

SCALARS = {
    "uint8_t": 1, "int8_t": 1, "uint16_t": 2, "int16_t": 2, "uint32_t": 4, "int32_t": 4,
    "uint64_t": 8, "int64_t": 8, "size_t": 8, "char": 1,
}
POINTER = 8
ERROR_DOC = "Filled in when the call fails."
TYPE = re.compile(r"(const )?(\w+)(| \*| \*\*| \*const \*)")


@dataclass(frozen=True)
class Type:
    text: str
    const: bool
    base: str
    stars: int

    @property
    def pointer(self):
        return self.stars > 0

    def declare(self, name):
        return f"{self.text}{name}" if self.pointer else f"{self.text} {name}"


def parse_type(text):
    """The Type that `text` spells, or None."""
    match = TYPE.fullmatch(text)
    if not match:
        return None
    return Type(text, bool(match[1]), match[2], match[3].count("*"))


@dataclass
class Item:
    """One described thing: where it stands, and its keys."""
    source: Source
    path: tuple
    data: dict
    kind: str
    object: "Object" = None

    @property
    def name(self):
        return self.data["name"]

    @property
    def doc(self):
        return self.data.get("doc", "")

    @property
    def since(self):
        return self.data.get("since", "0.1")

    def error(self, message, *path):
        return self.source.error(self.path + path, message)

    @property
    def order(self):
        return self.source.line(self.path)


class Variable(Item):
    """A parameter or a field."""

    @property
    def type(self):
        return parse_type(self.data["type"])

    @property
    def pointer(self):
        """To data or to a function; a callback's name ends in _fn."""
        return self.type.pointer or self.type.base.endswith("_fn")

    @property
    def nullable(self):
        return self.data.get("nullable", False)

    @property
    def dir(self):
        return self.data.get("dir", "in")

    @property
    def array(self):
        return self.data.get("array")

    @property
    def closure(self):
        names = self.data.get("closure", [])
        return [names] if isinstance(names, str) else names

    @property
    def doc(self):
        if "doc" in self.data:
            return self.data["doc"]
        if self.data.get("type") == "vsdk_error *":
            return ERROR_DOC
        if self.closure and self.data.get("type") == "vsdk_release_fn":
            return "Called exactly once with `user` when it is no longer needed, on failure too."
        if self.nullable and self.kind == "param" and "dir" not in self.data:
            return "The reference to drop."
        if self.closure:
            return f"Handed to `{'` and `'.join(self.closure)}`."
        return ""


    @property
    def telling(self):
        """The doc, or nothing where it only says what name and type say: "The virtual machine" of a
        vsdk_vm, "Or NULL" of what is nullable. A handle's own words are those that describe it."""
        own = words_of(self.name) | words_of(self.type.base) | {"handle"}
        handle = self.object.api.by_name.get(self.type.base)
        if handle and handle.kind == "handle":
            own |= words_of(re.split(r"[.:,]", handle.doc)[0])
        said = words_of(self.doc) - {"the", "a", "an"}
        if self.nullable:
            said -= {"or", "null"}
        return self.doc if said - own else ""


def words_of(text):
    return set(re.findall(r"[a-z0-9]+", text.lower()))


class Constant(Item):
    """A number that is too large for an enum; a macro in C."""

    @property
    def literal(self):
        suffix = {"uint64_t": "UINT64_C", "uint32_t": "UINT32_C"}[self.data["type"]]
        return f"{suffix}({hex(self.data['value'] % 2**64)})"


class Enum(Item):
    @property
    def values(self):
        return self.data["values"]

    @property
    def flags(self):
        return self.data.get("flags", False)

    @property
    def namer(self):
        return self.data.get("namer")

    def short_names(self):
        """The lower-case name of each value, without what all have in common."""
        names = [value["name"] for value in self.values]
        if self.name == "vsdk_status":
            names = [re.sub("^VSDK_(ERROR_)?", "", name) for name in names]
            return [name.lower() for name in names]
        prefix = common_words(names if len(names) > 1 else names + [self.name.upper() + "_X"])
        return [value.get("text", value["name"][len(prefix):].lower()) for value in self.values]


def common_words(names):
    """The longest prefix of whole words that all `names` share, with its last underscore."""
    words = [name.split("_") for name in names]
    count = 0
    while all(len(w) > count + 1 and w[count] == words[0][count] for w in words):
        count += 1
    return "".join(word + "_" for word in words[0][:count])


class Struct(Item):
    @property
    def fields(self):
        return [Variable(self.source, self.path + ("fields", i), data, "field", self.object)
                for i, data in enumerate(self.data["fields"])]


class Call(Item):
    """A function or a callback."""

    @property
    def params(self):
        return [Variable(self.source, self.path + ("params", i), data, "param", self.object)
                for i, data in enumerate(self.data.get("params", []))]

    @property
    def returns(self):
        returns = self.data.get("returns", {"type": self.default_return})
        return {"type": returns} if isinstance(returns, str) else returns

    @property
    def return_type(self):
        return parse_type(self.returns["type"])


class Callback(Call):
    default_return = "void"


class Function(Call):
    default_return = "vsdk_status"

    @property
    def fallible(self):
        return self.returns["type"] == "vsdk_status"

    @property
    def required(self):
        """The parameters that must not be NULL."""
        return [p for p in self.params if p.pointer and not p.nullable]

    @property
    def errors(self):
        errors = dict(self.data.get("errors", {}))
        if self.fallible and self.required and "INVALID_ARGUMENT" not in errors:
            errors = {"INVALID_ARGUMENT": "a pointer that must not be NULL is"} | errors
        if self.fallible and self.data.get("takes_handle"):
            before = f"{errors['STATE']}, or " if "STATE" in errors else ""
            errors = errors | {"STATE": before + "called in a forked child"}
        return errors

    @property
    def backends(self):
        backends = self.data.get("backends", "all")
        return backends if isinstance(backends, str) else ", ".join(backends)


KINDS = {"constant": Constant, "handle": Item, "typedef": Item, "enum": Enum, "struct": Struct, "callback": Callback,
         "function": Function}


@dataclass
class Object:
    """One file of the description."""
    source: Source
    data: dict
    items: list = field(default_factory=list)
    api: "Api" = field(default=None, repr=False)

    @property
    def name(self):
        return self.data["name"]

    @property
    def title(self):
        return self.data["title"]

    @property
    def needs(self):
        return self.data.get("needs", [])

    def of(self, *kinds):
        return [item for item in self.items if item.kind in kinds]

    @property
    def functions(self):
        return self.of("function")


def namer_function(enum):
    """The function that an enum's `namer` asks for."""
    data = {
        "name": enum.namer, "since": enum.since,
        "brief": f"The name of a `{enum.name}`: " + example_names(enum) + ".",
        "returns": {"type": "const char *", "ownership": "static",
                    "doc": "The name in lower case, `unknown` for a value without one."},
        "params": [{"name": "value", "type": enum.name, "doc": "Any value."}],
        "threads": "any", "blocks": "no", "callback": "yes", "states": "any", "backends": "all",
        "null_result": "takes no pointer", "namer_of": enum.name,
    }
    return Function(enum.source, enum.path + ("namer",), data, "function", enum.object)


def ref_function(handle):
    """The function that takes a reference more to a counted handle."""
    short = handle.name.removeprefix("vsdk_")
    data = {
        "name": f"{handle.name}_ref", "since": handle.since, "brief": "Take a reference more.",
        "returns": {"type": f"{handle.name} *", "ownership": "new", "doc": "the same handle"},
        "params": [{"name": short, "type": f"{handle.name} *", "dir": "inout", "doc": "The handle."}],
        "threads": "any", "blocks": "no", "callback": "yes", "states": "any", "backends": "all",
        "null_result": "returns NULL", "ref_of": handle.name,
    }
    return Function(handle.source, handle.path, data, "function", handle.object)


def example_names(enum):
    names = [f"`{name}`" for name in enum.short_names()[:3]]
    return ", ".join(names) + (" and so on" if len(enum.values) > 3 else "")


def load_object(source):
    """The Object of a source whose shape has been checked."""
    result = Object(source, source.data["object"])
    for kind, make in KINDS.items():
        for index, data in enumerate(source.data.get(kind, [])):
            result.items.append(make(source, (kind, index), data, kind, result))
    for handle in result.of("handle"):
        if handle.data.get("counted"):
            result.items.append(ref_function(handle))
    for enum in result.of("enum"):
        if enum.namer:
            result.items.append(namer_function(enum))
    result.items.sort(key=lambda item: item.order)
    return result


class Api:
    """All objects, in order, and all named things."""

    def __init__(self, objects):
        self.objects = sorted(objects, key=lambda o: (o.data["order"], o.name))
        self.by_name = {item.name: item for o in self.objects for item in o.items}
        counted = {item.name for item in self.all("handle") if item.data.get("counted")}
        for function in self.functions:
            function.data["takes_handle"] = any(
                p.type and p.type.base in counted and p.type.stars == 1 for p in function.params)
        for obj in self.objects:
            obj.api = self

    def all(self, *kinds):
        return [item for o in self.objects for item in o.of(*kinds)]

    @property
    def functions(self):
        return self.all("function")

    def status(self):
        """The error names of vsdk_status, without their prefix, and their values."""
        enum = self.by_name.get("vsdk_status")
        values = enum.values if enum else []
        prefix = "VSDK_ERROR_"
        return {v["name"][len(prefix):]: v["value"] for v in values if v["name"].startswith(prefix)}

    def kind(self, base):
        """What a type's base name is: scalar, void, the kind of an item, or None."""
        if base in SCALARS:
            return "scalar"
        if base == "void":
            return "void"
        item = self.by_name.get(base)
        return item.kind if item and item.kind != "function" else None

    def plain(self, base):
        """A scalar's own spelling behind enum and typedef names."""
        item = self.by_name.get(base)
        return item.data["type"] if item and item.kind in ("enum", "typedef") else base
