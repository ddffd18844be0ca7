# SPDX-License-Identifier: Apache-2.0
"""Reads one TOML file twice: tomllib for the values, a small scanner for their line numbers."""

import re
import tomllib


class DescriptionError(Exception):
    """A complaint that names a file and a line."""


class Scanner:
    """Maps each table, key and element, as a path of names and indices, to its line."""

    def __init__(self, text):
        self.text = text
        self.position = 0
        self.lines = {(): 1}
        self.counts = {}

    def line(self):
        return self.text.count("\n", 0, self.position) + 1

    def skip(self, pattern=r"(?:[\s,]|#[^\n]*)+"):
        match = re.compile(pattern).match(self.text, self.position)
        if match:
            self.position = match.end()
        return match

    def scan(self):
        prefix = ()
        self.skip()
        while self.position < len(self.text):
            if self.text[self.position] == "[":
                prefix = self.table()
            else:
                self.pair(prefix)
            self.skip()
        return self.lines

    def table(self):
        line = self.line()
        match = self.skip(r"(\[\[?)([^\]]+)\]\]?")
        *parents, last = [part.strip().strip('"') for part in match[2].split(".")]
        prefix = ()
        for parent in parents:
            prefix += (parent,)
            if prefix in self.counts:
                prefix += (self.counts[prefix],)
        prefix += (last,)
        if match[1] == "[[":
            self.lines.setdefault(prefix, line)
            self.counts[prefix] = self.counts.get(prefix, -1) + 1
            prefix += (self.counts[prefix],)
        self.lines[prefix] = line
        return prefix

    def pair(self, prefix):
        line = self.line()
        name = self.skip(r"[A-Za-z0-9_.\"'-]+\s*=\s*")[0].split("=")[0].strip().strip("\"'")
        path = prefix + tuple(name.split("."))
        self.lines[path] = line
        self.value(path)

    def value(self, path):
        if self.text.startswith(('"""', "'''"), self.position):
            self.skip(r'"""(?s:[^\\]|\\.)*?"""+|\'\'\'(?s:.)*?\'\'\'+')
            return
        opening = self.text[self.position]
        if opening == "{":
            self.members("}", lambda index: self.pair(path))
        elif opening == "[":
            self.members("]", lambda index: self.element(path + (index,)))
        else:
            self.skip(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|[^\s,\]}#]+')

    def members(self, closing, read):
        self.position += 1
        index = 0
        self.skip()
        while self.text[self.position] != closing:
            read(index)
            index += 1
            self.skip()
        self.position += 1

    def element(self, path):
        self.lines[path] = self.line()
        self.value(path)


class Source:
    """A parsed description file, able to say where each value stands."""

    def __init__(self, path, name):
        self.name = name
        text = path.read_text(encoding="utf-8")
        try:
            self.data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            match = re.search(r"at line (\d+)", str(error))
            line = match[1] if match else text.count("\n") + 1
            raise DescriptionError(f"{name}:{line}: {error}") from None
        self.lines = Scanner(text).scan()

    def line(self, path):
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]

    def error(self, path, message):
        return DescriptionError(f"{self.name}:{self.line(path)}: {message}")
