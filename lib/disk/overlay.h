/* SPDX-License-Identifier: Apache-2.0 */
/* A layer of memory above any other. */
#ifndef VSDK_DISK_OVERLAY_H
#define VSDK_DISK_OVERLAY_H

#include "disk/format.h"

/* `below` is the new layer's, and is closed with it; after a failure it is the caller's. `most`
 * bytes of memory at most: LIMIT for a write that needs more. */
vsdk_status overlay_make(disk_image *below, uint64_t most, disk_image **image, vsdk_error *error);

#endif
