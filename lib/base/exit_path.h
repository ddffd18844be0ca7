/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that every exit passes through. They lie together in the code: a guest leaves the
 * processor's caches cold, and each line and page of code that the way from exit to device and back
 * touches is one to fetch. What they call for some exits only stays out of them. */
#ifndef VSDK_BASE_EXIT_PATH_H
#define VSDK_BASE_EXIT_PATH_H

#define EXIT_PATH __attribute__((hot))
#define OFF_EXIT_PATH __attribute__((cold, noinline))

#endif
