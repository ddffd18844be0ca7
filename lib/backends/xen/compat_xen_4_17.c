/* SPDX-License-Identifier: Apache-2.0 */
/* Xen 4.17. Whatever changes from one release of Xen's toolstack to the next is in this file: what
 * it returns is 0 or a count, or -errno, and nothing of the libraries' own leaves it. */
#include "backends/xen/compat.h"
#include "base/alloc.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <xen/domctl.h>
#include <xen/hvm/dm_op.h>
#include <xen/memory.h>
#include <xen/version.h>
#include <xencall.h>
#include <xenctrl.h>
#include <xenguest.h>

struct xen_control {
    xc_interface *xc;
    xencall_handle *call;
};

static int answer(int result)
{
    return result < 0 ? -(errno ? errno : EIO) : result;
}

int compat_open(xentoollog_logger *logger, xen_control **control)
{
    xen_control *made = alloc_zeroed(sizeof *made);

    *control = NULL;
    if (!made)
        return -ENOMEM;
    made->xc = xc_interface_open(logger, logger, 0);
    if (made->xc)
        made->call = xencall_open(logger, 0);
    if (!made->call) {
        int failure = answer(-1);
        compat_close(made);
        return failure;
    }
    *control = made;
    return 0;
}

void compat_close(xen_control *control)
{
    if (!control)
        return;
    if (control->call)
        xencall_close(control->call);
    if (control->xc)
        xc_interface_close(control->xc);
    alloc_free(control);
}

int compat_version(xen_control *control, uint32_t *major, uint32_t *minor)
{
    int version = xc_version(control->xc, XENVER_version, NULL);

    if (version < 0)
        return answer(version);
    *major = (uint32_t)version >> 16;
    *minor = (uint32_t)version & 0xffff;
    return 0;
}

int compat_free_memory(xen_control *control, uint64_t *bytes)
{
    xc_physinfo_t info = {0};
    int result = xc_physinfo(control->xc, &info);

    if (result < 0)
        return answer(result);
    /* Outstanding ones are promised to domains that are being built. */
    *bytes = info.free_pages > info.outstanding_pages
                 ? (info.free_pages - info.outstanding_pages) << 12
                 : 0;
    return 0;
}

int compat_abilities(xen_control *control, int *hvm, int *hap)
{
    xc_physinfo_t info = {0};
    int result = xc_physinfo(control->xc, &info);

    *hvm = !!(info.capabilities & XEN_SYSCTL_PHYSCAP_hvm);
    *hap = !!(info.capabilities & XEN_SYSCTL_PHYSCAP_hap);
    return answer(result);
}

static void describe(compat_domain *domain, const xc_domaininfo_t *info)
{
    domain->domid = info->domain;
    domain->pages = info->tot_pages;
    memcpy(domain->handle, info->handle, sizeof domain->handle);
    domain->ended = COMPAT_ALIVE;
    if (info->flags & XEN_DOMINF_dying)
        domain->ended = COMPAT_DYING;
    else if (info->flags & XEN_DOMINF_shutdown)
        domain->ended =
            (int32_t)(info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask);
}

int compat_domains(xen_control *control, uint32_t first, uint32_t count, compat_domain *domains)
{
    xc_domaininfo_t list[32];
    int found;

    if (count > 32)
        count = 32;
    found = xc_domain_getinfolist(control->xc, first, count, list);
    for (int i = 0; i < found; i++)
        describe(&domains[i], &list[i]);
    return answer(found);
}

int compat_domain_get(xen_control *control, uint32_t domid, compat_domain *domain)
{
    int found = compat_domains(control, domid, 1, domain);

    if (found < 0)
        return found;
    return found == 1 && domain->domid == domid ? 0 : -ESRCH;
}

int compat_create(xen_control *control, const compat_request *request, uint32_t *domid)
{
    struct xen_domctl_createdomain config = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = request->vcpus,
        .max_evtchn_port = COMPAT_LAST_PORT,
        .max_grant_frames = 32,
        .grant_opts = XEN_DOMCTL_GRANT_version(1),
        .arch.emulation_flags =
            request->full_emulation ? XEN_X86_EMU_ALL & ~XEN_X86_EMU_VPCI : XEN_X86_EMU_LAPIC,
    };
    int result;

    memcpy(config.handle, request->handle, sizeof config.handle);
    *domid = 0;
    result = xc_domain_create(control->xc, domid, &config);
    if (result < 0)
        return answer(result);
    result = xc_domain_max_vcpus(control->xc, *domid, request->vcpus);
    if (result < 0) {
        result = answer(result);
        xc_domain_destroy(control->xc, *domid);
        return result;
    }
    return 0;
}

