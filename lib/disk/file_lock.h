/* SPDX-License-Identifier: Apache-2.0 */
/* Telling other programs that an image is in use, in QEMU's way. */
#ifndef VSDK_DISK_FILE_LOCK_H
#define VSDK_DISK_FILE_LOCK_H

#include <vsdk/types.h>

/* BUSY if another holds it in a way that does not go with this. */
vsdk_status file_lock_take(int fd, int writes, const char *name, vsdk_error *error);
void file_lock_give(int fd);

#endif
