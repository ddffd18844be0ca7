#include "base/alloc.h"
#include "base/error.h"
#include "core/host.h"
#include "core/object.h"
#include <inttypes.h>

/* The word of a line: how many handles hold it high, LINE_EDGE if it rose since the deliverer
 * looked, LINE_BUSY while a thread delivers. That thread goes on until what it delivered is what
 * the word says, so that changes by several threads arrive in an order that ends right, no lock is
 * held over a controller's callback, and a callback may raise the same line. */
enum line_word { LINE_COUNT = (1 << 30) - 1, LINE_EDGE = 1 << 30 };
#define LINE_BUSY (UINT32_C(1) << 31)

struct vsdk_irq {
    vsdk_vm *vm; /* counted */
    uint32_t gsi;
    _Atomic uint32_t raised;
};

static vsdk_status level_deliver(vsdk_vm *vm, uint32_t gsi, uint32_t level, const char *op,
                                 vsdk_error *error)
{
    vm->irq.lines[gsi].level = level;
    return irq_deliver(vm, gsi, level, op, error);
}

/* One look at the word: delivers what is missing, 0 when nothing was. */
static int line_catch_up(vsdk_vm *vm, uint32_t gsi, const char *op, vsdk_status *status,
                         vsdk_error *error)
{
    irq_line *line = &vm->irq.lines[gsi];
    uint32_t word = atomic_fetch_and(&line->word, ~(uint32_t)LINE_EDGE);
    uint32_t high = (word & LINE_COUNT) != 0, edge = (word & LINE_EDGE) != 0;
    vsdk_status result = VSDK_OK;

    if (!edge && line->level == high)
        return 0;
    if (edge && line->level)
        result = level_deliver(vm, gsi, 0, op, error);
    if (!result && edge)
        result = level_deliver(vm, gsi, 1, op, error);
    if (!result && line->level != high)
        result = level_deliver(vm, gsi, high, op, error);
    line->level = high;
    if (result)
        *status = result;
    return 1;
}

/* LINE_BUSY is this thread's. */
static vsdk_status line_settle(vsdk_vm *vm, uint32_t gsi, const char *op, vsdk_error *error)
{
    irq_line *line = &vm->irq.lines[gsi];
    vsdk_status status = VSDK_OK;

    for (;;) {
        while (line_catch_up(vm, gsi, op, &status, error))
            ;
        uint32_t word = atomic_load(&line->word);
        if ((word & LINE_EDGE) || ((word & LINE_COUNT) != 0) != line->level)
            continue;
        if (atomic_compare_exchange_weak(&line->word, &word, word & ~LINE_BUSY))
            return status;
    }
}

/* A change of the count between 0 and 1 is delivered, by this thread unless another is at it. */
static vsdk_status line_change(vsdk_vm *vm, uint32_t gsi, int up, const char *op, vsdk_error *error)
{
    irq_line *line = &vm->irq.lines[gsi];
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
    return line_settle(vm, gsi, op, error);
}

void irq_init(vsdk_vm *vm)
{
    pthread_mutex_init(&vm->irq.lock, NULL);
    pthread_mutex_init(&vm->irq.drain_lock, NULL);
    pthread_cond_init(&vm->irq.drained, NULL);
}

static vsdk_status usable(vsdk_vm *vm, const char *op, vsdk_error *error)
{
    vm_use use;
    vsdk_status status = vm_use_begin(vm, &use, op, error);

    if (!status)
        vm_use_end(use);
    return status;
}

vsdk_status vsdk_irq_create(vsdk_vm *vm, uint32_t gsi, vsdk_irq **irq, vsdk_error *error)
{
    static const char op[] = "vsdk_irq_create";

    if (!irq)
        return error_null(error, op, "irq");
    *irq = NULL;
    if (!vm)
        return error_null(error, op, "vm");
    if (gsi >= IRQ_LINES)
        return error_set(error, VSDK_ERROR_LIMIT, op, "gsi %u is above %d", gsi, IRQ_LINES - 1);
    vsdk_status status = usable(vm, op, error);
    if (status)
        return status;
    vsdk_irq *made = alloc_zeroed(sizeof *made);
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, op, "no memory for the handle");
    made->vm = vm;
    made->gsi = gsi;
    vm_keep(vm);
    *irq = made;
    return VSDK_OK;
}

