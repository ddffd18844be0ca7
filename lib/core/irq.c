/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupt lines and their users.
 *
 * The word of a line: how many handles hold it high, LINE_EDGE if it rose since the deliverer
 * looked, LINE_BUSY while a thread delivers. That thread goes on until what it delivered is what
 * the word says, so that changes by several threads arrive in an order that ends right, no lock is
 * held over a controller's callback, and a callback may raise the same line. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/record.h"
#include "core/device.h"

enum line_word { LINE_COUNT = (1 << 30) - 1, LINE_EDGE = 1 << 30 };
#define LINE_BUSY (UINT32_C(1) << 31)

struct vsdk_irq {
    refs refs;
    vsdk_vm *vm;         /* its memory is counted */
    vsdk_device *device; /* its memory is counted; or NULL */
    irq_line *line;      /* as long as the virtual machine's memory */
    uint32_t gsi;
    _Atomic uint32_t raised;
};

/* LINE_BUSY is this thread's: delivers until what was delivered is what the word says. An edge is
 * low, then high, whatever the level is after it. */
static vsdk_status line_deliver(const vsdk_irq *irq, const char *operation, vsdk_error *error)
{
    irq_line *line = irq->line;
    vsdk_status status = VSDK_OK;

    for (;;) {
        uint32_t word = atomic_fetch_and(&line->word, ~(uint32_t)LINE_EDGE);
        uint32_t high = (word & LINE_COUNT) != 0, edge = (word & LINE_EDGE) != 0;
        uint32_t levels[3], n = 0, level = line->level;
        if (!edge && level == high) {
            if (atomic_compare_exchange_strong(&line->word, &word, word & ~LINE_BUSY))
                return status;
            continue;
        }
        if (edge && level)
            levels[n++] = 0;
        if (edge)
            levels[n++] = level = 1;
        if (level != high)
            levels[n++] = high;
        for (uint32_t i = 0; i < n; i++) {
            vsdk_status result = irq_deliver(irq->vm, irq->gsi, levels[i], operation, error);
            if (!result)
                continue;
            status = result;
            break;
        }
        line->level = high;
    }
}

/* A change of the count between 0 and 1 is delivered, by this thread unless another is at it. */
static vsdk_status line_change(const vsdk_irq *irq, int up, const char *operation,
                               vsdk_error *error)
{
    irq_line *line = irq->line;
    uint32_t word = atomic_load(&line->word), next, changes;

    do {
        uint32_t count = word & LINE_COUNT;
        changes = up ? count == 0 : count == 1;
        next = up ? word + 1 : word - 1;
        if (changes)
            next |= LINE_BUSY | (up ? (uint32_t)LINE_EDGE : 0);
    } while (!atomic_compare_exchange_weak(&line->word, &word, next));
    if (!changes || (word & LINE_BUSY))
        return VSDK_OK;
    return line_deliver(irq, operation, error);
}

/* NULL when there is no memory. */
static irq_line *line_of(irq_router *router, uint32_t gsi)
{
    _Atomic(irq_line *) *block = &router->lines[gsi / IRQ_BLOCK];
    irq_line *lines = atomic_load(block), *made = NULL;

    if (!lines) {
        made = alloc_array(IRQ_BLOCK, sizeof *made);
        if (made && !atomic_compare_exchange_strong(block, &lines, made))
            alloc_free(made);
        else
            lines = made;
    }
    return lines ? lines + gsi % IRQ_BLOCK : NULL;
}

static vsdk_status config_check(vsdk_vm *vm, const vsdk_irq_config *given, vsdk_irq_config *config,
                                const char *operation, vsdk_error *error)
{
    vsdk_status status = record_read(config, sizeof *config, given, 0, operation, error);

    if (status)
        return status;
    if (config->reserved)
        return record_later(operation, error);
    if (config->gsi >= IRQ_LINES)
        return error_set(error, VSDK_ERROR_LIMIT, operation, "gsi %u is above %d", config->gsi,
                         IRQ_LINES - 1);
    if (config->trigger > VSDK_IRQ_LEVEL)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation, "trigger %u is unknown",
                         config->trigger);
    if (config->device && config->device->vm != vm)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the device is of another virtual machine");
    return VSDK_OK;
}

