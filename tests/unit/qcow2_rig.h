/* SPDX-License-Identifier: Apache-2.0 */
/* The qcow2 driver on files in memory: the functions of disk/file.h and the core's part of
 * disk/format.h, so that a test decides what a loss of power leaves of a file. */
#ifndef VSDK_TESTS_UNIT_QCOW2_RIG_H
#define VSDK_TESTS_UNIT_QCOW2_RIG_H

#include "disk/format.h"

disk_file *rig_file(void); /* empty */
disk_file *rig_file_of(const void *bytes, uint64_t length);
disk_file *rig_file_load(const char *path);
void rig_file_store(disk_file *file, const char *path);
void rig_file_free(disk_file *file);
uint8_t *rig_bytes(disk_file *file); /* to be looked at and spoiled */

/* A file can't be longer: ENOSPC. */
void rig_limit(disk_file *file, uint64_t length);
/* The first `changes` from now on are done, everything after fails; 0: no end. */
void rig_kill_after(disk_file *file, uint64_t changes);
int rig_is_dead(const disk_file *file);
/* How many writes and flushes there were. */
uint64_t rig_writes(const disk_file *file);
/* Power is back: what was flushed is there, of the rest some, by chance; and it works again. */
void rig_revive(disk_file *file, uint64_t (*chance)(uint64_t below));

/* What disk_open_backing finds by this name; it must outlive who uses it. */
void rig_name(const char *name, disk_file *file, vsdk_disk_format format);

/* As where compress.so is not installed. */
extern int rig_no_module;

vsdk_status rig_open(disk_file *file, uint32_t flags, disk_image **image, vsdk_error *error);
void rig_close(disk_image *image); /* the file stays */

#endif
