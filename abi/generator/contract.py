# SPDX-License-Identifier: Apache-2.0
"""tests/generated: assertions of the ABI, calls with NULL, and the table that the tests read."""

from .header import LICENCE

TOP = (f"{LICENCE}\n/* Generated from the descriptions in abi by abi/generate.py. */\n"
       "/* clang-format off */\n")

ASSERTS = """#include <vsdk/vsdk.h>

#ifdef __cplusplus
#include <type_traits>
#define ASSERT(condition, text) static_assert(condition, text)
#define SAME(left, ...) std::is_same<left, __VA_ARGS__>::value
#else
#define ASSERT(condition, text) _Static_assert(condition, text)
#define SAME(left, ...) __builtin_types_compatible_p(left, __VA_ARGS__)
#endif
#define FIELD(type, field) __typeof__(((type *)0)->field)
"""


def spelled(api, kind):
    """A type with enum and typedef names replaced by what they stand for."""
    const = "const " if kind.const else ""
    suffix = kind.text[len(const) + len(kind.base):]
    return f"{const}{api.plain(kind.base)}{suffix}"


def signature(api, call, name):
    params = ", ".join(spelled(api, p.type) for p in call.params) or "void"
    result = spelled(api, call.return_type)
    return f"{result}{'' if result.endswith('*') else ' '}{name}({params})"


def enum_asserts(enum):
    yield f'ASSERT(SAME({enum.name}, {enum.data["type"]}), "{enum.name}");'
    for value in enum.values:
        yield f'ASSERT({value["name"]} == {value["value"]}, "{value["name"]}");'


def struct_asserts(api, struct):
    name = struct.name
    yield f'ASSERT(sizeof({name}) == {struct.data["size"]}, "{name}");'
    for field, offset in zip(struct.fields, struct.data["offsets"]):
        kind = spelled(api, field.type) + (f"[{field.array}]" if field.array else "")
        yield f'ASSERT(offsetof({name}, {field.name}) == {offset}, "{name}.{field.name}");'
        yield f'ASSERT(SAME(FIELD({name}, {field.name}), {kind}), "{name}.{field.name}");'


def asserts(api):
    lines = []
    for item in (item for obj in api.objects for item in obj.items):
        if item.kind == "constant":
            lines.append(f'ASSERT({item.name} == {item.literal}, "{item.name}");')
        elif item.kind == "enum":
            lines += enum_asserts(item)
        elif item.kind == "struct":
            lines += struct_asserts(api, item)
        elif item.kind == "typedef":
            lines.append(f'ASSERT(SAME({item.name}, {item.data["type"]}), "{item.name}");')
        elif item.kind == "callback":
            lines.append(f'ASSERT(SAME({item.name}, {signature(api, item, "(*)")}), "{item.name}");')
        elif item.kind == "function":
            kind = signature(api, item, "(*)")
            lines.append(f'ASSERT(SAME(__typeof__(&{item.name}), {kind}), "{item.name}");')
    return TOP + ASSERTS + "\n" + "\n".join(lines) + "\n"


NULL_HEADER = """#ifndef VSDK_TESTS_NULL_CALLS_H
#define VSDK_TESTS_NULL_CALLS_H

#include <stddef.h>
#include <vsdk/vsdk.h>

enum null_outcome {
    NULL_REFUSED,  /* a required pointer is NULL: VSDK_ERROR_INVALID_ARGUMENT */
    NULL_ANY,      /* a status, whichever: no pointer is required */
    NULL_HARMLESS, /* no status: it must not crash; the answer is in its text */
    NULL_NO_CRASH, /* no status and no pointer: any answer */
};

/* One public function, called with NULL for each pointer and zero for each number. */
struct null_call {
    const char *function;
    enum null_outcome outcome;
    int takes_error; /* whether `error` reaches the function */
    int64_t (*call)(vsdk_error *error);
};

extern const struct null_call null_calls[];
extern const size_t null_calls_count;

#endif
"""


def null_outcome(function):
    if function.fallible:
        return "NULL_REFUSED" if function.required else "NULL_ANY"
    return "NULL_HARMLESS" if any(p.pointer for p in function.params) else "NULL_NO_CRASH"


def null_argument(param):
    if param.name == "error" and param.type.base == "vsdk_error":
        return "error"
    return "NULL" if param.pointer else "0"


def takes_error(function):
    return any(p.type.base == "vsdk_error" and p.name == "error" for p in function.params)


def null_thunk(function):
    arguments = ", ".join(null_argument(p) for p in function.params)
    call = f"{function.name}({arguments})"
    lines = [] if takes_error(function) else ["    (void)error;"]
    result = function.return_type
    if result.pointer:
        lines.append(f"    return (int64_t)(intptr_t){call};")
    elif result.base == "void":
        lines += [f"    {call};", "    return 0;"]
    else:
        lines.append(f"    return (int64_t){call};")
    body = "\n".join(lines)
    return f"static int64_t call_{function.name}(vsdk_error *error)\n{{\n{body}\n}}\n"


def null_calls(api):
    thunks = [null_thunk(function) for function in api.functions]
    rows = [f'    {{"{f.name}", {null_outcome(f)}, {int(takes_error(f))}, call_{f.name}}},\n'
            for f in api.functions]
    return (TOP + '#include "null_calls.h"\n\n' + "\n".join(thunks) +
            "\nconst struct null_call null_calls[] = {\n" + "".join(rows) + "};\n" +
            "const size_t null_calls_count = sizeof(null_calls) / sizeof(null_calls[0]);\n")


TABLE_TOP = """#ifndef VSDK_TESTS_API_TABLE_H
#define VSDK_TESTS_API_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct api_function {
    const char *name;
    const char *since;
    uint32_t fallible;         /* returns vsdk_status */
    uint32_t required;         /* pointer parameters that must not be NULL */
    const char *states;
    const char *errors;        /* documented errors, separated by spaces */
};

static const struct api_function api_functions[] = {
"""


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def table_row(function):
    cells = [quoted(function.name), quoted(function.since), str(int(function.fallible)),
             str(len(function.required)), quoted(function.data["states"]),
             quoted(" ".join(function.errors))]
    return "    {" + ", ".join(cells) + "},\n"


def last_values(api):
    """So that a test goes through all values of an enum, also through one that was added later."""
    enums = [enum for enum in api.all("enum") if enum.namer and not enum.flags]
    rows = [(enum.name.removeprefix("vsdk_").upper(), max(v["value"] for v in enum.values)) for enum in enums]
    return "enum {\n" + "".join(f"    API_LAST_{name} = {value},\n" for name, value in rows) + "};\n"


def api_table(api):
    rows = "".join(table_row(f) for f in api.functions)
    return f"{TOP}{TABLE_TOP}{rows}}};\n\n{last_values(api)}\n#endif\n"


def outputs(api):
    return {
        "tests/generated/abi_asserts.c": asserts(api),
        "tests/generated/abi_asserts_cxx.cc": TOP + '#include "abi_asserts.c"\n',
        "tests/generated/null_calls.c": null_calls(api),
        "tests/generated/null_calls.h": TOP + NULL_HEADER,
        "tests/generated/api_table.h": api_table(api),
    }
