/* SPDX-License-Identifier: Apache-2.0 */
/* Reset: the vCPUs and the kernel's controllers become what they were when they were created.
 *
 * The kernel has no request for that, and what a new vCPU holds depends on the processor, the
 * kernel, CPUID and the controllers. So it is read from a vCPU that is new: the first reset makes a
 * second virtual machine of the same kind, with the boot processor and one other, keeps what is in
 * them and closes it. Reading the machine's own vCPUs when they are made would cost each of them a
 * dozen requests that most never need. */
#include "backends/kvm/objects_kvm.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/topology_x86_64.h"
#include <errno.h>
#include <string.h>

enum {
    MSRS_MOST = 1024,
    MSR_TSC = 0x10,
    LAPIC_ID = 0x20, /* offset of the register; the id is in its top byte */
    NESTED_HEADER = 128,
    CHIPS = 3
};

/* struct kvm_msrs with its room. */
typedef struct msr_list {
    uint32_t count, padding;
    struct kvm_msr_entry entries[MSRS_MOST];
} msr_list;

_Static_assert(offsetof(msr_list, entries) == sizeof(struct kvm_msrs), "struct kvm_msrs");
_Static_assert(sizeof(struct kvm_nested_state) == NESTED_HEADER, "struct kvm_nested_state");

typedef struct vcpu_image {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_xcrs xcrs;
    struct kvm_fpu fpu; /* where there is no extended state */
    void *xsave;
    struct kvm_lapic_state lapic;
    struct kvm_mp_state mp_state;
    struct kvm_vcpu_events events;
    struct kvm_debugregs debug;
    struct kvm_nested_state nested;
    msr_list msrs;
    /* What it was read with, and so is written with. */
    uint32_t has_nested, has_xcrs, xsave_bytes;
} vcpu_image;

struct reset_kvm {
    vcpu_image vcpu[2]; /* the boot processor, any other */
    struct kvm_irqchip chip[CHIPS];
    struct kvm_pit_state2 pit;
};

/* A request that an image is read or written by. */
typedef struct transfer {
    unsigned long get, set;
    size_t offset;
    const char *name;
} transfer;

/* Those that KVM has everywhere, in the order in which they are written: control registers decide
 * what the next ones may hold. */
#define ITEM(get, set, field)                                                                      \
    {                                                                                              \
        get, set, offsetof(vcpu_image, field), #set                                                \
    }
static const transfer general[] = {ITEM(KVM_GET_SREGS, KVM_SET_SREGS, sregs),
                                   ITEM(KVM_GET_REGS, KVM_SET_REGS, regs)};
static const transfer last[] = {ITEM(KVM_GET_MP_STATE, KVM_SET_MP_STATE, mp_state),
                                ITEM(KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, events),
                                ITEM(KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, debug)};
static const transfer of_xcrs = ITEM(KVM_GET_XCRS, KVM_SET_XCRS, xcrs);
static const transfer of_fpu = ITEM(KVM_GET_FPU, KVM_SET_FPU, fpu);
static const transfer of_lapic = ITEM(KVM_GET_LAPIC, KVM_SET_LAPIC, lapic);
static const transfer of_nested = ITEM(KVM_GET_NESTED_STATE, KVM_SET_NESTED_STATE, nested);

static vsdk_status request_failed(int result, const char *name, vsdk_error *error)
{
    return kvm_error(error, result, name, "the virtual machine can't be reset");
}

static vsdk_status move(int fd, vcpu_image *image, const transfer *t, int write, vsdk_error *error)
{
    int r = sys_ioctl_retry(fd, write ? t->set : t->get, (uintptr_t)image + t->offset);
    return r < 0 ? request_failed(r, t->name, error) : VSDK_OK;
}

static vsdk_status move_all(int fd, vcpu_image *image, const transfer *t, size_t count, int write,
                            vsdk_error *error)
{
    vsdk_status status = VSDK_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = move(fd, image, &t[i], write, error);
    return status;
}

static vsdk_status move_extended(int fd, vcpu_image *image, int write, vsdk_error *error)
{
    if (!image->xsave_bytes)
        return move(fd, image, &of_fpu, write, error);
    int large = image->xsave_bytes > sizeof(struct kvm_xsave);
    unsigned long get = large ? KVM_GET_XSAVE2 : KVM_GET_XSAVE;
    int r = sys_ioctl_retry(fd, write ? KVM_SET_XSAVE : get, (uintptr_t)image->xsave);
    return r < 0 ? request_failed(r, "KVM_SET_XSAVE", error) : VSDK_OK;
}

