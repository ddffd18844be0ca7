/* SPDX-License-Identifier: Apache-2.0 */
/* Who serves a line: the controllers that devices registered, else the hypervisor's own. The table
 * of controllers is a snapshot; a controller is counted inside the reader section in which it was
 * found and called outside of it. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"
#include "core/callback.h"
#include "core/object.h"

enum { ENDED = 1u << 31, AWAITED = 1u << 30, INSIDE = AWAITED - 1 };

struct irq_controller {
    uint32_t first, count;
    vsdk_irq_line_fn set_line;
    void *user;
    vsdk_release_fn release;
    /* Callbacks that run. ENDED: it is in no table any more, and who finds nobody inside releases
     * it. AWAITED: a detach does that. A futex. */
    _Atomic uint32_t inside;
};

typedef irq_controller *controller_item;

static irq_controller *controller_at(const snapshot *s, uint32_t index)
{
    const void *items = s->items;

    return ((const controller_item *)items)[index];
}

static irq_controller *controller_find(const vsdk_vm *vm, uint32_t gsi)
{
    const snapshot *s = snapshot_live(&vm->irq.controllers);

    for (uint32_t i = 0; i < snapshot_count(s); i++) {
        irq_controller *c = controller_at(s, i);
        if (gsi - c->first < c->count)
            return c;
    }
    return NULL;
}

uint32_t irq_own_lines(vsdk_vm *vm)
{
    const backend_ops *ops = vm->host->backend.ops;

    return ops->irq_lines ? ops->irq_lines(&vm->backend) : 0;
}

static vsdk_status nobody(uint32_t gsi, const char *operation, vsdk_error *error)
{
    error_set(error, VSDK_ERROR_NOT_FOUND, operation, "no controller serves line %u", gsi);
    return error_hint(error, VSDK_ERROR_NOT_FOUND,
                      "attach a controller first: vsdk_ioapic_create has lines 0 to 23");
}

vsdk_status irq_served(vsdk_vm *vm, uint32_t gsi, const char *operation, vsdk_error *error)
{
    vm_use use;
    vsdk_status status = vm_use_begin(vm, &use, operation, error);

    if (status)
        return status;
    if (!controller_find(vm, gsi) && gsi >= irq_own_lines(vm))
        status = nobody(gsi, operation, error);
    vm_use_end(use);
    return status;
}

static void controller_release(irq_controller *c)
{
    if (c->release)
        c->release(c->user);
    alloc_free(c);
}

static void controller_leave(irq_controller *c)
{
    uint32_t left = atomic_fetch_sub(&c->inside, 1) - 1;

    if (left == (ENDED | AWAITED))
        sys_futex_wake(&c->inside);
    else if (left == ENDED)
        controller_release(c);
}

static void controller_call(vsdk_vm *vm, irq_controller *c, uint32_t gsi, uint32_t level)
{
    callback_frame frame = {.vm = vm};

    callback_enter(&frame);
    c->set_line(c->user, vm, gsi, level);
    controller_leave(c);
    callback_leave(&frame);
}

vsdk_status irq_deliver(vsdk_vm *vm, uint32_t gsi, uint32_t level, const char *operation,
                        vsdk_error *error)
{
    const backend_ops *ops = vm->host->backend.ops;
    vm_use use;
    vsdk_status status = vm_use_begin(vm, &use, operation, error);

    if (status)
        return status;
    irq_controller *c = controller_find(vm, gsi);
    if (c)
        atomic_fetch_add(&c->inside, 1);
    else if (gsi < irq_own_lines(vm))
        status = ops->irq_set_line(&vm->backend, gsi, level, error);
    else
        status = nobody(gsi, operation, error);
    vm_use_end(use);
    if (c)
        controller_call(vm, c, gsi, level);
    return status;
}

/* With irq.lock held. */
static vsdk_status lines_check(vsdk_vm *vm, uint32_t first, uint32_t count, const char *operation,
                               vsdk_error *error)
{
    const snapshot *s = snapshot_live(&vm->irq.controllers);

    for (uint32_t i = 0; i < snapshot_count(s); i++) {
        const irq_controller *c = controller_at(s, i);
        if (ranges_overlap(c->first, c->count, first, count))
            return error_set(error, VSDK_ERROR_EXISTS, operation, "a controller has lines %u to %u",
                             c->first, c->first + c->count - 1);
    }
    return VSDK_OK;
}

