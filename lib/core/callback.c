#include "base/exit_path.h"
#include "core/device.h"
#include "core/vm_state.h"

/* Static thread-local storage: a signal handler may look here. */
static _Thread_local callback_frame *innermost __attribute__((tls_model("initial-exec")));

EXIT_PATH int callback_in_vm(const vsdk_vm *vm)
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

static void push(callback_frame *frame)
{
    if (frame->counted)
        atomic_fetch_add(&frame->vm->callbacks, 1);
    frame->outer = innermost;
    innermost = frame;
}

/* The innermost, unless devices are unlocked in another order than they were locked in. */
static void pop(const callback_frame *frame)
{
    callback_frame **at = &innermost;

    while (*at && *at != frame)
        at = &(*at)->outer;
    if (*at)
        *at = frame->outer;
    if (frame->counted)
        atomic_fetch_sub(&frame->vm->callbacks, 1);
}

static void take_wanted(vsdk_vm *vm)
{
    if (!atomic_load(&vm->pause_wanted) && !atomic_load(&vm->resume_wanted))
        return;
    vm_changed(vm);
    vm_settle(vm);
}

/* Callbacks on a vCPU's way keep its thread aside; the others are counted, so that a pause waits
 * for them. */
EXIT_PATH void callback_enter(callback_frame *frame)
{
    frame->counted = frame->vm && !frame->vcpu && !callback_in_vm(frame->vm);
    push(frame);
}

EXIT_PATH void callback_leave(callback_frame *frame)
{
    pop(frame);
    if (frame->counted)
        take_wanted(frame->vm);
}

void vsdk_device_lock(vsdk_device *device)
{
    if (!device || device->concurrent)
        return;
    device_enter(device);
    device->locked = (callback_frame){.vm = device->vm, .device = device, .counted = 1};
    push(&device->locked);
}

void vsdk_device_unlock(vsdk_device *device)
{
    if (!device || device->concurrent)
        return;
    vsdk_vm *vm = device->vm;
    pop(&device->locked);
    device_leave(device);
    take_wanted(vm);
}