int compat_destroy(xen_control *control, uint32_t domid)
{
    return answer(xc_domain_destroy(control->xc, domid));
}

int compat_pause(xen_control *control, uint32_t domid)
{
    return answer(xc_domain_pause(control->xc, domid));
}

int compat_unpause(xen_control *control, uint32_t domid)
{
    return answer(xc_domain_unpause(control->xc, domid));
}

int compat_shutdown(xen_control *control, uint32_t domid, uint32_t code)
{
    return answer(xc_domain_shutdown(control->xc, domid, (int)code));
}

int compat_resume(xen_control *control, uint32_t domid)
{
    return answer(xc_domain_resume(control->xc, domid, 0));
}

int compat_soft_reset(xen_control *control, uint32_t domid)
{
    return answer(xc_domain_soft_reset(control->xc, domid));
}

int compat_all_down(xen_control *control, uint32_t domid, uint32_t vcpus)
{
    for (uint32_t i = 0; i < vcpus; i++) {
        xc_vcpuinfo_t info;
        int result = xc_vcpu_getinfo(control->xc, domid, i, &info);
        if (result < 0)
            return answer(result);
        if (info.online)
            return 0;
    }
    return 1;
}

int compat_make_port(xen_control *control, uint32_t domid)
{
    return answer(xc_evtchn_alloc_unbound(control->xc, domid, DOMID_SELF));
}

int compat_set_param(xen_control *control, uint32_t domid, uint32_t param, uint64_t value)
{
    return answer(xc_hvm_param_set(control->xc, domid, param, value));
}

int compat_never_emulate_tsc(xen_control *control, uint32_t domid)
{
    return answer(xc_domain_set_tsc_info(control->xc, domid, 2, 0, 0, 0));
}

/* The stable library has no function for a range of devices, one at a time would be 65,536 calls,
 * and Xen keeps neighbours as one range. */
int compat_claim_config(xen_control *control, uint32_t domid, uint16_t server)
{
    struct xen_dm_op *request = xencall_alloc_buffer(control->call, sizeof *request);
    struct xen_dm_op_buf *list = xencall_alloc_buffer(control->call, sizeof *list);
    int result = -ENOMEM;

    if (!request || !list)
        goto out;
    *request = (struct xen_dm_op){.op = XEN_DMOP_map_io_range_to_ioreq_server};
    request->u.map_io_range_to_ioreq_server = (struct xen_dm_op_ioreq_server_range){
        .id = server, .type = XEN_DMOP_IO_RANGE_PCI, .end = 0xffff};
    list->h.p = request;
    list->size = sizeof *request;
    result =
        answer(xencall3(control->call, __HYPERVISOR_dm_op, domid, 1, (uint64_t)(uintptr_t)list));
out:
    xencall_free_buffer(control->call, list);
    xencall_free_buffer(control->call, request);
    return result;
}

int compat_set_memory_limit(xen_control *control, uint32_t domid, uint64_t bytes)
{
    return answer(xc_domain_setmaxmem(control->xc, domid, bytes >> 10));
}

int compat_set_paging_pool(xen_control *control, uint32_t domid, uint64_t bytes)
{
    return answer(xc_set_paging_mempool_size(control->xc, domid, bytes));
}

int compat_populate(xen_control *control, uint32_t domid, uint64_t *frames, uint32_t count,
                    uint32_t order)
{
    return answer(xc_domain_populate_physmap(control->xc, domid, count, order, 0, frames));
}

int compat_depopulate(xen_control *control, uint32_t domid, uint64_t *frames, uint32_t count,
                      uint32_t order)
{
    return answer(xc_domain_decrease_reservation(control->xc, domid, count, order, frames));
}

int compat_get_state(xen_control *control, uint32_t domid, uint8_t *state, uint32_t size)
{
    return answer(xc_domain_hvm_getcontext(control->xc, domid, state, size));
}

int compat_set_state(xen_control *control, uint32_t domid, uint8_t *state, uint32_t size)
{
    return answer(xc_domain_hvm_setcontext(control->xc, domid, state, size));
}

int compat_get_cpu(xen_control *control, uint32_t domid, uint32_t vcpu, HVM_SAVE_TYPE(CPU) * record)
{
    return answer(xc_domain_hvm_getcontext_partial(control->xc, domid, HVM_SAVE_CODE(CPU),
                                                   (uint16_t)vcpu, record, sizeof *record));
}

