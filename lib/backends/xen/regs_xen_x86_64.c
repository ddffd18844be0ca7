/* SPDX-License-Identifier: Apache-2.0 */
/* Registers. Until the start they are kept here; then one blob gives them to Xen. Afterwards the
 * general ones are set a processor at a time, and the rest by a blob of all processors, because one
 * takes every processor down that it leaves out. */
#include "backends/xen/xen.h"
#include "base/alloc.h"
#include <errno.h>
#include <string.h>

enum {
    MTRR_ENABLED_WRITE_BACK = 1 << 11 | 6,
    ACCESS_CODE16 = 0x9b,
    ACCESS_DATA16 = 0x93,
    ACCESS_LDT = 0x82,
    ACCESS_TSS = 0x8b
};

#define DR6_RESET 0xffff0ff0ull
#define DR7_RESET 0x400ull
#define APIC_BASE_BOOT 0xfee00900ull
#define APIC_BASE_OTHER 0xfee00800ull

static uint64_t apic_base(const xen_vcpu *vcpu)
{
    return vcpu->vcpu->index ? APIC_BASE_OTHER : APIC_BASE_BOOT;
}

void regs_reset(xen_vcpu *vcpu)
{
    vsdk_x86_segment data = {.limit = 0xffff, .access = ACCESS_DATA16};

    vcpu->regs = (vsdk_x86_regs){.rip = 0xfff0, .rflags = 2, .rdx = 0x600};
    vcpu->sregs = (vsdk_x86_sregs){
        .cs = {.base = 0xffff0000, .limit = 0xffff, .selector = 0xf000, .access = ACCESS_CODE16},
        .ds = data,
        .es = data,
        .fs = data,
        .gs = data,
        .ss = data,
        .tr = {.limit = 0xffff, .access = ACCESS_TSS},
        .ldt = {.limit = 0xffff, .access = ACCESS_LDT},
        .gdt = {.limit = 0xffff},
        .idt = {.limit = 0xffff},
        .cr0 = 0x60000010,
        .apic_base = apic_base(vcpu)};
    fpu_reset(&vcpu->fpu);
}

/* A state of all processors under construction. */
typedef struct blob {
    uint8_t *bytes;
    uint32_t length, room;
} blob;

static void append(blob *b, uint16_t type, uint16_t instance, const void *record, uint32_t length)
{
    const struct hvm_save_descriptor head = {type, instance, length};
    uint8_t *to;

    if (b->room - b->length < sizeof head + length)
        return;
    to = b->bytes + b->length;
    b->length += (uint32_t)sizeof head + length;
    memcpy(to, &head, sizeof head);
    if (length)
        memcpy(to + sizeof head, record, length);
}

/* The record of a kind and instance in a state that Xen gave, or NULL. */
static void *find(const blob *b, uint16_t type, uint16_t instance, uint32_t length)
{
    uint32_t at = 0;

    while (b->length - at >= sizeof(struct hvm_save_descriptor)) {
        struct hvm_save_descriptor head;
        memcpy(&head, b->bytes + at, sizeof head);
        at += (uint32_t)sizeof head;
        if (head.length > b->length - at || head.typecode == 0)
            return NULL;
        if (head.typecode == type && head.instance == instance)
            return head.length == length ? b->bytes + at : NULL;
        at += head.length;
    }
    return NULL;
}

static int blob_read(xen_vm *vm, blob *b)
{
    int size = compat_get_state(vm->host->control, vm->domid, NULL, 0);

    *b = (blob){0};
    if (size < 0)
        return size;
    b->bytes = alloc_zeroed((size_t)size);
    if (!b->bytes)
        return -ENOMEM;
    b->room = (uint32_t)size;
    size = compat_get_state(vm->host->control, vm->domid, b->bytes, b->room);
    b->length = size > 0 ? (uint32_t)size : 0;
    return size;
}

/* An empty state that begins as `from` does. */
static int blob_begin(blob *b, const blob *from)
{
    uint32_t length = sizeof(HVM_SAVE_TYPE(HEADER));
    const void *header = find(from, HVM_SAVE_CODE(HEADER), 0, length);

    *b = (blob){.room = from->room + 4 * XEN_PAGE};
    if (!header)
        return -EPROTO;
    b->bytes = alloc_zeroed(b->room);
    if (!b->bytes)
        return -ENOMEM;
    append(b, HVM_SAVE_CODE(HEADER), 0, header, length);
    return 0;
}