/* MSRs that the list of the kernel leaves out. */
static const struct {
    uint32_t first, count;
} unlisted[] = {{0x200, 16}, {0x250, 1}, {0x258, 2}, {0x268, 8}, {0x2ff, 1}, {0x400, 4}};

static vsdk_status list_msrs(const host_kvm *h, msr_list *msrs, vsdk_error *error)
{
    struct {
        uint32_t count;
        uint32_t indices[MSRS_MOST];
    } list = {.count = MSRS_MOST - 64};
    int r = sys_ioctl_retry(h->fd, KVM_GET_MSR_INDEX_LIST, (uintptr_t)&list);
    if (r < 0)
        return request_failed(r, "KVM_GET_MSR_INDEX_LIST", error);
    for (uint32_t i = 0; i < list.count; i++)
        msrs->entries[msrs->count++].index = list.indices[i];
    for (size_t i = 0; i < sizeof unlisted / sizeof *unlisted; i++)
        for (uint32_t j = 0; j < unlisted[i].count; j++)
            msrs->entries[msrs->count++].index = unlisted[i].first + j;
    return VSDK_OK;
}

/* The kernel stops at the first MSR that it does not take, and says how many it took before. Those
 * that can't be read are left out of the image; those that can't be written, such as what tells the
 * processor's abilities, have no other value. */
static vsdk_status move_msrs(int fd, msr_list *msrs, int write, vsdk_error *error)
{
    msr_list *part = alloc_zeroed(sizeof *part);
    uint32_t kept = 0;
    vsdk_status status = VSDK_OK;
    if (!part)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vm_reset", "no memory for MSRs");
    for (uint32_t done = 0; done < msrs->count && !status;) {
        part->count = msrs->count - done;
        memcpy(part->entries, &msrs->entries[done], part->count * sizeof *part->entries);
        int r = sys_ioctl_retry(fd, write ? KVM_SET_MSRS : KVM_GET_MSRS, (uintptr_t)part);
        if (r < 0) {
            status = request_failed(r, write ? "KVM_SET_MSRS" : "KVM_GET_MSRS", error);
        } else if (!write) {
            memmove(&msrs->entries[kept], part->entries, (size_t)r * sizeof *part->entries);
            kept += r;
        }
        done += r + 1;
    }
    if (!write)
        msrs->count = kept;
    alloc_free(part);
    return status;
}

/* The kernel takes 0 for "as the other processors have it", and the time stamps would go on. */
static void begin_time(msr_list *msrs)
{
    for (uint32_t i = 0; i < msrs->count; i++)
        if (msrs->entries[i].index == MSR_TSC)
            msrs->entries[i].data = 1;
}

static vsdk_status read_image(const backend_vm *vm, int fd, vcpu_image *image, vsdk_error *error)
{
    host_kvm *h = kvm_host_of(vm);
    image->has_nested = kvm_has(h, KVM_ASK_NESTED);
    image->has_xcrs = kvm_has(h, KVM_ASK_XCRS);
    image->xsave_bytes = kvm_xsave_bytes(h);
    image->nested.size = NESTED_HEADER;
    image->xsave = alloc_zeroed(image->xsave_bytes + 1);
    if (!image->xsave)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vm_reset",
                         "no memory for extended state");
    vsdk_status status = move_all(fd, image, general, 2, 0, error);
    if (!status && image->has_nested)
        status = move(fd, image, &of_nested, 0, error);
    if (!status && image->has_xcrs)
        status = move(fd, image, &of_xcrs, 0, error);
    if (!status)
        status = move_extended(fd, image, 0, error);
    if (!status)
        status = list_msrs(h, &image->msrs, error);
    if (!status)
        status = move_msrs(fd, &image->msrs, 0, error);
    if (!status && kvm_has_lapic(vm))
        status = move(fd, image, &of_lapic, 0, error);
    begin_time(&image->msrs);
    return status ? status : move_all(fd, image, last, 3, 0, error);
}