static void general_from(vsdk_x86_regs *to, const cpu_user_regs_x86_64_t *from)
{
    *to = (vsdk_x86_regs){
        .rax = from->rax,
        .rbx = from->rbx,
        .rcx = from->rcx,
        .rdx = from->rdx,
        .rsi = from->rsi,
        .rdi = from->rdi,
        .rsp = from->rsp,
        .rbp = from->rbp,
        .r8 = from->r8,
        .r9 = from->r9,
        .r10 = from->r10,
        .r11 = from->r11,
        .r12 = from->r12,
        .r13 = from->r13,
        .r14 = from->r14,
        .r15 = from->r15,
        .rip = from->rip,
        .rflags = from->rflags,
    };
}

static void general_to(cpu_user_regs_x86_64_t *to, const vsdk_x86_regs *from)
{
    to->rax = from->rax, to->rbx = from->rbx, to->rcx = from->rcx, to->rdx = from->rdx;
    to->rsi = from->rsi, to->rdi = from->rdi, to->rsp = from->rsp, to->rbp = from->rbp;
    to->r8 = from->r8, to->r9 = from->r9, to->r10 = from->r10, to->r11 = from->r11;
    to->r12 = from->r12, to->r13 = from->r13, to->r14 = from->r14, to->r15 = from->r15;
    to->rip = from->rip, to->rflags = from->rflags;
}

int compat_get_general(xen_control *control, uint32_t domid, uint32_t vcpu, compat_general *general)
{
    vcpu_guest_context_any_t context;
    int result = xc_vcpu_getcontext(control->xc, domid, vcpu, &context);

    if (result < 0)
        return answer(result);
    general_from(&general->regs, &context.x64.user_regs);
    general->cr0 = context.x64.ctrlreg[0];
    general->cr2 = context.x64.ctrlreg[2];
    general->cr3 = context.x64.ctrlreg[3];
    general->cr4 = context.x64.ctrlreg[4];
    general->online = !!(context.x64.flags & VGCF_online);
    return 0;
}

/* Setting a context replaces the floating-point state by its FXSAVE part: what is above is put
 * back. */
static int set_context(xen_control *control, uint32_t domid, uint32_t vcpu,
                       vcpu_guest_context_any_t *context)
{
    enum { MOST = 16384 };
    uint8_t *extended = alloc_zeroed(MOST);
    int size, result;

    if (!extended)
        return -ENOMEM;
    size = compat_get_extended(control, domid, vcpu, extended, MOST);
    result = size;
    if (result >= 0)
        result = answer(xc_vcpu_setcontext(control->xc, domid, vcpu, context));
    if (result >= 0 && size > 0)
        result = compat_set_extended(control, domid, vcpu, extended, (uint32_t)size);
    alloc_free(extended);
    return result;
}

int compat_set_general(xen_control *control, uint32_t domid, uint32_t vcpu,
                       const vsdk_x86_regs *regs, int online)
{
    vcpu_guest_context_any_t context;
    int result = answer(xc_vcpu_getcontext(control->xc, domid, vcpu, &context));

    if (result < 0)
        return result;
    general_to(&context.x64.user_regs, regs);
    context.x64.flags &= ~(unsigned long)VGCF_online;
    if (online)
        context.x64.flags |= VGCF_online;
    return set_context(control, domid, vcpu, &context);
}

int compat_get_legacy(xen_control *control, uint32_t domid, uint32_t vcpu, uint8_t state[512])
{
    vcpu_guest_context_any_t context;
    int result = answer(xc_vcpu_getcontext(control->xc, domid, vcpu, &context));

    if (result < 0)
        return result;
    memcpy(state, &context.x64.fpu_ctxt, 512);
    return !!(context.x64.flags & VGCF_i387_valid);
}

int compat_set_legacy(xen_control *control, uint32_t domid, uint32_t vcpu, const uint8_t state[512])
{
    vcpu_guest_context_any_t context;
    int result = answer(xc_vcpu_getcontext(control->xc, domid, vcpu, &context));

    if (result < 0)
        return result;
    memcpy(&context.x64.fpu_ctxt, state, 512);
    context.x64.flags |= VGCF_i387_valid;
    return answer(xc_vcpu_setcontext(control->xc, domid, vcpu, &context));
}

