/* SPDX-License-Identifier: Apache-2.0 */
/* A generic event device (ACPI 6.5, 5.6.9): a register of events, and an edge for each raise.
 *
 * Events are raised from any thread and read by the guest. So that none is lost the line is lowered
 * and raised for each, and a read that finds the register filled again behind its back raises once
 * more. An edge without an event is harmless: the guest reads 0. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "devices/device.h"

#include <stdatomic.h>
#include <vsdk/irq.h>

enum { PORT = 0x620, LINE = 6, WIDTH = 4 };

typedef struct ged {
    _Atomic uint32_t events;
    uint32_t process;
    vsdk_irq *irq;
} ged;

/* Lowered first: a line that is high has no edge. */
static void ged_edge(ged *g)
{
    vsdk_irq_lower(g->irq, NULL);
    vsdk_irq_raise(g->irq, NULL);
}

static uint64_t ged_read(void *user, vsdk_device *device, const vsdk_access *access)
{
    ged *g = user;

    if (access->offset || access->width != WIDTH)
        return 0;
    uint32_t events = atomic_exchange(&g->events, 0);
    vsdk_irq_lower(g->irq, NULL);
    if (atomic_load(&g->events))
        ged_edge(g);
    return events;
}

/* The line of a stopped device gives no edge. */
static void ged_start(void *user, vsdk_device *device)
{
    ged *g = user;

    if (atomic_load(&g->events))
        ged_edge(g);
}

/* Nobody has heard of what was raised for the guest before. */
static void ged_reset(void *user, vsdk_device *device)
{
    ged *g = user;

    atomic_store(&g->events, 0);
    vsdk_irq_lower(g->irq, NULL);
}

static vsdk_status ged_save(void *user, vsdk_device *device, vsdk_state_writer *writer,
                            vsdk_error *error)
{
    ged *g = user;

    return vsdk_state_put_number(writer, "events", atomic_load(&g->events), error);
}

static vsdk_status ged_load(void *user, vsdk_device *device, vsdk_state_reader *reader,
                            vsdk_error *error)
{
    ged *g = user;
    uint64_t events;
    vsdk_status status = vsdk_state_get_number(reader, "events", UINT32_MAX, &events, error);

    if (!status)
        atomic_store(&g->events, (uint32_t)events);
    return status;
}

static void ged_release(void *user)
{
    ged *g = user;

    vsdk_irq_close(g->irq);
    alloc_free(g);
}

static const vsdk_device_ops ged_ops = {
    .size = sizeof(vsdk_device_ops),
    .read = ged_read,
    .start = ged_start,
    .reset = ged_reset,
    .save = ged_save,
    .load = ged_load,
    .release = ged_release,
};

/* The line before the range: from then on a guest reads. */
vsdk_status vsdk_ged_create(vsdk_vm *vm, const vsdk_ged_config *config, vsdk_device **device,
                            vsdk_error *error)
{
    vsdk_ged_config c;
    vsdk_device_config make = {.size = sizeof make, .name = "ged"};
    vsdk_device *made;
    vsdk_status status = device_begin(vm, device, __func__, error);

    if (!status)
        status = device_read_config(&c, sizeof c, offsetof(vsdk_ged_config, reserved), config,
                                    __func__, error);
    if (status)
        return status;
    ged *g = alloc_zeroed(sizeof *g);
    if (!g)
        return error_set(error, VSDK_ERROR_NO_MEMORY, __func__, "no memory for a device");
    g->process = process_id();
    status = vsdk_device_create(vm, &ged_ops, g, &make, &made, error);
    if (status)
        return status;
    vsdk_irq_config line = {.size = sizeof line, .gsi = c.gsi ? c.gsi : LINE, .device = made};
    status = vsdk_irq_create(vm, &line, &g->irq, error);
    if (!status)
        status = vsdk_device_add_range(made, VSDK_SPACE_PIO, c.address ? c.address : PORT, WIDTH, 0,
                                       error);
    if (status)
        vsdk_device_close(made);
    else
        *device = made;
    return status;
}

vsdk_status vsdk_ged_raise(vsdk_device *device, uint32_t events, vsdk_error *error)
{
    ged *g = device_of(device, &ged_ops, "event device", __func__, error);

    if (!g)
        return VSDK_ERROR_INVALID_ARGUMENT;
    if (g->process != process_id())
        return error_forked(error, __func__);
    if (!events)
        return VSDK_OK;
    atomic_fetch_or(&g->events, events);
    ged_edge(g);
    return VSDK_OK;
}