/* Level-triggered lines need a controller that hears of the interrupt's end. */
static vsdk_status trigger_check(vsdk_vm *vm, const vsdk_irq_config *config, const char *operation,
                                 vsdk_error *error)
{
    vm_use use;
    vsdk_status status = vm_use_begin(vm, &use, operation, error);

    if (status)
        return status;
    uint32_t own = irq_own_lines(vm);
    vm_use_end(use);
    if (config->trigger == VSDK_IRQ_LEVEL && config->gsi >= own)
        return error_hint(error,
                          error_set(error, VSDK_ERROR_UNSUPPORTED, operation,
                                    "line %u is not the hypervisor's: it is edge-triggered",
                                    config->gsi),
                          "use VSDK_IRQ_EDGE, or a machine with VSDK_IRQCHIP_KERNEL");
    return VSDK_OK;
}

vsdk_status vsdk_irq_create(vsdk_vm *vm, const vsdk_irq_config *given, vsdk_irq **irq,
                            vsdk_error *error)
{
    static const char operation[] = "vsdk_irq_create";
    vsdk_irq_config config;

    if (!irq)
        return error_null(error, operation, "irq");
    *irq = NULL;
    if (!vm)
        return error_null(error, operation, "vm");
    if (vm_is_foreign(vm))
        return vm_forked(operation, error);
    if (!given)
        return error_null(error, operation, "config");
    vsdk_status status = config_check(vm, given, &config, operation, error);
    if (!status)
        status = trigger_check(vm, &config, operation, error);
    if (status)
        return status;
    irq_line *line = line_of(&vm->irq, config.gsi);
    vsdk_irq *made = line ? alloc_zeroed(sizeof *made) : NULL;
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, operation, "no memory for the line");
    refs_init(&made->refs);
    made->vm = vm;
    made->device = config.device;
    made->line = line;
    made->gsi = config.gsi;
    vm_keep(vm);
    if (made->device)
        refs_get(&made->device->memory);
    *irq = made;
    return VSDK_OK;
}

vsdk_irq *vsdk_irq_ref(vsdk_irq *irq)
{
    if (irq && !vm_is_foreign(irq->vm))
        refs_get(&irq->refs);
    return irq;
}

void vsdk_irq_close(vsdk_irq *irq)
{
    if (!irq || vm_is_foreign(irq->vm) || !refs_put(&irq->refs))
        return;
    vsdk_vm *vm = irq->vm;
    if (atomic_exchange(&irq->raised, 0))
        line_change(irq, 0, "vsdk_irq_close", NULL);
    if (irq->device)
        device_memory_put(irq->device);
    alloc_free(irq);
    vm_drop(vm);
}

/* Who may raise: a line that is served, of a device that acts. */
static vsdk_status may_raise(const vsdk_irq *irq, const char *operation, vsdk_error *error)
{
    vsdk_status status = irq_served(irq->vm, irq->gsi, operation, error);

    if (!status && irq->device && !device_acts(irq->device))
        status = error_set(error, VSDK_ERROR_STATE, operation, "device %s is stopped",
                           irq->device->name);
    return status;
}

/* The count goes up before the mark and down after it, so that it is never below the number of
 * handles that are marked. */
vsdk_status vsdk_irq_raise(vsdk_irq *irq, vsdk_error *error)
{
    static const char operation[] = "vsdk_irq_raise";

    if (!irq)
        return error_null(error, operation, "irq");
    vsdk_status status = may_raise(irq, operation, error);
    if (status || atomic_load(&irq->raised))
        return status;
    status = line_change(irq, 1, operation, error);
    if (status || atomic_exchange(&irq->raised, 1))
        line_change(irq, 0, operation, NULL);
    return status;
}

/* Allowed to a device that is stopped: its reset lowers what it had raised. */
vsdk_status vsdk_irq_lower(vsdk_irq *irq, vsdk_error *error)
{
    static const char operation[] = "vsdk_irq_lower";

    if (!irq)
        return error_null(error, operation, "irq");
    vsdk_status status = irq_served(irq->vm, irq->gsi, operation, error);
    if (status || !atomic_exchange(&irq->raised, 0))
        return status;
    return line_change(irq, 0, operation, error);
}

vsdk_status vsdk_irq_pulse(vsdk_irq *irq, vsdk_error *error)
{
    static const char operation[] = "vsdk_irq_pulse";

    if (!irq)
        return error_null(error, operation, "irq");
    vsdk_status status = may_raise(irq, operation, error);
    if (status)
        return status;
    status = line_change(irq, 1, operation, error);
    vsdk_status after = line_change(irq, 0, operation, status ? NULL : error);
    return status ? status : after;
}
