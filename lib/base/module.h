/* SPDX-License-Identifier: Apache-2.0 */
/* Where modules of the library are: in a folder that the caller names, in the folder `vsdk` beside
 * the library, or in one that was compiled in. No environment variable is read: whoever starts a
 * privileged program does not choose its modules. */
#ifndef VSDK_BASE_MODULE_H
#define VSDK_BASE_MODULE_H

#include <stddef.h>
#include <vsdk/types.h>

/* By the ids that open goes by: access asks for those of the user who started a setuid program. Not
 * 0 with errno set if it may not, or is not there. */
int module_may_not(const char *path, int mode);

/* DIRECTORY/FILE.so: 0, or not if it has no room. */
int module_join(char *path, size_t room, const char *directory, const char *file);

/* The folder `vsdk` beside this library, as the dynamic linker found it; 0 if there is none. */
int module_beside_library(char *directory, size_t room);

/* The function `entry` of FILE.so, which is loaded for ever. `compiled` is the folder that was
 * compiled in. UNAVAILABLE if it is not there or can't be loaded, VERSION without the entry,
 * INVALID_ARGUMENT for a directory that is too long. */
vsdk_status module_open(const char *directory, const char *compiled, const char *file,
                        const char *entry, void **found, const char *operation, vsdk_error *error);

#endif