static int domctl(xen_control *control, struct xen_domctl *request)
{
    struct xen_domctl *buffer = xencall_alloc_buffer(control->call, sizeof *buffer);
    int result;

    if (!buffer)
        return -ENOMEM;
    request->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    *buffer = *request;
    result = answer(xencall1(control->call, __HYPERVISOR_domctl, (unsigned long)buffer));
    *request = *buffer;
    xencall_free_buffer(control->call, buffer);
    return result;
}

int compat_missing(xen_control *control, uint32_t domid, uint64_t first, uint32_t count,
                   uint8_t *missing)
{
    struct xen_domctl request = {.cmd = XEN_DOMCTL_getpageframeinfo3, .domain = (domid_t)domid};
    uint64_t *frames = xencall_alloc_buffer(control->call, count * sizeof *frames);
    int result;

    if (!frames)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        frames[i] = first + i;
    request.u.getpageframeinfo3.num = count;
    request.u.getpageframeinfo3.array.p = frames;
    result = domctl(control, &request);
    for (uint32_t i = 0; result >= 0 && i < count; i++)
        missing[i] = (frames[i] & XEN_DOMCTL_PFINFO_LTAB_MASK) == XEN_DOMCTL_PFINFO_XTAB;
    xencall_free_buffer(control->call, frames);
    return result;
}

static int extended_call(xen_control *control, struct xen_domctl *request, uint32_t command,
                         void *buffer)
{
    request->cmd = command;
    request->u.vcpuextstate.buffer.p = buffer;
    return domctl(control, request);
}

static struct xen_domctl extended_request(uint32_t domid, uint32_t vcpu, uint32_t size)
{
    struct xen_domctl request = {.domain = (domid_t)domid};

    request.u.vcpuextstate.vcpu = vcpu;
    request.u.vcpuextstate.size = size;
    return request;
}

/* Without a buffer Xen tells size and features, and wants both back exactly. */
int compat_get_extended(xen_control *control, uint32_t domid, uint32_t vcpu, uint8_t *state,
                        uint32_t size)
{
    struct xen_domctl request = extended_request(domid, vcpu, 0);
    int result = extended_call(control, &request, XEN_DOMCTL_getvcpuextstate, NULL);
    uint64_t bytes = request.u.vcpuextstate.size;
    uint8_t *buffer;

    if (result < 0 || bytes == 0)
        return result;
    if (bytes > size)
        return -ENOBUFS;
    buffer = xencall_alloc_buffer(control->call, bytes);
    if (!buffer)
        return -ENOMEM;
    result = extended_call(control, &request, XEN_DOMCTL_getvcpuextstate, buffer);
    bytes = request.u.vcpuextstate.size;
    if (result >= 0 && bytes <= size) {
        memcpy(state, buffer, bytes);
        result = bytes > COMPAT_EXTENDED_HEAD ? (int)bytes : 0;
    }
    xencall_free_buffer(control->call, buffer);
    return result;
}

int compat_set_extended(xen_control *control, uint32_t domid, uint32_t vcpu, const uint8_t *state,
                        uint32_t size)
{
    struct xen_domctl request = extended_request(domid, vcpu, size);
    uint8_t *buffer = xencall_alloc_buffer(control->call, size);
    int result;

    if (!buffer)
        return -ENOMEM;
    memcpy(buffer, state, size);
    result = extended_call(control, &request, XEN_DOMCTL_setvcpuextstate, buffer);
    xencall_free_buffer(control->call, buffer);
    return result;
}

int compat_translate(xen_control *control, uint32_t domid, uint32_t vcpu, uint64_t address,
                     uint64_t *frame)
{
    *frame = xc_translate_foreign_address(control->xc, domid, (int)vcpu, address);
    return *frame ? 0 : -EFAULT;
}

int compat_log(xen_control *control, uint32_t *position, char *text, uint32_t size)
{
    unsigned length = size;
    int result = xc_readconsolering(control->xc, text, &length, 0, 1, position);

    return result < 0 ? answer(result) : (int)length;
}

int compat_nmi(xen_control *control, uint32_t domid, uint32_t vcpu)
{
    return answer(xc_domain_send_trigger(control->xc, domid, XEN_DOMCTL_SENDTRIGGER_NMI, vcpu));
}

/* A policy in the form of leaves and MSRs. */
typedef struct policy {
    xc_cpu_policy_t *object;
    xen_cpuid_leaf_t *leaves;
    xen_msr_entry_t *msrs;
    uint32_t leaf_count, msr_count;
} policy;

static void policy_free(policy *p)
{
    alloc_free(p->leaves);
    alloc_free(p->msrs);
    if (p->object)
        xc_cpu_policy_destroy(p->object);
}

