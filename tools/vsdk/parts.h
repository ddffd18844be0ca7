/* SPDX-License-Identifier: Apache-2.0 */
/* What `vsdk run` puts into the machine: disks, networks, folders, sockets, a console. */
#ifndef VSDK_COMMAND_PARTS_H
#define VSDK_COMMAND_PARTS_H

#include <vsdk/vsdk.h>

enum { PARTS_MAX = 32 };

typedef enum part_kind { PART_DISK, PART_NET, PART_SHARE, PART_VSOCK, PART_CONSOLE } part_kind;

/* An option and what stands behind it, which is taken apart in place. */
typedef struct part {
    part_kind kind;
    char *text;
} part;

typedef struct parts {
    part list[PARTS_MAX];
    uint32_t count;
} parts;

/* What was made. */
typedef struct made_parts {
    vsdk_device *devices[PARTS_MAX];
    uint32_t count;
    vsdk_pool *pool;      /* of the disks */
    vsdk_stream *console; /* this side's end, or NULL */
} made_parts;

/* 0, or -1 after a complaint. */
int parts_add(parts *all, part_kind kind, char *text);
int parts_have(const parts *all, part_kind kind);
/* In the machine, before it boots. 0, or -1 after a complaint; what was made is the caller's either
 * way. */
int parts_make(const parts *all, vsdk_pc *pc, made_parts *made);
void parts_release(made_parts *made);

#endif
