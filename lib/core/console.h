/* SPDX-License-Identifier: Apache-2.0 */
/* The console that a hypervisor gives its guests, as a stream. */
#ifndef VSDK_CORE_CONSOLE_H
#define VSDK_CORE_CONSOLE_H

#include "core/object.h"

/* Connects an end of the embedder's, or nothing (NULL); when the backend has its part. */
vsdk_status console_open(vsdk_vm *vm, vsdk_stream *stream, const char *operation,
                         vsdk_error *error);
void console_close(vsdk_vm *vm);

/* Moves bytes, both ways, if something is due. On the thread inside run of vCPU 0, place ASIDE. */
void console_serve(vsdk_vm *vm);
/* The guest has stopped: what it wrote is in the stream then. On the thread that stops it. */
void console_finish(vsdk_vm *vm);

#endif