void vsdk_irq_close(vsdk_irq *irq)
{
    if (!irq || host_is_foreign(irq->vm->host))
        return;
    vsdk_vm *vm = irq->vm;
    if (atomic_exchange(&irq->raised, 0))
        line_change(vm, irq->gsi, 0, "vsdk_irq_close", NULL);
    alloc_free(irq);
    vm_drop(vm);
}

/* The count goes up before the mark and down after it, so that it is never below the number of
 * handles that are marked. */
vsdk_status vsdk_irq_raise(vsdk_irq *irq, vsdk_error *error)
{
    static const char op[] = "vsdk_irq_raise";

    if (!irq)
        return error_null(error, op, "irq");
    vsdk_status status = irq_served(irq->vm, irq->gsi, op, error);
    if (status || atomic_load(&irq->raised))
        return status;
    status = line_change(irq->vm, irq->gsi, 1, op, error);
    if (status || atomic_exchange(&irq->raised, 1))
        line_change(irq->vm, irq->gsi, 0, op, NULL);
    return status;
}

vsdk_status vsdk_irq_lower(vsdk_irq *irq, vsdk_error *error)
{
    static const char op[] = "vsdk_irq_lower";

    if (!irq)
        return error_null(error, op, "irq");
    vsdk_status status = irq_served(irq->vm, irq->gsi, op, error);
    if (status || !atomic_exchange(&irq->raised, 0))
        return status;
    return line_change(irq->vm, irq->gsi, 0, op, error);
}

vsdk_status vsdk_irq_pulse(vsdk_irq *irq, vsdk_error *error)
{
    static const char op[] = "vsdk_irq_pulse";

    if (!irq)
        return error_null(error, op, "irq");
    vsdk_status status = irq_served(irq->vm, irq->gsi, op, error);
    if (status)
        return status;
    status = line_change(irq->vm, irq->gsi, 1, op, error);
    vsdk_status after = line_change(irq->vm, irq->gsi, 0, op, status ? NULL : error);
    return status ? status : after;
}

static int any_vcpu(const vsdk_vm *vm)
{
    for (uint32_t i = 0; i < vm->backend.config.vcpus_max; i++) {
        if (__atomic_load_n(&vm->vcpus[i], __ATOMIC_ACQUIRE))
            return 1;
    }
    return 0;
}

static vsdk_status message_check(const vsdk_vm *vm, uint64_t address, uint32_t data, const char *op,
                                 vsdk_error *error)
{
    enum { LOWEST_PRIORITY = 1 };
    uint32_t mode = data >> 8 & 7;

    if ((address & ~UINT64_C(0xfffff)) != 0xfee00000)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, op,
                         "%#" PRIx64 " is not a message address (0xfeexxxxx)", address);
    if (mode <= LOWEST_PRIORITY && (data & 0xff) < 16)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, op, "vector %u is below 16",
                         data & 0xff);
    if (vm->backend.config.irqchip == VSDK_IRQCHIP_NONE)
        return error_set(error, VSDK_ERROR_UNSUPPORTED, op,
                         "the virtual machine has no local APIC");
    if (any_vcpu(vm))
        return VSDK_OK;
    error_set(error, VSDK_ERROR_STATE, op, "no vCPU exists yet");
    return error_hint(error, VSDK_ERROR_STATE, "call vsdk_vcpu_create first");
}

vsdk_status vsdk_vm_send_msi(vsdk_vm *vm, uint64_t address, uint32_t data, vsdk_error *error)
{
    static const char op[] = "vsdk_vm_send_msi";
    vm_use use;

    if (!vm)
        return error_null(error, op, "vm");
    vsdk_status status = vm_use_begin(vm, &use, op, error);
    if (status)
        return status;
    status = message_check(vm, address, data, op, error);
    if (!status)
        status = vm->host->backend.ops->vm_send_msi(&vm->backend, address, data, error);
    vm_use_end(use);
    return status;
}
