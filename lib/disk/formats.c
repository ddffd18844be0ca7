/* SPDX-License-Identifier: Apache-2.0 */
/* The formats that there are, and which one a file is of. What nobody recognizes is raw: so a
 * format that is found by looking can be faked by who writes a raw disk, and is for files that no
 * guest has written. Formats without a driver are recognized too: as raw disks their files would be
 * destroyed by the first write. */
#include "base/error.h"
#include "disk/image.h"
#include <string.h>

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

static const struct {
    vsdk_disk_format format;
    uint32_t length;
    const char *magic;
} foreign[] = {
    {VSDK_DISK_VMDK, 4, "KDMV"},
    {VSDK_DISK_VMDK, 4, "COWD"},
    {VSDK_DISK_VMDK, 21, "# Disk DescriptorFile"},
    {VSDK_DISK_VHD, 8, "conectix"},
    {VSDK_DISK_VHDX, 8, "vhdxfile"},
};

static vsdk_disk_format foreign_format(const uint8_t *head, uint64_t length)
{
    for (unsigned i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (length >= foreign[i].length && !memcmp(head, foreign[i].magic, foreign[i].length))
            return foreign[i].format;
    return VSDK_DISK_AUTO;
}

/* A VHD of a fixed size has nothing but its last sector. */
static vsdk_status check_foreign(disk_file *file, const uint8_t *head, uint64_t length,
                                 vsdk_error *error)
{
    vsdk_disk_format format = foreign_format(head, length);
    uint64_t end = file_length(file);
    uint8_t tail[DISK_SECTOR];

    if (!format && end >= sizeof tail) {
        vsdk_status status = file_read(file, end - sizeof tail, tail, sizeof tail, error);
        if (status)
            return status;
        if (foreign_format(tail, sizeof tail) == VSDK_DISK_VHD)
            format = VSDK_DISK_VHD;
    }
    if (!format)
        return VSDK_OK;
    error_set(error, VSDK_ERROR_UNSUPPORTED, "vsdk_disk_open",
              "%s looks like a %s image, which can't be opened by this library", file_name(file),
              vsdk_disk_format_name(format));
    return error_hint(error, VSDK_ERROR_UNSUPPORTED,
                      "convert it to qcow2, or name VSDK_DISK_RAW if it is a raw disk");
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
    if (!status && *found == &disk_raw_format)
        status = check_foreign(file, head, length, error);
    return status;
}
