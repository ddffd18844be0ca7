# SPDX-License-Identifier: Apache-2.0
"""The shape of C sources: functions, comments, helpers with one caller. Read without a compiler, from
how clang-format lays code out: a function's body opens and ends at the left edge."""
import re
import statistics

COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
ATTRIBUTE = re.compile(r"__attribute__\s*\(\(.*?\)\)")
NAMED = re.compile(r"([A-Za-z_]\w*)\s*\(")


def bare(text):
    """The code without comments; strings and characters stay, lines keep their numbers."""
    return COMMENT.sub(lambda m: m[0] if m[0][0] in "\"'" else "\n" * m[0].count("\n") or " ", text)


def without_strings(code):
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', code)


class Function:
    """A definition: its name, whether it is static, the lines that it takes, its body."""

    def __init__(self, name, static, first, last, body):
        self.name, self.static, self.first, self.last, self.body = name, static, first, last, body

    def length(self):
        return self.last - self.first + 1


def functions(code):
    """Of bare code, in order."""
    found, lines, i = [], code.split("\n"), 0
    while i < len(lines):
        if not lines[i].startswith("{"):
            i += 1
            continue
        top = i
        while top > 0 and lines[top - 1].strip() and not lines[top - 1].startswith(("}", "#")) \
                and not lines[top - 1].rstrip().endswith(";"):
            top -= 1
        head = ATTRIBUTE.sub("", " ".join(lines[top:i]))
        end = i
        while end < len(lines) and not lines[end].startswith("}"):
            end += 1
        name = NAMED.search(head)
        if name and "=" not in head:
            found.append(Function(name[1], bool(re.search(r"\bstatic\b", head)), top + 1, end + 1,
                                  "\n".join(lines[i:end + 1])))
        i = end + 1
    return found


def comment_lines(text):
    """(lines that are comments, lines that are not empty); the licence line is neither."""
    comments = lines = 0
    inside = False
    for line in text.split("\n"):
        line = line.strip()
        if not line or "SPDX-License-Identifier" in line:
            continue
        lines += 1
        comments += inside or line.startswith(("/*", "//"))
        if "/*" in line:
            inside = "*/" not in line[line.rindex("/*"):]
        elif "*/" in line:
            inside = False
    return comments, lines


def once(code, of_file):
    """(static functions, those of them that are named once besides their definition)."""
    code = without_strings(code)
    static = [function for function in of_file if function.static]
    named = [len(re.findall(rf"\b{f.name}\b", code)) - 1
             - len(re.findall(rf"^[\w\s\*]*\b{f.name}\s*\([^{{;]*\);", code, re.M)) for f in static]
    return len(static), sum(count == 1 for count in named)


def part(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0


def row(texts):
    """house-style's row of a folder of .c files, {name: text}."""
    lengths, sizes, comments, lines, statics, singles = [], [], 0, 0, 0, 0
    for text in texts.values():
        code = bare(text)
        found = functions(code)
        lengths += [function.length() for function in found]
        sizes.append(text.count("\n"))
        some, all_of = comment_lines(text)
        comments, lines = comments + some, lines + all_of
        static, single = once(code, found)
        statics, singles = statics + static, singles + single
    return (f"{statistics.median(lengths or [0]):.0f} / {part(lengths, .9)} / {max(lengths or [0])}",
            f"{statistics.median(sizes or [0]):.0f} / {part(sizes, .9)}",
            f"{100 * comments / max(lines, 1):.1f} %", f"{100 * singles / max(statics, 1):.0f} %")
