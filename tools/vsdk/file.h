/* SPDX-License-Identifier: Apache-2.0 */
/* A whole file as bytes, read only. */
#ifndef VSDK_FILE_H
#define VSDK_FILE_H

#include <stdint.h>

typedef struct file {
    const void *bytes;
    uint64_t length;
} file;

/* 0, or -1 after a complaint. Reads all of it in: what storage takes is waited for here. */
int file_open(file *f, const char *path);

#endif
