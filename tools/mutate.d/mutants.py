# SPDX-License-Identifier: Apache-2.0
"""The mutants of a C source: each one statement changed. Read from how clang-format lays code out."""
import hashlib
import re

COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
COMPARE = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
           "+": "-", "-": "+"}
OPERATOR = re.compile(r"(?<= )(<=|>=|==|!=|<|>|&&|\|\||\+|-)(?= )|(?<= )(&&|\|\||\+|-|==|!=|<=|>=|<|>)$", re.M)
NUMBER = re.compile(r"(?<![\w.\"])(0x[0-9a-fA-F]+|\d+)([uUlL]*)\b(?!\.)")
CONDITION = re.compile(r"^(\s*(?:\} )?(?:else )?(?:if|while) )\(", re.M)
CALL = re.compile(r"^\s*(?:\(void\))?[A-Za-z_][\w.>\[\]-]*\(.*\);$", re.S)
ASSIGN = re.compile(r"^\s*\*?[A-Za-z_][\w.>*\[\]() +-]*?(?: [-+|&^]?= |\+\+;|--;)", re.S)
DECLARE = re.compile(r"^\s*(?:static |const |struct |enum |unsigned |volatile |_Atomic )*[A-Za-z_]\w*\s+\**\s*[A-Za-z_]\w*"
                     r"(?:\[[^\]]*\])*\s*(?:=|;|,|\[)")
CONTROL = re.compile(r"^\s*(?:\} )?(if|else|while|for|do|switch)\b")
SKIPPED = re.compile(r"^\s*(#|\}(?! else if| while)|\w+:$|(case .*|default):$)")
RETURN = re.compile(r"^\s*return\b(.*);$", re.S)
NOTHING = {"0", "VSDK_OK", "NULL"}
STATUS = re.compile(r"\bVSDK_ERROR_[A-Z_]+\b")
NESTED = 8  # columns: a return that stands deeper than its function's body is an early one


class Mutant:
    def __init__(self, file, line, kind, before, after, start, end, text, twin, lines):
        self.file, self.line, self.kind = file, line, kind
        self.lines = lines  # those of the whole statement
        self.before, self.after = " ".join(before.split()), " ".join(after.split())
        self.start, self.end, self.text = start, end, text  # what goes instead of [start, end)
        key = f"{file}|{kind}|{self.before}|{self.after}|{twin}"
        self.id = hashlib.sha1(key.encode()).hexdigest()[:12]

    def apply(self, source):
        """The lines stay where they are: a removed statement leaves its line ends."""
        lost = source[self.start:self.end].count("\n") - self.text.count("\n")
        return source[:self.start] + self.text + "\n" * lost + source[self.end:]


def blank(text):
    """The same length, with comments and what is in quotes as blanks."""
    def hide(match):
        inside = match[0]
        keep = inside[0] if inside[0] in "\"'" else " "
        return keep + re.sub(r"[^\n]", " ", inside[1:-1]) + keep
    return COMMENT.sub(hide, text)


def bodies(code):
    """(start, end) of each function's body: from a `{` at the left edge to its `}`."""
    for match in re.finditer(r"^\{\n", code, re.M):
        end = code.find("\n}", match.end() - 1)
        head = code[:match.start()].rstrip("\n").rsplit("\n\n", 1)[-1]
        if end > 0 and "(" in head and not re.search(r"=\s*$", head):
            yield match.end(), end + 1


def statements(code, start, end):
    """(start, end) of each simple statement of a body: from its line's begin to its `;`."""
    place = start
    while place < end:
        line_end = code.find("\n", place)
        line = code[place:line_end]
        if line.rstrip().endswith("= {"):  # a table
            place = code.find("};", place)
            place = code.find("\n", place) + 1 if place >= 0 else end
            continue
        if not line.strip() or SKIPPED.match(line) or (line.rstrip().endswith("{") and not CONTROL.match(line)):
            place = line_end + 1
            continue
        depth, stop = 0, place
        while stop < end:
            sign = code[stop]
            if sign == "{" and depth == 0 and CONTROL.match(code[place:stop]):
                break
            leaves = stop == place + len(line) - len(line.lstrip()) and sign == "}"
            depth += (sign in "([{") - (sign in ")]}" and not leaves)
            if sign == ";" and depth == 0:
                break
            if sign == "\n" and depth == 0 and CONTROL.match(code[place:stop]):
                break
            stop += 1
        yield place, min(stop + 1, end)
        place = code.find("\n", stop) + 1 or end


