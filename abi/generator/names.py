# SPDX-License-Identifier: Apache-2.0
"""lib/core/names.c: the functions that name the values of enums."""

from .header import LICENCE


def namer(enum):
    cases = [f"    case {value['name']}:\n        return \"{short}\";\n"
             for value, short in zip(enum.values, enum.short_names())]
    return (f"const char *{enum.namer}({enum.name} value)\n{{\n    switch (value) {{\n"
            f"{''.join(cases)}    default:\n        return \"unknown\";\n    }}\n}}\n")


def outputs(api):
    enums = [enum for enum in api.all("enum") if enum.namer]
    needed = sorted({enum.object.name for enum in enums})
    includes = "".join(f"#include <vsdk/{name}.h>\n" for name in needed)
    top = f"{LICENCE}\n/* Generated from the descriptions in abi by abi/generate.py. */\n{includes}\n"
    return {"lib/core/names.c": top + "\n".join(namer(enum) for enum in enums)}
