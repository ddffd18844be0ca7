/* A whole file in memory, read only. */
#ifndef VSDK_FILE_H
#define VSDK_FILE_H

#include <stdint.h>

typedef struct file {
    void *bytes;
    uint64_t length;
} file;

/* 0, or -1 after a complaint. */
int file_open(file *f, const char *path);
void file_close(file *f);

#endif
