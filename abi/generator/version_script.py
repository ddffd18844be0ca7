# SPDX-License-Identifier: Apache-2.0
"""abi/libvsdk.map"""


def release(text):
    return tuple(int(part) for part in text.split("."))


def outputs(api):
    by_release = {}
    for function in api.functions:
        by_release.setdefault(function.since, []).append(function.name)
    chunks, parent = [], ""
    for since in sorted(by_release, key=release):
        names = "".join(f"        {name};\n" for name in sorted(by_release[since]))
        local = "    local:\n        *;\n" if not parent else ""
        chunks.append(f"VSDK_{since} {{\n    global:\n{names}{local}}}{parent};\n")
        parent = f" VSDK_{since}"
    return {"abi/libvsdk.map": "\n".join(chunks)}