static int blob_write(xen_vm *vm, blob *b)
{
    append(b, HVM_SAVE_CODE(END), 0, NULL, 0);
    return compat_set_state(vm->host->control, vm->domid, b->bytes, b->length);
}

static void append_memory_types(xen_vm *vm, blob *to, const blob *from)
{
    for (uint16_t i = 0; i < vm->vm->config.vcpus_max; i++) {
        HVM_SAVE_TYPE(MTRR) types;
        const void *old = find(from, HVM_SAVE_CODE(MTRR), i, sizeof types);

        if (!old)
            continue;
        memcpy(&types, old, sizeof types);
        types.msr_mtrr_def_type = MTRR_ENABLED_WRITE_BACK;
        append(to, HVM_SAVE_CODE(MTRR), i, &types, sizeof types);
    }
}

static void append_boot_processor(blob *to, const xen_vcpu *vcpu)
{
    HVM_SAVE_TYPE(CPU) record = {.dr6 = DR6_RESET, .dr7 = DR7_RESET};

    record_from_regs(&record, &vcpu->regs);
    record_from_sregs(&record, &vcpu->sregs);
    memcpy(record.fpu_regs, &vcpu->fpu, sizeof record.fpu_regs);
    record.flags = XEN_X86_FPU_INITIALISED;
    append(to, HVM_SAVE_CODE(CPU), 0, &record, sizeof record);
}

/* What a new domain has, as a reset is to give it again. */
static int keep_initial(xen_vm *vm)
{
    blob now;
    int result = blob_read(vm, &now);

    if (result < 0) {
        alloc_free(now.bytes);
        return result;
    }
    vm->initial = now.bytes;
    vm->initial_bytes = now.length;
    return 0;
}

void regs_close(xen_vm *vm)
{
    alloc_free(vm->initial);
    vm->initial = NULL;
}

/* Loading a local APIC whose count is 0 leaves its timer armed: one of the guest's former life
 * would interrupt the new one. A count as long as can be takes the timer's place, and is then
 * overwritten. */
static int put_off_timers(xen_vm *vm, const blob *initial)
{
    enum { INITIAL_COUNT = 0x380, SLOWEST = 128 };
    blob made;
    int result = blob_begin(&made, initial);

    for (uint16_t i = 0; result >= 0 && i < vm->vm->config.vcpus_max; i++) {
        HVM_SAVE_TYPE(LAPIC) timer;
        HVM_SAVE_TYPE(LAPIC_REGS) regs;
        const void *old = find(initial, HVM_SAVE_CODE(LAPIC), i, sizeof timer);
        const void *old_regs = find(initial, HVM_SAVE_CODE(LAPIC_REGS), i, sizeof regs);
        if (!old || !old_regs)
            continue;
        memcpy(&timer, old, sizeof timer);
        memcpy(&regs, old_regs, sizeof regs);
        timer.timer_divisor = SLOWEST;
        memset(regs.data + INITIAL_COUNT, 0xff, sizeof(uint32_t));
        append(&made, HVM_SAVE_CODE(LAPIC), i, &timer, sizeof timer);
        append(&made, HVM_SAVE_CODE(LAPIC_REGS), i, &regs, sizeof regs);
    }
    if (result >= 0)
        result = blob_write(vm, &made);
    alloc_free(made.bytes);
    return result;
}

/* All records but those that are ours. */
static void append_controllers(blob *to, const blob *from)
{
    uint32_t at = 0;

    while (from->length - at >= sizeof(struct hvm_save_descriptor)) {
        struct hvm_save_descriptor head;
        memcpy(&head, from->bytes + at, sizeof head);
        at += (uint32_t)sizeof head;
        if (head.length > from->length - at || head.typecode == 0)
            return;
        if (head.typecode != HVM_SAVE_CODE(HEADER) && head.typecode != HVM_SAVE_CODE(CPU) &&
            head.typecode != HVM_SAVE_CODE(MTRR))
            append(to, head.typecode, head.instance, from->bytes + at, head.length);
        at += head.length;
    }
}

