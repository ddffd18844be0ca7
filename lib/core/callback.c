#include "core/vm_state.h"

/* Static thread-local storage: a signal handler may look here. */
static _Thread_local callback_frame *innermost __attribute__((tls_model("initial-exec")));

int callback_in_vm(const vsdk_vm *vm)
{
    for (const callback_frame *f = innermost; f; f = f->outer)
        if (f->vm == vm)
            return 1;
    return 0;
}

int callback_in_device(const vsdk_device *device)
{
    for (const callback_frame *f = innermost; f; f = f->outer)
        if (f->device == device)
            return 1;
    return 0;
}

int callback_in_loop(const vsdk_loop *loop)
{
    for (const callback_frame *f = innermost; f; f = f->outer)
        if (f->loop == loop)
            return 1;
    return 0;
}

int callback_in_some_device(void)
{
    for (const callback_frame *f = innermost; f; f = f->outer)
        if (f->device)
            return 1;
    return 0;
}

const callback_frame *callback_top(void)
{
    return innermost;
}

/* Callbacks on a vCPU's way keep its thread aside; the others are counted, so that a pause waits
 * for them. */
void callback_enter(callback_frame *frame)
{
    frame->counted = frame->vm && !frame->vcpu && !callback_in_vm(frame->vm);
    if (frame->counted)
        atomic_fetch_add(&frame->vm->callbacks, 1);
    frame->outer = innermost;
    innermost = frame;
}

void callback_leave(callback_frame *frame)
{
    innermost = frame->outer;
    if (!frame->counted)
        return;
    atomic_fetch_sub(&frame->vm->callbacks, 1);
    if (!atomic_load(&frame->vm->pause_wanted))
        return;
    vm_changed(frame->vm);
    vm_settle(frame->vm);
}
