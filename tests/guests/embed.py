#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes guests.h and guests.c out of flat binaries: one guest_image each, named after its file.

embed.py HEADER SOURCE BINARY..."""
import pathlib
import sys

HEADER = """/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from the assembled guests by tests/guests/embed.py. */
#ifndef TESTS_GUESTS_GUESTS_H
#define TESTS_GUESTS_GUESTS_H

#include <stddef.h>
#include <stdint.h>

typedef struct guest_image {
    const char *name;
    const uint8_t *bytes;
    size_t length;
} guest_image;

%s

#endif
"""


def array(name, data):
    rows = [", ".join("0x%02x" % byte for byte in data[i:i + 12]) for i in range(0, len(data), 12)]
    return ("static const uint8_t %s_bytes[] = {\n    %s,\n};\n"
            "const guest_image guest_%s = {\"%s\", %s_bytes, sizeof %s_bytes};\n"
            % (name, ",\n    ".join(rows), name, name, name, name))


def main():
    header, source = sys.argv[1:3]
    binaries = [pathlib.Path(name) for name in sys.argv[3:]]
    declarations = "\n".join("extern const guest_image guest_%s;" % b.stem for b in binaries)
    pathlib.Path(header).write_text(HEADER % declarations)
    body = "\n".join(array(b.stem, b.read_bytes()) for b in binaries)
    pathlib.Path(source).write_text('#include "guests.h"\n\n' + body)


main()