static vsdk_status write_image(const backend_vm *vm, int fd, vcpu_image *image, vsdk_error *error)
{
    struct kvm_mp_state now;
    /* Takes an INIT or SIPI that is pending, so that it does not come after the reset. */
    int r = sys_ioctl_retry(fd, KVM_GET_MP_STATE, (uintptr_t)&now);
    if (r < 0)
        return request_failed(r, "KVM_GET_MP_STATE", error);
    vsdk_status status = image->has_nested ? move(fd, image, &of_nested, 1, error) : VSDK_OK;
    if (!status)
        status = move_all(fd, image, general, 2, 1, error);
    if (!status && image->has_xcrs)
        status = move(fd, image, &of_xcrs, 1, error);
    if (!status)
        status = move_extended(fd, image, 1, error);
    if (!status)
        status = move_msrs(fd, &image->msrs, 1, error);
    if (!status && kvm_has_lapic(vm))
        status = move(fd, image, &of_lapic, 1, error);
    return status ? status : move_all(fd, image, last, 3, 1, error);
}

static vsdk_status move_chips(int fd, struct reset_kvm *reset, int write, vsdk_error *error)
{
    for (uint32_t i = 0; i < CHIPS; i++) {
        reset->chip[i].chip_id = i;
        int r = sys_ioctl_retry(fd, write ? KVM_SET_IRQCHIP : KVM_GET_IRQCHIP,
                                (uintptr_t)&reset->chip[i]);
        if (r < 0)
            return request_failed(r, "KVM_SET_IRQCHIP", error);
    }
    int r = sys_ioctl_retry(fd, write ? KVM_SET_PIT2 : KVM_GET_PIT2, (uintptr_t)&reset->pit);
    return r < 0 ? request_failed(r, "KVM_SET_PIT2", error) : VSDK_OK;
}

/* From a new vCPU of the machine's kind with this index. */
static vsdk_status read_new_vcpu(backend_vm *vm, int fd, uint32_t index, vcpu_image *image,
                                 vsdk_error *error)
{
    backend_vcpu vcpu = {.vm = vm, .index = index};
    int v = sys_ioctl_retry(fd, KVM_CREATE_VCPU, topology_apic_id(index));
    if (v >= 0)
        v = sys_high(v);
    if (v < 0)
        return kvm_error(error, v, "KVM_CREATE_VCPU", "a vCPU to reset by can't be created");
    vsdk_status status = kvm_vcpu_set_up(&vcpu, v, error);
    if (!status)
        status = read_image(vm, v, image, error);
    sys_close(v);
    return status;
}

void kvm_reset_free(struct reset_kvm *reset)
{
    if (!reset)
        return;
    alloc_free(reset->vcpu[0].xsave);
    alloc_free(reset->vcpu[1].xsave);
    alloc_free(reset);
}

static vsdk_status read_new_machine(backend_vm *vm, struct reset_kvm **reset, vsdk_error *error)
{
    struct reset_kvm *made = alloc_zeroed(sizeof *made);
    int fd = -1;
    if (!made)
        return error_set(error, VSDK_ERROR_NO_MEMORY, "vsdk_vm_reset", "no memory for the reset");
    vsdk_status status = kvm_vm_open(vm, &fd, error);
    if (!status)
        status = read_new_vcpu(vm, fd, 0, &made->vcpu[0], error);
    if (!status && vm->config.vcpus_max > 1)
        status = read_new_vcpu(vm, fd, 1, &made->vcpu[1], error);
    if (!status && vm->config.irqchip == VSDK_IRQCHIP_KERNEL)
        status = move_chips(fd, made, 0, error);
    sys_close(fd);
    if (!status)
        *reset = made;
    else
        kvm_reset_free(made);
    return status;
}

static void set_apic_id(struct kvm_lapic_state *lapic, uint32_t index)
{
    uint32_t id = topology_apic_id(index) << 24;
    memcpy(&lapic->regs[LAPIC_ID], &id, sizeof id);
}

static vsdk_status reset_vcpu(backend_vcpu *vcpu, struct reset_kvm *reset, vsdk_error *error)
{
    vcpu_kvm *v = vcpu->data;
    vcpu_image *image = &reset->vcpu[vcpu->index != 0];
    set_apic_id(&image->lapic, vcpu->index);
    vsdk_status status = kvm_vcpu_forget(v, error);
    return status ? status : write_image(vcpu->vm, v->fd, image, error);
}

vsdk_status kvm_vm_reset(backend_vm *vm, vsdk_error *error)
{
    vm_kvm *k = vm->data;
    vsdk_status status = k->reset ? VSDK_OK : read_new_machine(vm, &k->reset, error);
    if (!status && vm->config.irqchip == VSDK_IRQCHIP_KERNEL)
        status = move_chips(k->fd, k->reset, 1, error);
    for (uint32_t i = 0; i < vm->config.vcpus_max && !status; i++)
        if (vm->vcpus[i])
            status = reset_vcpu(vm->vcpus[i], k->reset, error);
    return status;
}
