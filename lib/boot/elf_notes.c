/* SPDX-License-Identifier: Apache-2.0 */
/* The notes of an ELF image. The note segments of an image may lie on top of each other; no more
 * bytes are walked than the image has, so that the work grows with its length alone. */
#include "base/checked.h"
#include "boot/elf.h"

#include <string.h>

enum { NOTE_HEADER = 12, XEN_GUEST_OS = 6, XEN_PHYS32_ENTRY = 18 };

typedef struct note {
    const uint8_t *name, *desc;
    uint32_t name_length, length, type;
} note;

/* The next note of a segment; 0 at its end. Moves *at. */
static int note_next(const image *i, uint64_t *at, uint64_t end, uint64_t align, note *n)
{
    uint64_t mask = align - 1, body;

    if (end < NOTE_HEADER || *at > end - NOTE_HEADER)
        return 0;
    n->name_length = image_u32(i, *at);
    n->length = image_u32(i, *at + 4);
    n->type = image_u32(i, *at + 8);
    body = *at + ((NOTE_HEADER + (uint64_t)n->name_length + mask) & ~mask);
    if (!checked_within(body, n->length, end))
        return 0;
    n->name = image_at(i, *at + NOTE_HEADER, n->name_length);
    n->desc = image_at(i, body, n->length);
    *at = body + ((n->length + mask) & ~mask);
    return 1;
}

static int note_is_from(const note *n, const char *owner)
{
    return n->name_length == strlen(owner) + 1 && !memcmp(n->name, owner, n->name_length);
}

static void note_learn(const note *n, elf_notes *notes)
{
    if (note_is_from(n, "Linux"))
        notes->from_linux = 1;
    if (!note_is_from(n, "Xen"))
        return;
    notes->from_xen = 1;
    if (n->type == XEN_GUEST_OS && n->length >= 5 && !memcmp(n->desc, "linux", 5))
        notes->from_linux = 1;
    if (n->type == XEN_PHYS32_ENTRY && (n->length == 4 || n->length == 8) && !notes->has_entry) {
        memcpy(&notes->entry, n->desc, n->length);
        notes->has_entry = 1;
    }
}

void elf_read_notes(const image *i, const elf *e, elf_notes *notes)
{
    uint64_t left = i->length;
    elf_segment segment;
    note n;

    *notes = (elf_notes){0};
    for (uint32_t k = 0; k < e->count; k++) {
        elf_get(i, e, k, &segment);
        if (segment.type != ELF_NOTE || segment.file_size > left ||
            !image_at(i, segment.offset, segment.file_size))
            continue;
        left -= segment.file_size;
        for (uint64_t at = segment.offset, end = segment.offset + segment.file_size;
             note_next(i, &at, end, segment.align == 8 ? 8 : 4, &n);)
            note_learn(&n, notes);
    }
}
