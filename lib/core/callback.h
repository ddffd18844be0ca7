/* SPDX-License-Identifier: Apache-2.0 */
/* Which callbacks a thread is in: a list of frames, on its stack or in a vCPU that it runs. It is
 * what functions look at that would wait for the callback that calls them. Leaving a frame does
 * nothing else. */
#ifndef VSDK_CORE_CALLBACK_H
#define VSDK_CORE_CALLBACK_H

#include "base/lock.h"
#include <stdatomic.h>
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

/* Static thread-local storage: a signal handler may look here. */
extern _Thread_local callback_frame *callback_innermost __attribute__((tls_model("initial-exec")));

/* The same two for who is passed by every exit. The frame is whole before a signal handler finds
 * it. */
static inline void callback_push(callback_frame *frame)
{
    lock_assert_none();
    frame->outer = callback_innermost;
    atomic_signal_fence(memory_order_release);
    callback_innermost = frame;
}

static inline void callback_pop(callback_frame *frame)
{
    if (__builtin_expect(callback_innermost == frame, 1))
        callback_innermost = frame->outer;
    else
        callback_leave(frame);
}

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