/* Xen keeps what a processor had when it went down: it is to look as if it never was up. */
static int forget_processors(xen_vm *vm)
{
    int result = 0;

    for (uint32_t i = 1; result >= 0 && i < vm->vm->config.vcpus_max; i++) {
        if (vm->vcpus[i])
            result = compat_set_general(vm->host->control, vm->domid, i, &vm->vcpus[i]->regs, 0);
        if (result == -ENODATA)
            result = 0;
    }
    return result;
}

vsdk_status regs_start(xen_vm *vm, vsdk_error *error)
{
    int first = !vm->initial;
    blob initial, made = {0};
    int result = first ? keep_initial(vm) : 0;

    initial = (blob){vm->initial, vm->initial_bytes, vm->initial_bytes};
    if (result >= 0 && !first)
        result = put_off_timers(vm, &initial);
    if (result >= 0)
        result = blob_begin(&made, &initial);
    if (result >= 0) {
        if (!first)
            append_controllers(&made, &initial);
        append_memory_types(vm, &made, &initial);
        if (vm->vcpus[0])
            append_boot_processor(&made, vm->vcpus[0]);
        result = blob_write(vm, &made);
    }
    alloc_free(made.bytes);
    if (result >= 0 && !first)
        result = forget_processors(vm);
    if (result < 0)
        return xen_refused(error, result, "XEN_DOMCTL_sethvmcontext",
                           "Xen refused the initial registers");
    return VSDK_OK;
}

static vsdk_status unreadable(vsdk_error *error, int failure)
{
    return xen_refused(error, failure, "XEN_DOMCTL_getvcpucontext", "the registers can't be read");
}

vsdk_status xen_vcpu_get_regs(backend_vcpu *vcpu, vsdk_x86_regs *regs, vsdk_error *error)
{
    xen_vcpu *made = xen_vcpu_of(vcpu);
    compat_general general;
    int result;

    if (!made->vm->started) {
        *regs = made->regs;
        return VSDK_OK;
    }
    result = compat_get_general(made->vm->host->control, made->vm->domid, vcpu->index, &general);
    if (result < 0 && result != -ENODATA)
        return unreadable(error, result);
    *regs = result < 0 ? made->regs : general.regs;
    return VSDK_OK;
}

/* Xen executes the instruction of such an access again after the answer, and crashes the guest if
 * it has become another. */
static int is_fragile(const xen_vcpu *vcpu)
{
    if (vcpu->access.pending)
        return vcpu->access.indirect || vcpu->access.read || vcpu->access.type != IOREQ_TYPE_PIO;
    return exit_waiting(vcpu) && (vcpu->request->data_is_ptr || vcpu->request->dir == IOREQ_READ ||
                                  vcpu->request->type != IOREQ_TYPE_PIO);
}

static vsdk_status unfinished(vsdk_error *error)
{
    vsdk_status status = error_set(error, VSDK_ERROR_STATE, "vsdk_vcpu_set_state",
                                   "the processor stands in the middle of an access");

    return error_hint(error, status, "resume, answer the exit that run returns, and pause again");
}

vsdk_status xen_vcpu_set_regs(backend_vcpu *vcpu, const vsdk_x86_regs *regs, vsdk_error *error)
{
    xen_vcpu *made = xen_vcpu_of(vcpu);
    xen_control *control = made->vm->host->control;
    vsdk_x86_regs wanted = *regs;
    compat_general general;
    int result;

    wanted.rflags |= 2;
    if (!made->vm->started) {
        made->regs = wanted;
        return VSDK_OK;
    }
    if (is_fragile(made))
        return unfinished(error);
    result = compat_get_general(control, made->vm->domid, vcpu->index, &general);
    if (result == -ENODATA)
        return error_set(error, VSDK_ERROR_STATE, "vsdk_vcpu_set_state",
                         "the processor has not been started");
    if (result < 0)
        return unreadable(error, result);
    if (made->access.pending && wanted.rip != general.regs.rip)
        return error_hint(
            error,
            error_set(
                error, VSDK_ERROR_STATE, "vsdk_vcpu_set_state",
                "rip is %#llx and can't become %#llx while vCPU %u's last access is unfinished",
                (unsigned long long)general.regs.rip, (unsigned long long)wanted.rip, vcpu->index),
            "finish the access by vsdk_vm_pause with VSDK_PAUSE_SETTLE, then set rip");
    result = compat_set_general(control, made->vm->domid, vcpu->index, &wanted, 1);
    if (result < 0)
        return xen_refused(error, result, "XEN_DOMCTL_setvcpucontext", "Xen refused the registers");
    return VSDK_OK;
}

