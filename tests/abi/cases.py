# SPDX-License-Identifier: Apache-2.0
"""Descriptions that must fail: an edit of the golden one, and the complaint that it must give.

Each case is (rule, file, old text, new text, complaint). The complaint must name the line on which
`@@` stands in the new text; the mark itself is taken out.
"""

FLAGS = '  { name = "flags", type = "uint32_t", doc = "`vsdk_lamp_flags`." },\n'
NAME = '  { name = "name", type = "const char *", nullable = true, doc = "For people. Copied." },\n'
LAMP = '  { name = "lamp", type = "vsdk_lamp *", doc = "The lamp." },\n'
OUT = '{ name = "lamp", type = "vsdk_lamp **", dir = "out", ownership = "new", doc = "The lamp." }'
WATCH = 'name = "vsdk_lamp_watch"\n'
FN = '  { name = "fn", type = "vsdk_lamp_fn", doc = "What to call." },\n'
LENGTH = '  { name = "length", type = "size_t", unit = "bytes", doc = "How many." },\n'
LAST = '  { name = "error", type = "vsdk_error *", nullable = true, dir = "out" },\n]\nthreads = "the'
DIMMABLE = '  { name = "VSDK_LAMP_DIMMABLE", value = 0x10,'


def field(kind):
    """A field of type `kind` where the lamp's name stands."""
    return NAME, f'  @@{{ name = "name", type = "{kind}", doc = "x" }},\n'


def forbidden(kind):
    return (f"forbidden type {kind}", "lamp", *field(kind),
            f"type `{kind}` is forbidden in public headers")


