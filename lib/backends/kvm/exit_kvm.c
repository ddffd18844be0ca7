/* SPDX-License-Identifier: Apache-2.0 */
/* The record of an exit, filled from kvm_run. The guest chooses what is in there: widths, counts
 * and offsets are the kernel's, and an unknown reason goes on with its number.
 *
 * An answer is copied from the record to kvm_run at the next entry; elements of a string access
 * stay in kvm_run's pages, and the record points to them. */
#include "backends/kvm/objects_kvm.h"
#include "base/element.h"
#include "base/exit_path.h"
#include <string.h>

_Static_assert((int)KVM_EXIT_IO_IN == (int)VSDK_DIRECTION_READ &&
                   (int)KVM_EXIT_IO_OUT == (int)VSDK_DIRECTION_WRITE,
               "directions");
_Static_assert(sizeof(vsdk_exit) == 64, "the record");

static struct kvm_run *run_of(const vcpu_kvm *v)
{
    return atomic_load_explicit(&v->run, memory_order_relaxed);
}

/* The record's flag for what came with the exit. */
static inline uint32_t synced(const vcpu_kvm *v)
{
    return v->in_run ? kvm_regs_deliver(v) : 0;
}

static vsdk_exit *begin(vcpu_kvm *v, vsdk_exit_reason reason)
{
    vsdk_exit *x = v->vcpu->exit;
    *x = (vsdk_exit){.reason = reason, .flags = synced(v)};
    return x;
}

void kvm_exit_none(vcpu_kvm *v)
{
    begin(v, VSDK_EXIT_NONE);
}

void kvm_exit_kicked(vcpu_kvm *v, vsdk_kick_detail detail)
{
    begin(v, VSDK_EXIT_KICKED)->detail = detail;
}

void kvm_exit_memory_fault(vcpu_kvm *v)
{
    struct kvm_uapi_memory_fault fault = kvm_uapi_memory_fault_of(run_of(v));
    vsdk_exit *x = begin(v, VSDK_EXIT_MEMORY_FAULT);
    x->address = fault.gpa;
    x->detail = fault.flags;
}

/* Read: the value that the record will have goes to an element of the kernel's. */
static inline void answer_later(vcpu_kvm *v, vsdk_exit *x, void *element)
{
    x->value = UINT64_MAX;
    v->unanswered = 1;
    v->answer = element;
    v->answer_width = x->width;
}

/* Elements stay where the kernel has them. */
OFF_EXIT_PATH static int pio_string(vcpu_kvm *v)
{
    struct kvm_run *run = run_of(v);
    void *data = (char *)run + run->io.data_offset;
    vsdk_exit *x = begin(v, VSDK_EXIT_PIO);

    v->pending = 1;
    x->address = run->io.port;
    x->width = run->io.size;
    x->direction = run->io.direction;
    x->count = run->io.count;
    x->data = (uintptr_t)data;
    if (x->direction == VSDK_DIRECTION_READ)
        memset(data, 0xff, (size_t)x->count * x->width);
    return 1;
}

/* The registers come last, so that the way without them calls nothing. */
OFF_EXIT_PATH static int with_registers(const vcpu_kvm *v)
{
    v->vcpu->exit->flags |= synced(v);
    return 1;
}

/* What comes most often: the record is written in one pass. */
static inline int pio(vcpu_kvm *v)
{
    struct kvm_run *run = run_of(v);
    vsdk_exit *x = v->vcpu->exit;
    void *element = (char *)run + run->io.data_offset;
    uint32_t width = run->io.size;

    if (__builtin_expect(run->io.count != 1, 0))
        return pio_string(v);
    *x = (vsdk_exit){.reason = VSDK_EXIT_PIO,
                     .address = run->io.port,
                     .data = (uintptr_t)&x->value,
                     .count = 1,
                     .width = (uint16_t)width,
                     .direction = run->io.direction};
    v->pending = 1;
    if (run->io.direction == KVM_EXIT_IO_OUT) {
        x->flags |= VSDK_EXIT_REGS_SETTABLE;
        element_copy(&x->value, element, width);
    } else {
        answer_later(v, x, element);
    }
    return __builtin_expect(v->in_run, 0) ? with_registers(v) : 1;
}

static uint32_t part_width(uint32_t left)
{
    uint32_t width = 8;
    while (width > left)
        width /= 2;
    return width;
}

