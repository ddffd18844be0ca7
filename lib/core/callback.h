/* SPDX-License-Identifier: Apache-2.0 */
/* Which callbacks a thread is in: a list of frames on its stack. It is what functions look at that
 * would wait for the callback that calls them. Leaving a frame does nothing else. */
#ifndef VSDK_CORE_CALLBACK_H
#define VSDK_CORE_CALLBACK_H

#include <vsdk/types.h>
#include <vsdk/vsdk.h>

typedef struct callback_frame {
    struct callback_frame *outer;
    vsdk_vm *vm;         /* or NULL */
    vsdk_vcpu *vcpu;     /* whose access it is, or NULL */
    vsdk_device *device; /* or NULL */
    vsdk_loop *loop;     /* or NULL */
} callback_frame;

void callback_enter(callback_frame *frame);
/* Takes a frame out, also if it is not the innermost: devices may be left in any order. */
void callback_leave(callback_frame *frame);
const callback_frame *callback_top(void);
int callback_in_vm(const vsdk_vm *vm);
int callback_in_device(const vsdk_device *device);
int callback_in_vcpu(const vsdk_vcpu *vcpu);
int callback_in_some_device(void);
/* Whether the frame itself is one of this thread's. */
int callback_is_in(const callback_frame *frame);
/* The answer of a function that may not be called from a callback of this virtual machine. */
vsdk_status callback_busy(const char *operation, vsdk_error *error);

#endif
