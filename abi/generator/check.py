# SPDX-License-Identifier: Apache-2.0
"""The rules of a description. Each complaint names a file and a line."""

import re

from .model import POINTER, SCALARS, parse_type
from .source import DescriptionError

# The members of an enum are int, whatever the typedef beside it.
RANGES = {"uint8_t": (0, 2**8 - 1), "uint16_t": (0, 2**16 - 1), "uint32_t": (0, 2**31 - 1),
          "int32_t": (-2**31, 2**31 - 1)}
LIBRARY_WIDE = {"vsdk_version"}
FORBIDDEN = {"bool", "_Bool", "long", "int", "short", "unsigned", "signed", "float", "double",
             "union", "enum", "struct", "va_list", "uintptr_t", "intptr_t", "off_t", "ssize_t"}


class Checker:
    """The rules that need the whole description."""

    def __init__(self, api):
        self.api = api

    def run(self):
        """Complaints, at most one an item; each stage relies on those before it."""
        items = [item for obj in self.api.objects for item in obj.items if not {"namer_of", "ref_of"} & set(item.data)]
        self.stage([(self.unique_names,)] + [(self.needs, obj) for obj in self.api.objects] +
                   [(self.name, item) for item in items])
        self.stage([(self.typedef, item) for item in items if item.kind == "typedef"])
        self.stage([(self.field_types, item) for item in items if item.kind == "struct"])
        self.stage([(getattr(self, item.kind), item) for item in items] +
                   [(self.cycle, obj, []) for obj in self.api.objects])

    def stage(self, rules):
        complaints = []
        for rule, *arguments in rules:
            try:
                rule(*arguments)
            except DescriptionError as error:
                complaints.append(str(error))
        if complaints:
            raise DescriptionError("\n".join(dict.fromkeys(complaints)))

    def unique_names(self):
        seen = {}
        for obj in self.api.objects:
            for item in obj.items:
                names = [(item.name, ("name",))]
                if item.kind == "enum":
                    names += [(v["name"], ("values", i)) for i, v in enumerate(item.values)]
                for name, path in names:
                    if name in seen:
                        raise item.error(f"`{name}` is already defined at {seen[name]}", *path)
                    seen[name] = f"{item.source.name}:{item.source.line(item.path + path)}"
        titles = {}
        for obj in self.api.objects:
            if obj.name in titles:
                raise obj.source.error(("object", "name"), f"object `{obj.name}` is already "
                                       f"described in {titles[obj.name]}")
            titles[obj.name] = obj.source.name
            if obj.source.name != f"abi/{obj.name}.toml":
                raise obj.source.error(("object", "name"), f"object `{obj.name}` must stand in "
                                       f"abi/{obj.name}.toml")

    def needs(self, obj):
        names = {other.name for other in self.api.objects}
        for index, name in enumerate(obj.needs):
            if name not in names or name == obj.name:
                raise obj.source.error(("object", "needs"), f"needs `{name}`, which is no other object")

    def cycle(self, obj, trail):
        if obj.name in trail:
            path = " -> ".join(trail[trail.index(obj.name):] + [obj.name])
            raise obj.source.error(("object", "needs"), f"headers include each other: {path}")
        for other in self.api.objects:
            if other.name in obj.needs:
                self.cycle(other, trail + [obj.name])

    # Names

    def name(self, item):
        name = item.name
        if item.kind == "constant":
            if not re.fullmatch(r"VSDK(_[A-Z0-9]+)+", name):
                raise item.error(f"`{name}` is not of the form VSDK_<UPPER_CASE>", "name")
            return
        if not re.fullmatch(r"vsdk(_[a-z0-9]+)+", name):
            raise item.error(f"`{name}` is not of the form vsdk_<lower_case>", "name")
        if not re.fullmatch(r"\d+\.\d+", item.since):
            raise item.error(f"since `{item.since}` is not a release such as 0.1", "since")
        if item.kind == "callback" and not name.endswith("_fn"):
            raise item.error(f"callback `{name}` must end in _fn", "name")
        if item.kind == "function":
            self.function_name(item)

    def function_name(self, function):
        obj = function.object
        prefixes = {f"vsdk_{name}" for name in [obj.name] + obj.data.get("prefixes", [])}
        prefixes |= {item.name for item in self.api.all("handle")}
        if function.name in LIBRARY_WIDE:
            return
        if not any(function.name.startswith(prefix + "_") for prefix in prefixes):
            raise function.error(f"`{function.name}` is not vsdk_<object>_<verb>: the object is a "
                                 "handle, the file's name, or one of [object] `prefixes`", "name")

    # Types

    def type_of(self, variable, allow_struct=False):
        """The checked type of a parameter or field."""
        text = variable.data["type"]
        kind = parse_type(text)
        words = set(re.findall(r"\w+", text))
        if words & FORBIDDEN or "..." in text or ":" in text:
            raise variable.error(f"type `{text}` is forbidden in public headers", "type")
        if not kind:
            raise variable.error(f"type `{text}` is not understood", "type")
        what = self.api.kind(kind.base)
        if not what:
            raise variable.error(f"unknown type `{kind.base}`", "type")
        if not kind.pointer:
            self.by_value(variable, kind, what, allow_struct)
        self.included(variable, kind.base)
        return kind

    def by_value(self, variable, kind, what, allow_struct):
        if what == "struct" and not allow_struct:
            raise variable.error(f"struct `{kind.base}` by value is forbidden", "type")
        if what in ("handle", "void"):
            raise variable.error(f"`{kind.base}` can only be used through a pointer", "type")
        if kind.const:
            raise variable.error(f"const by value says nothing: `{kind.text}`", "type")

    def included(self, variable, base):
        item = self.api.by_name.get(base)
        if item and item.object is not variable.object and item.object.name not in variable.object.needs:
            raise variable.error(f"`{base}` is defined in {item.object.name}, which `needs` "
                                 "does not name", "type")

    def handle(self, item):
        pass

    def constant(self, item):
        if not 0 <= item.data["value"] < 2 ** (8 * SCALARS[item.data["type"]]):
            raise item.error(f"`{item.name}` does not fit {item.data['type']}", "value")

    def typedef(self, item):
        if item.data["type"] not in SCALARS:
            raise item.error(f"a typedef names a fixed-width type, not `{item.data['type']}`", "type")

    def enum(self, enum):
        values = {}
        low, high = RANGES[enum.data["type"]]
        for index, value in enumerate(enum.values):
            number, name = value["value"], value["name"]
            path = ("values", index)
            if not re.fullmatch(r"VSDK(_[A-Z0-9]+)+", name):
                raise enum.error(f"`{name}` is not of the form VSDK_<UPPER_CASE>", *path)
            if number in values and (enum.namer or enum.flags):
                raise enum.error(f"`{name}` has the value {number} of `{values[number]}`", *path)
            if not low <= number <= high:
                raise enum.error(f"`{name}` = {number} does not fit an enum of {enum.data['type']}", *path)
            values[number] = name
        if not values:
            raise enum.error("an enum without values", "values")
        if enum.namer and enum.flags:
            raise enum.error("a bit mask has no name function", "namer")
        if enum.namer and enum.namer != enum.name + "_name":
            raise enum.error(f"the name function of `{enum.name}` is `{enum.name}_name`", "namer")

    # Structs

    def field_types(self, struct):
        for field in struct.fields:
            self.type_of(field, allow_struct=True)
        self.contains(struct, struct, [])

    def contains(self, struct, inner, trail):
        """No struct holds itself."""
        for field in inner.fields:
            kind = parse_type(field.data["type"])
            item = self.api.by_name.get(kind.base) if kind and not kind.pointer else None
            if item is struct or item in trail:
                raise field.error(f"`{struct.name}` contains itself", "type")
            if item and item.kind == "struct":
                self.contains(struct, item, trail + [item])

    def struct(self, struct):
        fields = struct.fields
        names = [field.name for field in fields]
        for field in fields:
            if names.count(field.name) > 1:
                raise field.error(f"duplicate field `{field.name}`", "name")
        if struct.data["kind"] != "record":
            self.versioned(struct, fields)
        offset, align = 0, 1
        offsets = struct.data["offsets"] = []
        for field in fields:
            size, alignment = self.extent(field)
            if offset % alignment:
                raise field.error(f"`{field.name}` at offset {offset} needs {-offset % alignment} "
                                  "bytes of explicit reserve before it", "name")
            if field.data.get("offset", offset) != offset:
                raise field.error(f"`{field.name}` is at offset {offset}, not "
                                  f"{field.data['offset']}", "offset")
            offsets.append(offset)
            offset, align = offset + size, max(align, alignment)
        if offset != struct.data["size"]:
            raise struct.error(f"`{struct.name}` is {offset} bytes, not {struct.data['size']}", "size")
        if offset % align:
            raise struct.error(f"`{struct.name}` needs {-offset % align} bytes of explicit reserve "
                               "at its end", "size")
        self.releases(struct, fields)

    def versioned(self, struct, fields):
        for index, name in enumerate(("size", "flags")):
            field = fields[index] if index < len(fields) else struct
            if field is struct or (field.name, field.data["type"]) != (name, "uint32_t"):
                raise field.error(f"`{struct.name}` must begin with uint32_t size, uint32_t flags")

    def extent(self, field):
        """Size and alignment of a field."""
        size, alignment = self.measure(field.type)
        count = field.array
        if count is not None and count < 1:
            raise field.error("an array has at least one element", "array")
        return size * (count or 1), alignment

    def measure(self, kind):
        if kind.pointer:
            return POINTER, POINTER
        item = self.api.by_name.get(kind.base)
        if item and item.kind == "struct":
            alignment = max(self.measure(field.type)[1] for field in item.fields)
            return item.data["size"], alignment
        if item and item.kind == "callback":
            return POINTER, POINTER
        size = SCALARS[self.api.plain(kind.base)]
        return size, size

    def releases(self, struct, fields):
        callbacks = [f for f in fields if self.api.kind(f.type.base) == "callback"]
        if callbacks and not any(f.name.endswith("release") for f in callbacks):
            raise callbacks[0].error(f"`{struct.name}` has callbacks but no release", "name")

    # Calls

    def callback(self, callback):
        self.call(callback)
        user = [p for p in callback.params if p.data["type"] == "void *" and p.name == "user"]
        if not user:
            raise callback.error(f"callback `{callback.name}` has no `void *user`", "params")

    def call(self, call):
        names = [param.name for param in call.params]
        for param in call.params:
            if names.count(param.name) > 1:
                raise param.error(f"duplicate parameter `{param.name}`", "name")
            if not param.doc.strip():
                raise param.error(f"parameter `{param.name}` has no doc", "name")
            self.direction(param, self.type_of(param))
            for key in [param.data["length"]] if "length" in param.data else []:
                if key not in names:
                    raise param.error(f"length names `{key}`, which is no parameter", "length")
            for key in param.closure:
                if key not in names:
                    raise param.error(f"closure names `{key}`, which is no parameter", "closure")
        self.return_type(call)

    def return_type(self, call):
        result = parse_type(call.returns["type"])
        if not result or set(re.findall(r"\w+", result.text)) & FORBIDDEN:
            raise call.error(f"return type `{call.returns['type']}` is forbidden", "returns")
        what = self.api.kind(result.base)
        if not what:
            raise call.error(f"unknown type `{result.base}`", "returns")
        if what == "struct" and not result.pointer:
            raise call.error(f"struct `{result.base}` by value is forbidden", "returns")

    def direction(self, param, kind):
        if param.dir != "in" and (kind.const or not kind.pointer):
            raise param.error(f"`{param.name}` is {param.dir} but not a pointer to change", "type")
        what = self.api.kind(kind.base)
        if (param.kind == "param" and param.dir == "in" and what == "struct" and not kind.const
                and kind.stars == 1):
            raise param.error(f"`{param.name}` is an input: const, or dir = out or inout", "type")
        if param.nullable and not kind.pointer and what != "callback":
            raise param.error(f"`{param.name}` is no pointer: it cannot be nullable", "nullable")

    def function(self, function):
        self.call(function)
        params = function.params
        if function.fallible:
            last = params[-1] if params else None
            if (last is None or (last.name, last.data["type"], last.nullable, last.dir) !=
                    ("error", "vsdk_error *", True, "out")):
                raise function.error(f"`{function.name}` returns vsdk_status: its last parameter must "
                                     "be a nullable out `vsdk_error *error`", "params")
            if "errors" not in function.data:
                raise function.error(f"`{function.name}` lacks `errors`")
        self.errors(function)
        self.closures(function)

    def errors(self, function):
        known = self.api.status()
        for name in function.data.get("errors", {}):
            if not function.fallible:
                raise function.error(f"`{function.name}` does not return vsdk_status: no errors", "errors")
            if name not in known:
                raise function.error(f"`{name}` is no VSDK_ERROR_ of vsdk_status", "errors", name)
        refused = re.match(r"no\b", function.data["callback"])
        if function.fallible and refused and "BUSY" not in function.errors:
            raise function.error(f"`{function.name}` may not be called from callbacks: it must answer BUSY",
                                 "callback")

    def closures(self, function):
        for param in function.params:
            if self.api.kind(param.type.base) != "callback" or param.type.base == "vsdk_release_fn":
                continue
            companions = {p.data["type"] for p in function.params if param.name in p.closure}
            for needed in ("void *", "vsdk_release_fn"):
                if needed not in companions:
                    raise param.error(f"callback `{param.name}` has no `{needed}` with closure = "
                                      f"\"{param.name}\"", "name")


def check(api):
    Checker(api).run()