CASES = [
    ("not TOML", "lamp", "order = 2", "order =@@", "Invalid value"),
    ("renamed [object]", "lamp", "[object]", "[subject]@@", "unknown table `subject`"),
    ("unknown table", "lamp", "[[handle]]", "@@[[handel]]", "unknown table `handel`"),
    ("single table", "lamp", "[[typedef]]", "@@[typedef]", "write [[typedef]], not [typedef]"),
    ("unknown key in a table", "lamp", "needs = ", "@@need = ", "unknown key `need` in object"),
    ("unknown key in an inline table", "lamp", 'length = "length"', 'lenght = "length"@@',
     "unknown key `lenght` in params"),
    ("key of the wrong type", "lamp", "order = 2", '@@order = "2"',
     "key `order` in object has the wrong type"),
    ("key not among the choices", "lamp", 'ownership = "new"', 'ownership = "mine"@@',
     "`ownership` must be one of borrowed, new, static, transferred"),
    ("enum of a wide type", "lamp", 'type = "uint32_t"\nflags', '@@type = "uint64_t"\nflags',
     "`type` must be one of"),
    ("empty text", "lamp", 'doc = "A lamp. Counted."', '@@doc = " "', "empty `doc`"),
    ("text that ends a comment", "lamp", 'doc = "A lamp. Counted."', '@@doc = "A */ lamp."',
     "`doc` would begin or end a comment"),
    ("text that cannot be wrapped", "lamp", 'doc = "A lamp. Counted."', f'@@doc = "A {"x" * 95}"',
     "a line of `doc` cannot be wrapped at 90 columns"),
    ("wrong file", "lamp", 'name = "lamp"\n', '@@name = "light"\n',
     "object `light` must stand in abi/light.toml"),
    ("unknown need", "lamp", 'needs = ["types"]', '@@needs = ["types", "tubes"]',
     "needs `tubes`, which is no other object"),
    ("incomplete needs", "lamp", 'needs = ["types"]', 'needs = []',
     "`vsdk_release_fn` is defined in types, which `needs` does not name"),
    ("circular needs", "types", 'order = 1', 'order = 1\n@@needs = ["lamp"]',
     "headers include each other: types -> lamp -> types"),
    ("duplicate name", "lamp", '[[typedef]]\nname = "vsdk_lumen"',
     '[[typedef]]\n@@name = "vsdk_lamp"', "`vsdk_lamp` is already defined at abi/lamp.toml:17"),
    ("duplicate constant", "lamp", '"VSDK_LAMP_ON"', '@@"VSDK_LAMP_OFF"',
     "`VSDK_LAMP_OFF` is already defined at"),
    ("duplicate enum value", "lamp", "value = 1,", "@@value = 0,",
     "`VSDK_LAMP_ON` has the value 0 of `VSDK_LAMP_OFF`"),
    ("enum value too large", "lamp", "value = 0x10,", "@@value = 0x80000000,",
     "does not fit an enum of uint32_t"),
    ("lower-case constant", "lamp", DIMMABLE, '  @@{ name = "vsdk_dim", value = 1,',
     "`vsdk_dim` is not of the form VSDK_<UPPER_CASE>"),
    ("name function of a mask", "lamp", "flags = true\n",
     'flags = true\n@@namer = "vsdk_lamp_flags_name"\n', "a bit mask has no name function"),
    ("odd name function", "lamp", 'namer = "vsdk_lamp_state_name"', '@@namer = "vsdk_lamp_name"',
     "the name function of `vsdk_lamp_state` is `vsdk_lamp_state_name`"),
    ("upper-case name", "lamp", '"vsdk_lumen"\ntype', '"vsdk_Lumen"@@\ntype',
     "`vsdk_Lumen` is not of the form vsdk_<lower_case>"),
    ("function of no object", "lamp", WATCH, '@@name = "vsdk_bulb_watch"\n',
     "`vsdk_bulb_watch` is not vsdk_<object>_<verb>"),
    ("callback's name", "lamp", '[[callback]]\nname = "vsdk_lamp_fn"',
     '[[callback]]\n@@name = "vsdk_lamp_cb"', "callback `vsdk_lamp_cb` must end in _fn"),
    ("odd release", "lamp", 'since = "0.2"\nparams', '@@since = "soon"\nparams',
     "since `soon` is not a release such as 0.1"),
    ("unknown type", "lamp", *field("vsdk_bulb *"), "unknown type `vsdk_bulb`"),
    ("type not understood", "lamp", *field("char &"), "type `char &` is not understood"),
    *[forbidden(kind) for kind in ("bool", "long", "int", "unsigned int", "union u", "double")],
    ("bit-field", "lamp", *field("uint32_t : 3"), "type `uint32_t : 3` is forbidden"),
    ("varargs", "lamp", FN, '  @@{ name = "fn", type = "...", doc = "x" },\n',
     "type `...` is forbidden"),
    ("struct by value", "lamp", LAMP, '  @@{ name = "lamp", type = "vsdk_colour", doc = "x" },\n',
     "struct `vsdk_colour` by value is forbidden"),
    ("struct returned", "lamp", 'returns = { type = "void" }',
     '@@returns = { type = "vsdk_colour" }', "struct `vsdk_colour` by value is forbidden"),
    ("handle by value", "lamp", LAMP, '  @@{ name = "lamp", type = "vsdk_lamp", doc = "x" },\n',
     "`vsdk_lamp` can only be used through a pointer"),
    ("typedef of a pointer", "lamp", 'type = "uint64_t"\ndoc', '@@type = "void *"\ndoc',
     "a typedef names a fixed-width type"),
    ("implicit padding", "lamp", NAME, NAME + '  { name = "odd", type = "uint8_t", doc = "x" },\n',
     "`state` at offset 17 needs 3 bytes of explicit reserve before it"),
    ("padding at the end", "lamp", '"uint32_t", array = 2,', '"uint32_t",',
     "`vsdk_lamp_config` is 36 bytes, not 40"),
    ("unaligned size", "types", "size = 16\n", "@@size = 13\n", "`vsdk_error` is 16 bytes, not 13"),
    ("no reserve at the end", "types", "array = 12,", "array = 11,",
     "`vsdk_error` is 15 bytes, not 16"),
    ("declared offset", "lamp", "offset = 16", "@@offset = 20", "`state` is at offset 16, not 20"),
    ("config without flags", "lamp", FLAGS,
     '  @@{ name = "flag", type = "uint32_t", doc = "x" },\n',
     "`vsdk_lamp_config` must begin with uint32_t size, uint32_t flags"),
    ("duplicate field", "lamp", NAME, NAME.replace('"name", type', '"size", type'),
     "duplicate field `size`"),
    ("struct in itself", "types", '"char", array = 12', '"vsdk_error"@@',
     "`vsdk_error` contains itself"),
    ("empty array", "lamp", '"uint32_t", array = 2', '"uint32_t", @@array = 0',
     "an array has at least one element"),
    ("callbacks without release", "lamp",
     '  { name = "release", type = "vsdk_release_fn", nullable = true, doc = "It is gone." },',
     '  { name = "other", type = "uint64_t", doc = "x" },',
     "`vsdk_lamp_ops` has callbacks but no release"),
    ("callback without user", "lamp",
     '{ name = "user", type = "void *", nullable = true, doc = "The pointer given with it." }',
     '{ name = "who", type = "void *", doc = "x" }', "callback `vsdk_lamp_fn` has no `void *user`"),
    ("duplicate parameter", "lamp", LENGTH, LENGTH + LENGTH, "duplicate parameter `length`"),
    ("parameter without doc", "lamp", LAMP, '  @@{ name = "lamp", type = "vsdk_lamp *" },\n',
     "parameter `lamp` has no doc"),
    ("length of nothing", "lamp", 'length = "length"', '@@length = "size"',
     "length names `size`, which is no parameter"),
    ("closure of nothing", "lamp", '"void *", nullable = true, closure = "fn"',
     '"void *", nullable = true, @@closure = "fun"', "closure names `fun`, which is no parameter"),
    ("callback without companion", "lamp",
     '  { name = "release", type = "vsdk_release_fn", nullable = true, closure = "fn" },\n', "",
     "callback `fn` has no `vsdk_release_fn` with closure"),
    ("output that is const", "lamp", OUT,
     '@@{ name = "lamp", type = "const void *", dir = "out", doc = "x" }',
     "`lamp` is out but not a pointer to change"),
    ("input that is not const", "lamp", "const vsdk_lamp_config *", "@@vsdk_lamp_config *",
     "`config` is an input: const, or dir = out or inout"),
    ("nullable number", "lamp", LENGTH,
     '  @@{ name = "length", type = "size_t", nullable = true, doc = "x" },\n',
     "`length` is no pointer: it cannot be nullable"),
    ("no error parameter", "lamp", LAST, ']\nthreads = "the',
     "its last parameter must be a nullable out `vsdk_error *error`"),
    ("error not nullable", "lamp", LAST, LAST.replace("nullable = true, ", ""),
     "its last parameter must be a nullable out"),
    ("no errors", "lamp", "errors = {}\n", "", "`vsdk_lamp_create` lacks `errors`"),
    ("errors of void", "lamp", 'null_result =', '@@errors = { STATE = "x" }\nnull_result =',
     "`vsdk_lamp_close` does not return vsdk_status: no errors"),
    ("unknown error", "lamp", 'STATE = "the', '@@FLAME = "the',
     "`FLAME` is no VSDK_ERROR_ of vsdk_status"),
    ("error without cause", "lamp", 'STATE = "the lamp is OFF"', '@@STATE = ""',
     "STATE has no text"),
    ("callback that is not refused", "lamp", '\nBUSY = "called from a callback"', "",
     "`vsdk_lamp_watch` may not be called from callbacks: it must answer BUSY"),
    *[(f"function without {key}", "lamp", old, "", f"function vsdk_lamp_watch lacks `{key}`")
      for key, old in (("threads", 'threads = "the lamp\'s own"\n'), ("blocks",
     'blocks = "until it is light"\n'),
                       ("callback", 'callback = "no"\n'), ("states", 'states = "ON"\n'),
                       ("backends", 'backends = ["kvm", "mock"]\n'), ("since", 'since = "0.2"\n'),
                       ("brief", 'brief = "Be told when a lamp is switched."\n'))],
]