/* An access that crosses a page may have any width up to 8; records have powers of two. */
static int mmio_part(vcpu_kvm *v)
{
    struct kvm_run *run = run_of(v);
    vsdk_exit *x = begin(v, VSDK_EXIT_MMIO);
    x->address = run->mmio.phys_addr + v->mmio_done;
    x->width = part_width(run->mmio.len - v->mmio_done);
    x->direction = run->mmio.is_write ? VSDK_DIRECTION_WRITE : VSDK_DIRECTION_READ;
    x->count = 1;
    x->data = (uintptr_t)&x->value;
    if (x->direction == VSDK_DIRECTION_WRITE)
        element_copy(&x->value, run->mmio.data + v->mmio_done, x->width);
    else
        answer_later(v, x, run->mmio.data + v->mmio_done);
    v->mmio_done += x->width;
    v->unanswered = 1;
    return 1;
}

static int mmio(vcpu_kvm *v)
{
    uint32_t width = run_of(v)->mmio.len;
    v->pending = 1;
    if (!width || width > 8)
        return 0;
    v->mmio_done = 0;
    return mmio_part(v);
}

EXIT_PATH int kvm_exit_answer(vcpu_kvm *v)
{
    const struct kvm_run *run = run_of(v);

    if (v->answer)
        element_copy(v->answer, &v->vcpu->exit->value, v->answer_width);
    v->answer = NULL;
    v->unanswered = 0;
    if (run->exit_reason != KVM_EXIT_MMIO || v->mmio_done >= run->mmio.len)
        return 0;
    return mmio_part(v);
}

static int terminal(vcpu_kvm *v, vsdk_exit_reason reason, uint64_t detail)
{
    begin(v, reason)->detail = detail;
    return 1;
}

static int native(vcpu_kvm *v, vsdk_exit_reason reason, uint64_t detail)
{
    vsdk_exit *x = begin(v, reason);
    x->detail = detail;
    x->native = run_of(v)->exit_reason;
    return 1;
}

static int system_event(vcpu_kvm *v)
{
    uint32_t type = run_of(v)->system_event.type;
    switch (type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        return terminal(v, VSDK_EXIT_POWEROFF, 0);
    case KVM_SYSTEM_EVENT_RESET:
        return terminal(v, VSDK_EXIT_RESET, 0);
    case KVM_SYSTEM_EVENT_CRASH:
        return terminal(v, VSDK_EXIT_CRASH, VSDK_CRASH_PANIC);
    case KVM_SYSTEM_EVENT_SUSPEND:
        return terminal(v, VSDK_EXIT_SUSPEND, 0);
    case KVM_SYSTEM_EVENT_WAKEUP:
        return 0;
    default:
        return native(v, VSDK_EXIT_UNKNOWN, type);
    }
}

OFF_EXIT_PATH static int other(vcpu_kvm *v)
{
    const struct kvm_run *run = run_of(v);
    switch (run->exit_reason) {
    case KVM_EXIT_HLT:
        begin(v, VSDK_EXIT_HALT);
        return 1;
    case KVM_EXIT_SHUTDOWN:
        return terminal(v, VSDK_EXIT_CRASH, VSDK_CRASH_TRIPLE_FAULT);
    case KVM_EXIT_SYSTEM_EVENT:
        return system_event(v);
    case KVM_EXIT_INTERNAL_ERROR:
        return native(v, VSDK_EXIT_INTERNAL_ERROR, run->internal.suberror);
    case KVM_EXIT_FAIL_ENTRY:
        return native(v, VSDK_EXIT_FAIL_ENTRY, run->fail_entry.hardware_entry_failure_reason);
    case KVM_EXIT_MEMORY_FAULT:
        kvm_exit_memory_fault(v);
        return 1;
    case KVM_EXIT_INTR:
    case KVM_EXIT_IOAPIC_EOI:
    case KVM_EXIT_SET_TPR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        return 0;
    default:
        return native(v, VSDK_EXIT_UNKNOWN, run->hw.hardware_exit_reason);
    }
}

EXIT_PATH int kvm_exit_fill(vcpu_kvm *v)
{
    uint32_t reason = run_of(v)->exit_reason;

    if (__builtin_expect(reason == KVM_EXIT_IO, 1))
        return pio(v);
    return reason == KVM_EXIT_MMIO ? mmio(v) : other(v);
}
