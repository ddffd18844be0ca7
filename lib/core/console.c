/* SPDX-License-Identifier: Apache-2.0 */
/* The console that a hypervisor gives its guests, as a stream.
 *
 * Bytes move at two moments: between two exits of vCPU 0, when the backend or the stream's other
 * end says that there is something to do; and when the guest has stopped, so that all it wrote is
 * in the stream when a pause or its end is told. At both the thread is not counted as in the guest,
 * as for a device, so both may come at once: one thread moves bytes at a time (busy). The first
 * lets the other do it, the second waits. A handler at the other end runs inside, so it is a
 * callback of the virtual machine.
 *
 * A turn is bounded and allocates nothing. What the stream has no room for stays with the guest,
 * but for the few bytes that were taken from it already; when it has stopped the stream has a
 * reserve. */
#include "core/console.h"
#include "base/sys.h"
#include "core/callback.h"
#include "core/life_wait.h"
#include "core/stream.h"
#include <string.h>

enum { TURNS = 8, RESERVE = 4096, LAST_TURNS = RESERVE / sizeof((vm_console *)0)->out + 1 };

/* Any thread: the other end wrote, made room, or was closed. */
static void happened(void *user, vsdk_stream *stream, vsdk_stream_events events)
{
    vsdk_vm *vm = user;
    vm_use use;

    if (vm_use_begin(vm, &use, __func__, NULL))
        return;
    atomic_store(&vm->backend.console_due, 1);
    vsdk_vcpu *first = __atomic_load_n(&vm->vcpus[0], __ATOMIC_ACQUIRE);
    if (first)
        vcpu_request(first, 0);
    vm_use_end(use);
}

static void forget(void *user)
{
    vm_drop(user);
}

vsdk_status console_open(vsdk_vm *vm, vsdk_stream *stream, const char *operation, vsdk_error *error)
{
    if (!stream)
        return VSDK_OK;
    vsdk_status status = stream_reserve(stream, RESERVE, operation, error);
    if (status)
        return status;
    vm_keep(vm);
    status = vsdk_stream_set_handler(stream, happened, vm, forget, error);
    if (!status)
        vm->console.stream = vsdk_stream_ref(stream);
    return status;
}

void console_close(vsdk_vm *vm)
{
    vsdk_stream *stream = vm->console.stream;

    vm->console.stream = NULL;
    if (!stream)
        return;
    vsdk_stream_set_handler(stream, NULL, NULL, NULL, NULL);
    vsdk_stream_close(stream);
}

static uint32_t keep_rest(uint8_t *bytes, uint32_t held, uint64_t taken)
{
    memmove(bytes, bytes + taken, held - taken);
    return held - (uint32_t)taken;
}

/* 1 when there may be more to take. */
static int move_output(vsdk_vm *vm, uint32_t turns, int last)
{
    const backend_ops *ops = vm->backend.host->ops;
    vm_console *c = &vm->console;

    while (turns--) {
        if (!c->out_held)
            c->out_held = (uint32_t)ops->console_output(&vm->backend, c->out, sizeof c->out);
        uint64_t taken = c->out_held;
        if (!c->out_held)
            return 0;
        if (c->stream && last)
            taken = stream_write_last(c->stream, c->out, c->out_held);
        else if (c->stream)
            vsdk_stream_write(c->stream, c->out, c->out_held, &taken, NULL);
        c->out_held = keep_rest(c->out, c->out_held, taken);
        if (c->out_held)
            return 0; /* until there is room */
    }
    return 1;
}

static int move_input(vsdk_vm *vm, uint32_t turns)
{
    const backend_ops *ops = vm->backend.host->ops;
    vm_console *c = &vm->console;

    while (c->stream && turns--) {
        uint64_t got = 0;
        if (!c->in_held && !vsdk_stream_read(c->stream, c->in, sizeof c->in, &got, NULL))
            c->in_held = (uint32_t)got;
        if (!c->in_held)
            return 0;
        uint64_t taken = ops->console_input(&vm->backend, c->in, c->in_held);
        c->in_held = keep_rest(c->in, c->in_held, taken);
        if (c->in_held)
            return 0; /* until the guest reads */
    }
    return c->stream != NULL;
}

static void console_leave(vsdk_vm *vm)
{
    atomic_store(&vm->console.busy, 0);
    sys_futex_wake(&vm->console.busy);
}

void console_serve(vsdk_vm *vm)
{
    callback_frame frame = {.vm = vm};

    if (!atomic_load_explicit(&vm->backend.console_due, memory_order_relaxed) ||
        atomic_exchange(&vm->console.busy, 1))
        return;
    atomic_store(&vm->backend.console_due, 0);
    callback_enter(&frame);
    int more = move_output(vm, TURNS, 0);
    more |= move_input(vm, TURNS);
    callback_leave(&frame);
    if (more)
        atomic_store(&vm->backend.console_due, 1);
    console_leave(vm);
}

void console_finish(vsdk_vm *vm)
{
    callback_frame frame = {.vm = vm};

    if (!vm->backend.host->ops->console_output)
        return;
    while (atomic_exchange(&vm->console.busy, 1))
        sys_futex_wait(&vm->console.busy, 1, 0);
    callback_enter(&frame);
    move_output(vm, LAST_TURNS, 1);
    callback_leave(&frame);
    /* Input that came meanwhile, and what found no room, when it goes on. */
    atomic_store(&vm->backend.console_due, 1);
    console_leave(vm);
}
