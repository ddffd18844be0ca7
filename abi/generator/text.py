# SPDX-License-Identifier: Apache-2.0
"""Prose: paragraphs, lists and verbatim lines, wrapped for a comment or a page."""

import textwrap

WIDTH = 100


def blocks(text):
    """Yields (kind, text): kind is `prose`, `item` or `verbatim`."""
    prose = []
    kind = "prose"
    for line in textwrap.dedent(text.strip("\n")).splitlines() + [""]:
        verbatim = line.startswith(("    ", "|"))
        item = line.startswith("- ")
        inside = kind == "item" and line.startswith("  ")
        if prose and (not line.strip() or item or (verbatim and not inside)):
            yield kind, " ".join(prose)
            prose, kind = [], "prose"
        if not line.strip():
            yield "gap", ""
        elif item:
            kind, prose = "item", [line[2:].strip()]
        elif verbatim and not prose:
            yield "verbatim", line
        else:
            prose.append(line.strip())


def wrap(text, width, first="", rest=""):
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest,
                         break_long_words=False, break_on_hyphens=False)


def plain(text):
    """Without the backticks that a page needs and a comment does not."""
    return text.replace("`", "")


def prose_lines(text, width):
    """A text as wrapped plain lines, without a trailing gap."""
    lines = []
    for kind, block in blocks(plain(text)):
        if kind == "prose":
            lines += wrap(block, width)
        elif kind == "item":
            lines += wrap(block, width, "- ", "  ")
        elif kind == "verbatim" or (lines and lines[-1]):
            lines.append(block)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def columns(rows, width):
    """Two columns, the second wrapped under itself."""
    if not rows:
        return []
    left = max(len(name) for name, _ in rows) + 2
    lines = []
    for name, text in rows:
        lines += wrap(plain(text), width, f"  {name.ljust(left)}", " " * (left + 2))
    return lines


def comment(lines, indent=""):
    """A block comment; one line if it fits."""
    if len(lines) == 1 and len(indent) + len(lines[0]) + 6 <= WIDTH:
        return [f"{indent}/* {lines[0]} */"]
    return [f"{indent}/*"] + [f"{indent} * {line}".rstrip() for line in lines] + [f"{indent} */"]


def sentence(text):
    """With one full stop at its end."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", ":")) else text + "."


def trimmed(text):
    """Without the full stop at its end."""
    return text.strip().removesuffix(".")