static vsdk_status own_lines_check(vsdk_vm *vm, uint32_t first, const char *operation,
                                   vsdk_error *error)
{
    vm_use use;
    vsdk_status status = vm_use_begin(vm, &use, operation, error);

    if (status)
        return status;
    uint32_t own = irq_own_lines(vm);
    vm_use_end(use);
    if (first < own)
        return error_set(error, VSDK_ERROR_RESERVED, operation,
                         "lines 0 to %u are those of the hypervisor's controllers", own - 1);
    return VSDK_OK;
}

static vsdk_status publish(vsdk_vm *vm, irq_controller *c, const char *operation, vsdk_error *error)
{
    snapshot_box *box = &vm->irq.controllers;
    vsdk_status status;

    lock_take(&vm->irq.lock);
    if (atomic_load(&vm->gone))
        status = vm_gone(operation, error);
    else
        status = lines_check(vm, c->first, c->count, operation, error);
    if (!status && !snapshot_insert(box, &vm->readers, sizeof(controller_item),
                                    snapshot_count(snapshot_live(box)), &c))
        status = error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the controllers");
    lock_give(&vm->irq.lock);
    return status;
}

static vsdk_status attach(vsdk_vm *vm, const irq_controller *wanted, const char *operation,
                          vsdk_error *error)
{
    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (!wanted->set_line)
        return error_null(error, operation, "set_line");
    if (!wanted->count)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "count is 0");
    if (!checked_within(wanted->first, wanted->count, IRQ_LINES))
        return error_set(error, VSDK_ERROR_LIMIT, operation, "%u lines from %u: a line is above %d",
                         wanted->count, wanted->first, IRQ_LINES - 1);
    vsdk_status status = own_lines_check(vm, wanted->first, operation, error);
    if (status)
        return status;
    irq_controller *c = alloc_zeroed(sizeof *c);
    if (!c)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the controller");
    *c = *wanted;
    status = publish(vm, c, operation, error);
    if (status)
        alloc_free(c);
    return status;
}

vsdk_status vsdk_irq_controller_attach(vsdk_vm *vm, uint32_t first_gsi, uint32_t count,
                                       vsdk_irq_line_fn set_line, void *user,
                                       vsdk_release_fn release, vsdk_error *error)
{
    irq_controller wanted = {
        .first = first_gsi, .count = count, .set_line = set_line, .user = user, .release = release};
    vsdk_status status = attach(vm, &wanted, "vsdk_irq_controller_attach", error);

    if (status && release)
        release(user);
    return status;
}

static int is_controller(const void *item, void *controller)
{
    return *(const controller_item *)item == controller;
}

/* The controller is in no snapshot any more: whoever is inside was counted before. */
static void controller_end(irq_controller *c, int wait)
{
    uint32_t inside = atomic_fetch_or(&c->inside, ENDED | (wait ? AWAITED : 0));

    if (!wait && inside)
        return;
    while ((inside = atomic_load(&c->inside)) & INSIDE)
        sys_futex_wait(&c->inside, inside, 0);
    controller_release(c);
}

static irq_controller *take(vsdk_vm *vm, irq_controller *c)
{
    if (c)
        snapshot_remove(&vm->irq.controllers, &vm->readers, sizeof(controller_item), is_controller,
                        c);
    return c;
}

vsdk_status vsdk_irq_controller_detach(vsdk_vm *vm, uint32_t first_gsi, vsdk_error *error)
{
    static const char operation[] = "vsdk_irq_controller_detach";
    irq_controller *c = NULL;

    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (callback_in_vm(vm))
        return callback_busy(operation, error);
    lock_take(&vm->irq.lock);
    int gone = atomic_load(&vm->gone) != 0;
    if (!gone)
        c = controller_find(vm, first_gsi);
    if (c && c->first != first_gsi)
        c = NULL;
    take(vm, c);
    lock_give(&vm->irq.lock);
    if (gone)
        return vm_gone(operation, error);
    if (!c)
        return error_set(error, VSDK_ERROR_NOT_FOUND, operation, "no controller begins at line %u",
                         first_gsi);
    controller_end(c, 1);
    return VSDK_OK;
}

static irq_controller *take_any(vsdk_vm *vm)
{
    lock_take(&vm->irq.lock);
    const snapshot *s = snapshot_live(&vm->irq.controllers);
    irq_controller *c = take(vm, snapshot_count(s) ? controller_at(s, 0) : NULL);
    lock_give(&vm->irq.lock);
    return c;
}

void irq_end(vsdk_vm *vm)
{
    irq_controller *c;

    while ((c = take_any(vm)))
        controller_end(c, 0);
    snapshot_clear(&vm->irq.controllers, &vm->readers);
}