def closing(code, opened):
    depth = 0
    for place in range(opened, len(code)):
        depth += (code[place] == "(") - (code[place] == ")")
        if depth == 0:
            return place
    return None


def changed_number(text):
    value = int(text, 0)
    if value == 0:
        return "1"
    if value == 1:
        return "0"
    return hex(value + 1) if text.startswith("0x") else str(value + 1)


def of_statement(code, start, end):
    """(kind, from, to, new text) within one statement."""
    text = code[start:end]
    if "_Static_assert" in text:
        return
    condition = CONDITION.match(text)
    if condition:
        opened = start + condition.end() - 1
        closed = closing(code, opened)
        if closed:
            yield "negated", opened, closed + 1, f"(!{code[opened:closed + 1]})"
    declares = bool(DECLARE.match(text)) and not RETURN.match(text)
    for match in OPERATOR.finditer(text):
        sign = match[1] or match[2]
        if text[:match.start()].rstrip().endswith(("(", ",", "return", "=", "?", ":")):
            continue  # of one operand
        yield "operator", start + match.start(), start + match.end(), COMPARE[sign]
    for match in NUMBER.finditer(text):
        before = text[:match.start()].rstrip()
        if declares and before.endswith("["):
            continue  # how long an array is
        yield "constant", start + match.start(1), start + match.end(1), changed_number(match[1])
    for match in STATUS.finditer(text):
        other = "STATE" if match[0].endswith("INVALID_ARGUMENT") else "INVALID_ARGUMENT"
        yield "status", start + match.start(), start + match.end(), "VSDK_ERROR_" + other
    indent = len(text) - len(text.lstrip())
    returned = RETURN.match(text)
    if returned:
        if indent >= NESTED and returned[1].strip():
            yield "early", start + indent, end, ";"
        value = returned[1].strip()
        if not value:
            yield "return", start + indent, end, ";"
        elif value not in NOTHING:
            calls = re.search(r"\w\(", value)
            yield "return", start + indent, end, f"return (void)({value}), 0;" if calls else "return 0;"
    elif not declares and not CONTROL.match(text) and (CALL.match(text) or ASSIGN.match(text)):
        yield "removed", start + indent, end, ";"
    elif text.strip() in ("break;", "continue;"):
        yield "removed", start + indent, end, ";"


def of_file(file, source):
    """All mutants of a source, in order; none of what is generated."""
    if "Generated from" in source[:300]:
        return []
    code, found, twins, seen = blank(source), [], {}, set()
    for begin, end in bodies(code):
        for start, stop in statements(code, begin, end):
            for kind, at, to, text in of_statement(code, start, stop):
                text = restored(source, code, at, to, text)
                after = source[start:at] + text + source[to:stop]
                if (start, after) in seen:
                    continue
                seen.add((start, after))
                key = kind, " ".join(source[start:stop].split()), " ".join(after.split())
                twins[key] = twins.get(key, -1) + 1
                line = source[:at].count("\n") + 1
                lines = range(source[:start].count("\n") + 1, source[:stop].rstrip().count("\n") + 2)
                found.append(Mutant(file, line, kind, source[start:stop], after, at, to, text, twins[key], lines))
    return found


def restored(source, code, at, to, text):
    """Quotes were blanked for the search: the new text has the source's own again."""
    return text.replace(code[at:to], source[at:to]) if code[at:to] in text else \
        text.replace(code[at:to].strip(), source[at:to].strip()) if code[at:to].strip() in text else \
        repaired(source, code, at, to, text)


def repaired(source, code, at, to, text):
    """A dropped return keeps its call, whose text may have quotes."""
    match = re.match(r"^return \(void\)\((.*)\), 0;$", text, re.S)
    if not match:
        return text
    place = code.find(match[1], at, to)
    return f"return (void)({source[place:place + len(match[1])]}), 0;" if place >= 0 else text
