/* SPDX-License-Identifier: Apache-2.0 */
/* Registers at a guest's beginning: the general ones are all set; of the special ones those that an
 * entry does not name keep the value that the hypervisor gave them. */
#include "base/error.h"
#include "base/record.h"

#include <stddef.h>
#include <vsdk/boot.h>
#include <vsdk/x86.h>

enum { SELECTOR_CODE = 0x10, SELECTOR_DATA = 0x18, GDT_LIMIT = 31 };
enum {
    ACCESS_CODE_16 = 0x009b,
    ACCESS_DATA_16 = 0x0093,
    ACCESS_CODE_32 = 0xc09b,
    ACCESS_CODE_64 = 0xa09b,
    ACCESS_DATA = 0xc093,
    ACCESS_TSS = 0x008b,
    ACCESS_LDT = 0x0082,
};
enum { CR0_REAL = 0x10, CR0_PROTECTED = 0x11, CR4_LONG = 0x620, EFER_LONG = 0x500 };

static const uint64_t CR0_LONG = 0x80050033;

static void apply_data(vsdk_x86_sregs *s, vsdk_x86_segment segment)
{
    s->ds = s->es = s->fs = s->gs = s->ss = segment;
}

static void apply_real(vsdk_x86_sregs *s, const vsdk_boot_entry *entry)
{
    uint16_t code = (uint16_t)((entry->rip & ~UINT64_C(0xffff)) >> 4);

    s->cs = (vsdk_x86_segment){
        .base = (uint64_t)code << 4, .limit = 0xffff, .selector = code, .access = ACCESS_CODE_16};
    apply_data(s, (vsdk_x86_segment){.limit = 0xffff, .access = ACCESS_DATA_16});
    s->gdt = (vsdk_x86_table){.limit = 0xffff};
    s->idt = (vsdk_x86_table){.limit = 0x3ff};
    s->cr0 = CR0_REAL;
    s->cr3 = s->cr4 = s->efer = 0;
}

static void apply_flat(vsdk_x86_sregs *s, const vsdk_boot_entry *entry)
{
    int wide = entry->mode == VSDK_BOOT_LONG;

    s->cs = (vsdk_x86_segment){.limit = UINT32_MAX,
                               .selector = SELECTOR_CODE,
                               .access = wide ? ACCESS_CODE_64 : ACCESS_CODE_32};
    apply_data(s, (vsdk_x86_segment){
                      .limit = UINT32_MAX, .selector = SELECTOR_DATA, .access = ACCESS_DATA});
    s->gdt = (vsdk_x86_table){.base = entry->gdt, .limit = GDT_LIMIT};
    s->idt = (vsdk_x86_table){.limit = 0};
    s->cr0 = wide ? CR0_LONG : CR0_PROTECTED;
    s->cr3 = wide ? entry->page_table : 0;
    s->cr4 = wide ? CR4_LONG : 0;
    s->efer = wide ? EFER_LONG : 0;
}

static vsdk_x86_regs apply_regs(const vsdk_boot_entry *entry)
{
    return (vsdk_x86_regs){
        .rax = entry->rax,
        .rbx = entry->rbx,
        .rsi = entry->rsi,
        .rdi = entry->rdi,
        .rsp = entry->rsp,
        .rip = entry->mode == VSDK_BOOT_REAL ? entry->rip & 0xffff : entry->rip,
        .rflags = 2,
    };
}

static vsdk_status apply_check(const vsdk_boot_entry *entry, vsdk_boot_entry *copy,
                               vsdk_error *error)
{
    static const char operation[] = "vsdk_boot_apply";
    vsdk_status status = record_read(copy, sizeof *copy, entry, 0, operation, error);

    if (status)
        return status;
    if (copy->reserved[0] || copy->reserved[1])
        return record_later(operation, error);
    if (entry->size < offsetof(vsdk_boot_entry, reserved) || copy->mode > VSDK_BOOT_LONG)
        return error_set(error, VSDK_ERROR_INVALID_ARGUMENT, operation,
                         "the size of entry is too small, or its mode %u is unknown", copy->mode);
    return VSDK_OK;
}

vsdk_status vsdk_boot_apply(vsdk_vcpu *vcpu, const vsdk_boot_entry *entry, vsdk_error *error)
{
    vsdk_boot_entry e;
    vsdk_x86_sregs sregs;
    vsdk_x86_regs regs;
    vsdk_status status;

    if (!vcpu || !entry)
        return error_null(error, __func__, vcpu ? "entry" : "vcpu");
    status = apply_check(entry, &e, error);
    if (!status)
        status = vsdk_vcpu_get_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), error);
    if (status)
        return status;
    if (e.mode == VSDK_BOOT_REAL)
        apply_real(&sregs, &e);
    else
        apply_flat(&sregs, &e);
    sregs.tr = (vsdk_x86_segment){.limit = 0x67, .access = ACCESS_TSS};
    sregs.ldt = (vsdk_x86_segment){.limit = 0xffff, .access = ACCESS_LDT};
    sregs.cr2 = 0;
    regs = apply_regs(&e);
    status = vsdk_vcpu_set_state(vcpu, VSDK_X86_SREGS, &sregs, sizeof(vsdk_x86_sregs), error);
    return status ? status
                  : vsdk_vcpu_set_state(vcpu, VSDK_X86_REGS, &regs, sizeof(vsdk_x86_regs), error);
}
