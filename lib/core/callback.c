/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of a thread's callbacks. Ground: it knows no object but by its address, and calls
 * nothing. */
#include "core/callback.h"
#include "base/error.h"
#include "base/exit_path.h"

_Thread_local callback_frame *callback_innermost __attribute__((tls_model("initial-exec")));

void callback_enter(callback_frame *frame)
{
    callback_push(frame);
}

void callback_leave(callback_frame *frame)
{
    callback_frame **at = &callback_innermost;

    while (*at && *at != frame)
        at = &(*at)->outer;
    if (*at)
        *at = frame->outer;
}

const callback_frame *callback_top(void)
{
    return callback_innermost;
}

EXIT_PATH int callback_in_vm(const vsdk_vm *vm)
{
    for (const callback_frame *f = callback_innermost; f; f = f->outer)
        if (f->vm == vm)
            return 1;
    return 0;
}

int callback_in_device(const vsdk_device *device)
{
    for (const callback_frame *f = callback_innermost; f; f = f->outer)
        if (f->device == device)
            return 1;
    return 0;
}

int callback_in_vcpu(const vsdk_vcpu *vcpu)
{
    for (const callback_frame *f = callback_innermost; f; f = f->outer)
        if (f->vcpu == vcpu)
            return 1;
    return 0;
}

int callback_in_some_device(void)
{
    for (const callback_frame *f = callback_innermost; f; f = f->outer)
        if (f->device)
            return 1;
    return 0;
}

int callback_is_in(const callback_frame *frame)
{
    for (const callback_frame *f = callback_innermost; f; f = f->outer)
        if (f == frame)
            return 1;
    return 0;
}

vsdk_status callback_busy(const char *operation, vsdk_error *error)
{
    return error_set(error, VSDK_ERROR_BUSY, operation,
                     "called from a callback of this virtual machine");
}
