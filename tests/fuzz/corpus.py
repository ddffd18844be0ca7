#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The corpora: one file a target, an input a line, NAME HEX (- for none).

usage: corpus.py unpack FILE FOLDER     a file an input, for a fuzzer
       corpus.py pack FILE FOLDER       adds a folder's inputs to the file; what is there stays
"""
import hashlib
import os
import sys


def read(path):
    inputs = {}
    if os.path.exists(path):
        with open(path, encoding="ascii") as file:
            for line in file:
                name, data = line.split()
                inputs[name] = bytes.fromhex("" if data == "-" else data)
    return inputs


def write(path, inputs):
    with open(path, "w", encoding="ascii") as file:
        for name in sorted(inputs):
            file.write(f"{name} {inputs[name].hex() or '-'}\n")


def unpack(path, folder):
    os.makedirs(folder, exist_ok=True)
    for name, data in read(path).items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)


def named(name, data):
    """A fuzzer's own names are long hashes."""
    return hashlib.sha1(data).hexdigest()[:12] if len(name) == 40 else name


def pack(path, folder):
    inputs = read(path)
    known = set(inputs.values())
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        if data not in known:
            inputs[named(name, data)] = data
            known.add(data)
    write(path, inputs)


def main(arguments):
    commands = {"pack": pack, "unpack": unpack}
    if len(arguments) != 3 or arguments[0] not in commands:
        sys.exit(__doc__)
    commands[arguments[0]](*arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