static int policy_make(xen_control *control, policy *p)
{
    memset(p, 0, sizeof *p);
    if (xc_cpu_policy_get_size(control->xc, &p->leaf_count, &p->msr_count) < 0)
        return answer(-1);
    p->object = xc_cpu_policy_init();
    p->leaves = alloc_array(p->leaf_count, sizeof *p->leaves);
    p->msrs = alloc_array(p->msr_count, sizeof *p->msrs);
    return p->object && p->leaves && p->msrs ? 0 : -ENOMEM;
}

static int hypervisor_leaf(uint32_t leaf)
{
    return leaf >> 28 == 4;
}

static void entry_from(vsdk_x86_cpuid_entry *to, const xen_cpuid_leaf_t *from)
{
    int sub = from->subleaf != XEN_CPUID_NO_SUBLEAF;

    *to = (vsdk_x86_cpuid_entry){.leaf = from->leaf,
                                 .subleaf = sub ? from->subleaf : 0,
                                 .flags = (uint32_t)sub,
                                 .eax = from->a,
                                 .ebx = from->b,
                                 .ecx = from->c,
                                 .edx = from->d};
}

static int policy_list(xen_control *control, policy *p, vsdk_x86_cpuid_entry **entries,
                       uint32_t *count)
{
    if (xc_cpu_policy_serialise(control->xc, p->object, p->leaves, &p->leaf_count, p->msrs,
                                &p->msr_count) < 0)
        return answer(-1);
    *entries = alloc_array(p->leaf_count, sizeof **entries);
    if (!*entries)
        return -ENOMEM;
    *count = 0;
    for (uint32_t i = 0; i < p->leaf_count; i++)
        if (!hypervisor_leaf(p->leaves[i].leaf))
            entry_from(&(*entries)[(*count)++], &p->leaves[i]);
    return 0;
}

int compat_cpuid_default(xen_control *control, vsdk_x86_cpuid_entry **entries, uint32_t *count)
{
    policy p;
    int result = policy_make(control, &p);

    if (result == 0)
        result = answer(
            xc_cpu_policy_get_system(control->xc, XEN_SYSCTL_cpu_policy_hvm_default, p.object));
    if (result >= 0)
        result = policy_list(control, &p, entries, count);
    policy_free(&p);
    return result;
}

int compat_cpuid_domain(xen_control *control, uint32_t domid, vsdk_x86_cpuid_entry **entries,
                        uint32_t *count)
{
    policy p;
    int result = policy_make(control, &p);

    if (result == 0)
        result = answer(xc_cpu_policy_get_domain(control->xc, domid, p.object));
    if (result >= 0)
        result = policy_list(control, &p, entries, count);
    policy_free(&p);
    return result;
}

int compat_cpuid_start(xen_control *control, uint32_t domid)
{
    return answer(
        xc_cpuid_apply_policy(control->xc, domid, false, NULL, 0, true, false, false, NULL, NULL));
}

static xen_cpuid_leaf_t *leaves_of(const vsdk_x86_cpuid_entry *entries, uint32_t count)
{
    xen_cpuid_leaf_t *leaves = alloc_array(count, sizeof *leaves);

    for (uint32_t i = 0; leaves && i < count; i++)
        leaves[i] = (xen_cpuid_leaf_t){.leaf = entries[i].leaf,
                                       .subleaf = entries[i].flags & 1 ? entries[i].subleaf
                                                                       : XEN_CPUID_NO_SUBLEAF,
                                       .a = entries[i].eax,
                                       .b = entries[i].ebx,
                                       .c = entries[i].ecx,
                                       .d = entries[i].edx};
    return leaves;
}

int compat_cpuid_update(xen_control *control, uint32_t domid, const vsdk_x86_cpuid_entry *entries,
                        uint32_t count)
{
    xen_cpuid_leaf_t *leaves = leaves_of(entries, count);
    xc_cpu_policy_t *object = xc_cpu_policy_init();
    int result = -ENOMEM;

    if (!leaves || !object)
        goto out;
    result = answer(xc_cpu_policy_get_domain(control->xc, domid, object));
    if (result >= 0)
        result = answer(xc_cpu_policy_update_cpuid(control->xc, object, leaves, count));
    if (result >= 0)
        result = answer(xc_cpu_policy_set_domain(control->xc, domid, object));
out:
    if (object)
        xc_cpu_policy_destroy(object);
    alloc_free(leaves);
    return result;
}
