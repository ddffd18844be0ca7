/* SPDX-License-Identifier: Apache-2.0 */
/* Which process this is, for the cost of a load: objects remember who made them, and are refused in
 * a child of fork. */
#ifndef VSDK_BASE_PROCESS_H
#define VSDK_BASE_PROCESS_H

#include <stdint.h>

/* The process's id; never 0. Any thread, async-signal-safe after the first call. */
uint32_t process_id(void);

#endif
