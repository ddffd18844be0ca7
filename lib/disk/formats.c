/* SPDX-License-Identifier: Apache-2.0 */
/* The formats that there are, and which one a file is of. What nobody recognizes is raw: so a
 * format that is found by looking can be faked by who writes a raw disk, and is for files that no
 * guest has written. */
#include "disk/image.h"

static const disk_format *const formats[] = {
    &disk_raw_format,
    &disk_qcow2_format,
};
enum { FORMATS = sizeof formats / sizeof *formats };

const disk_format *disk_format_find(vsdk_disk_format id)
{
    for (unsigned i = 0; i < FORMATS; i++)
        if (formats[i]->id == id)
            return formats[i];
    return NULL;
}

vsdk_status disk_format_probe(disk_file *file, const disk_format **found, vsdk_error *error)
{
    uint8_t head[DISK_HEAD];
    uint64_t length = file_length(file);
    int best = 0;

    *found = &disk_raw_format;
    if (length > sizeof head)
        length = sizeof head;
    vsdk_status status = file_read(file, 0, head, length, error);
    for (unsigned i = 0; !status && i < FORMATS; i++) {
        int sure = formats[i]->probe ? formats[i]->probe(file, head, (size_t)length) : 0;
        if (sure > best) {
            best = sure;
            *found = formats[i];
        }
    }
    return status;
}