/* Of a processor that is down Xen tells no more than this; of one that never was up, nothing. */
static vsdk_status get_down(xen_vcpu *vcpu, vsdk_x86_sregs *sregs, vsdk_error *error)
{
    compat_general general;
    int result =
        compat_get_general(vcpu->vm->host->control, vcpu->vm->domid, vcpu->vcpu->index, &general);

    if (result < 0 && result != -ENODATA)
        return unreadable(error, result);
    *sregs = vcpu->sregs;
    if (result < 0)
        return VSDK_OK;
    *sregs = (vsdk_x86_sregs){.cr0 = general.cr0,
                              .cr2 = general.cr2,
                              .cr3 = general.cr3,
                              .cr4 = general.cr4,
                              .apic_base = apic_base(vcpu)};
    return VSDK_OK;
}

vsdk_status xen_vcpu_get_sregs(backend_vcpu *vcpu, vsdk_x86_sregs *sregs, vsdk_error *error)
{
    xen_vcpu *made = xen_vcpu_of(vcpu);
    HVM_SAVE_TYPE(CPU) record;
    int result;

    if (!made->vm->started) {
        *sregs = made->sregs;
        return VSDK_OK;
    }
    result = compat_get_cpu(made->vm->host->control, made->vm->domid, vcpu->index, &record);
    if (result == -ENODATA)
        return get_down(made, sregs, error);
    if (result < 0)
        return unreadable(error, result);
    *sregs = (vsdk_x86_sregs){.apic_base = apic_base(made)};
    record_to_sregs(sregs, &record);
    return VSDK_OK;
}

/* All processors as they are in `old`, but one; with `sregs` NULL that one too. */
static int set_all(xen_vcpu *vcpu, const blob *old, const vsdk_x86_sregs *sregs)
{
    xen_vm *vm = vcpu->vm;
    blob made;
    int result = blob_begin(&made, old);

    for (uint16_t i = 0; result >= 0 && i < vm->vm->config.vcpus_max; i++) {
        const void *found = find(old, HVM_SAVE_CODE(CPU), i, sizeof(HVM_SAVE_TYPE(CPU)));
        HVM_SAVE_TYPE(CPU) record;
        if (!found && i == vcpu->vcpu->index)
            result = -ENODATA;
        if (!found)
            continue;
        memcpy(&record, found, sizeof record);
        if (sregs && i == vcpu->vcpu->index)
            record_from_sregs(&record, sregs);
        append(&made, HVM_SAVE_CODE(CPU), i, &record, sizeof record);
    }
    if (result >= 0)
        result = blob_write(vm, &made);
    alloc_free(made.bytes);
    return result;
}

/* Xen takes every processor down before it looks at the values: where it refuses them, the old ones
 * bring the processors up again. Time in the guest stands still between the calls. */
static int set_one(xen_vcpu *vcpu, const vsdk_x86_sregs *sregs)
{
    blob old;
    int result = blob_read(vcpu->vm, &old);

    if (result >= 0)
        result = set_all(vcpu, &old, sregs);
    if (result < 0 && result != -ENODATA && old.bytes)
        set_all(vcpu, &old, NULL);
    alloc_free(old.bytes);
    return result;
}

vsdk_status xen_vcpu_set_sregs(backend_vcpu *vcpu, const vsdk_x86_sregs *sregs, vsdk_error *error)
{
    xen_vcpu *made = xen_vcpu_of(vcpu);
    int result;

    if (!made->vm->started) {
        made->sregs = *sregs;
        made->sregs.apic_base = apic_base(made);
        return VSDK_OK;
    }
    if (made->access.pending || exit_waiting(made))
        return unfinished(error);
    result = set_one(made, sregs);
    if (result == -ENODATA)
        return error_set(error, VSDK_ERROR_STATE, "vsdk_vcpu_set_state",
                         "the processor is down: on Xen only INIT and SIPI start it");
    if (result == -EINVAL)
        return error_set_errno(error, VSDK_ERROR_INVALID_ARGUMENT, EINVAL,
                               "XEN_DOMCTL_sethvmcontext", "Xen refused the values");
    if (result < 0)
        return xen_refused(error, result, "XEN_DOMCTL_sethvmcontext", "Xen refused the registers");
    return VSDK_OK;
}
