/* SPDX-License-Identifier: Apache-2.0 */
/* The fake of libxenctrl and of hypercalls: domains, their memory and their processors. */
#include "fake.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xen/hvm/dm_op.h>
#include <xen/hvm/save.h>
#include <xen/version.h>
#include <xencall.h>
#include <xenguest.h>

struct fake fake;
static struct xc_interface_core *const xc = (struct xc_interface_core *)&fake;

void fake_reset(void)
{
    for (int i = 0; i < FAKE_DOMAINS; i++)
        if (fake.domains[i].domid)
            fake_remove(&fake.domains[i]);
    fake = (struct fake){
        .version = 4 << 16 | 17,
        .capabilities = XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap,
        .free_pages = FAKE_FREE_PAGES,
        .populate_most = ~0u,
        .virq = -1,
    };
}

int fake_fails(const char *function)
{
    if (++fake.calls != fake.fail)
        return 0;
    fake.failed = function;
    errno = fake.error;
    return 1;
}

static int refuses(const char *function)
{
    if (fake_fails(function))
        return 1;
    errno = fake.refused;
    return fake.refused != 0;
}
#define CONTROL_CALL()                                                                             \
    if (refuses(__func__))                                                                         \
    return -1

struct fake_domain *fake_find(uint32_t domid)
{
    for (int i = 0; domid && i < FAKE_DOMAINS; i++)
        if (fake.domains[i].domid == domid)
            return &fake.domains[i];
    errno = ESRCH;
    return NULL;
}

void fake_remove(struct fake_domain *domain)
{
    fake.free_pages += domain->pages;
    syscall(SYS_close, domain->memory); /* Xen's: no cancellation point */
    munmap(domain->requests, 4096);
    free(domain->populated);
    free(domain->context);
    *domain = (struct fake_domain){0};
}

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild,
                                unsigned flags)
{
    FAKE_CALL(NULL);
    fake.handles++;
    return xc;
}

int xc_interface_close(xc_interface *xch)
{
    fake.handles--;
    return 0;
}

int xc_version(xc_interface *xch, int command, void *argument)
{
    FAKE_CALL(-1);
    return (int)fake.version;
}

int xc_physinfo(xc_interface *xch, xc_physinfo_t *info)
{
    CONTROL_CALL();
    info->free_pages = fake.free_pages;
    info->outstanding_pages = fake.promised_pages;
    info->capabilities = fake.capabilities;
    return 0;
}

static void describe(xc_domaininfo_t *info, const struct fake_domain *domain)
{
    memset(info, 0, sizeof *info);
    info->domain = (domid_t)domain->domid;
    info->tot_pages = domain->pages;
    memcpy(info->handle, domain->handle, sizeof domain->handle);
    if (domain->dying)
        info->flags |= XEN_DOMINF_dying;
    if (domain->shut)
        info->flags |= XEN_DOMINF_shutdown | (uint32_t)domain->code << XEN_DOMINF_shutdownshift;
}

int xc_domain_getinfolist(xc_interface *xch, uint32_t first, unsigned most, xc_domaininfo_t *info)
{
    int count = 0;

    CONTROL_CALL();
    fake.asked++;
    for (int i = 0; i < FAKE_DOMAINS && count < (int)most; i++)
        if (fake.domains[i].domid && fake.domains[i].domid >= first)
            describe(&info[count++], &fake.domains[i]);
    return count;
}

int xc_domain_create(xc_interface *xch, uint32_t *domid, struct xen_domctl_createdomain *config)
{
    struct fake_domain *domain = fake.domains;

    CONTROL_CALL();
    while (domain->domid)
        domain++;
    *domid = (uint32_t)(domain - fake.domains) + 5;
    *domain = (struct fake_domain){.domid = *domid,
                                   .pauses = 1,
                                   .events = {-1, -1},
                                   .own_event = -1,
                                   .ports_most = (uint32_t)config->max_evtchn_port};
    memcpy(domain->handle, config->handle, sizeof domain->handle);
    domain->memory = memfd_create("domain", MFD_CLOEXEC);
    domain->populated = calloc(FAKE_FRAMES, 1);
    domain->context = calloc(FAKE_VCPUS, sizeof *domain->context);
    if (ftruncate(domain->memory, FAKE_MEMORY_BYTES + 4096) < 0)
        return -1;
    domain->requests =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, domain->memory, FAKE_MEMORY_BYTES);
    return 0;
}

int xc_domain_max_vcpus(xc_interface *xch, uint32_t domid, unsigned most)
{
    CONTROL_CALL();
    fake_find(domid)->vcpus = most;
    return 0;
}

int xc_domain_destroy(xc_interface *xch, uint32_t domid)
{
    struct fake_domain *domain = fake_find(domid);

    CONTROL_CALL();
    if (!domain)
        return -1;
    fake.destroyed++;
    fake_remove(domain);
    return 0;
}

int xc_domain_pause(xc_interface *xch, uint32_t domid)
{
    struct fake_domain *domain = fake_find(domid);

    CONTROL_CALL();
    if (!domain)
        return -1;
    domain->pauses++;
    return 0;
}

int xc_domain_unpause(xc_interface *xch, uint32_t domid)
{
    struct fake_domain *domain = fake_find(domid);

    CONTROL_CALL();
    if (!domain || domain->pauses == 0)
        return errno = EINVAL, -1;
    domain->pauses--;
    return 0;
}

int xc_domain_shutdown(xc_interface *xch, uint32_t domid, int code)
{
    struct fake_domain *domain = fake_find(domid);

    FAKE_CALL(-1);
    if (!domain)
        return -1;
    if (!domain->shut)
        fake_shut(domain, code);
    return 0;
}

int xc_domain_resume(xc_interface *xch, uint32_t domid, int fast)
{
    struct fake_domain *domain = fake_find(domid);

    CONTROL_CALL();
    if (!domain || fast)
        return errno = EINVAL, -1;
    domain->shut = 0;
    domain->resumed++;
    return 0;
}

/* Refused unless the domain has ended and is paused, as by Xen. */
int xc_domain_soft_reset(xc_interface *xch, uint32_t domid)
{
    struct fake_domain *domain = fake_find(domid);

    CONTROL_CALL();
    if (!domain || !domain->shut || !domain->pauses)
        return errno = EINVAL, -1;
    domain->own_event = -1;
    domain->own_ports = 0;
    domain->shut = 0;
    domain->soft_resets++;
    return 0;
}

int xc_vcpu_getinfo(xc_interface *xch, uint32_t domid, uint32_t vcpu, xc_vcpuinfo_t *info)
{
    struct fake_domain *domain = fake_find(domid);

    CONTROL_CALL();
    if (!domain || vcpu >= domain->vcpus)
        return errno = ESRCH, -1;
    *info = (xc_vcpuinfo_t){.online = domain->online >> vcpu & 1};
    return 0;
}

int xc_readconsolering(xc_interface *xch, char *text, unsigned *length, int clear, int incremental,
                       uint32_t *position)
{
    size_t all = fake.log ? strlen(fake.log) : 0;

    CONTROL_CALL();
    if (*position > all)
        *position = (uint32_t)all;
    if (*length > all - *position)
        *length = (unsigned)(all - *position);
    if (*length)
        memcpy(text, fake.log + *position, *length);
    *position += *length;
    return 0;
}

/* Guests of the fake have no paging. */
unsigned long xc_translate_foreign_address(xc_interface *xch, uint32_t domid, int vcpu,
                                           unsigned long long address)
{
    FAKE_CALL(0);
    return address >> 12;
}

int xc_hvm_param_set(xc_interface *xch, uint32_t domid, uint32_t number, uint64_t value)
{
    FAKE_CALL(-1);
    fake_find(domid)->params[number] = value;
    return 0;
}

xc_evtchn_port_or_error_t xc_evtchn_alloc_unbound(xc_interface *xch, uint32_t domid,
                                                  uint32_t remote)
{
    struct fake_domain *domain = fake_find(domid);

    FAKE_CALL(-1);
    if (!domain || remote != DOMID_SELF)
        return errno = EINVAL, -1;
    return FAKE_OWN_PORT + (int)domain->own_ports++;
}

int xc_domain_set_tsc_info(xc_interface *xch, uint32_t domid, uint32_t mode, uint64_t elapsed,
                           uint32_t khz, uint32_t incarnation)
{
    CONTROL_CALL();
    return 0;
}

int xc_domain_setmaxmem(xc_interface *xch, uint32_t domid, uint64_t kib)
{
    struct fake_domain *domain = fake_find(domid);

    CONTROL_CALL();
    if (!domain)
        return -1;
    domain->most_pages = kib / 4;
    return 0;
}

int xc_set_paging_mempool_size(xc_interface *xch, uint32_t domid, uint64_t bytes)
{
    CONTROL_CALL();
    return 0;
}

static int may_have(const struct fake_domain *domain, xen_pfn_t frame, uint64_t pages)
{
    return frame + pages <= FAKE_FRAMES && fake.free_pages >= pages &&
           domain->pages + pages <= domain->most_pages;
}

int xc_domain_populate_physmap(xc_interface *xch, uint32_t domid, unsigned long count,
                               unsigned order, unsigned flags, xen_pfn_t *frames)
{
    struct fake_domain *domain = fake_find(domid);
    uint64_t pages = 1ull << order;
    unsigned long done = 0;

    FAKE_CALL(-1);
    if (order && fake.no_large)
        return 0;
    for (; domain && done < count && done < fake.populate_most; done++) {
        if (!may_have(domain, frames[done], pages))
            break;
        memset(domain->populated + frames[done], 1, pages);
        domain->pages += pages;
        fake.free_pages -= pages;
    }
    return domain ? (int)done : -1;
}

void fake_give(struct fake_domain *domain, xen_pfn_t frame, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        domain->populated[frame + i] = 0;
    domain->pages -= count;
    fake.free_pages += count;
}

void fake_take(struct fake_domain *domain, xen_pfn_t frame, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        domain->populated[frame + i] = 1;
    domain->pages += count;
    fake.free_pages -= count;
}

int xc_domain_decrease_reservation(xc_interface *xch, uint32_t domid, unsigned long count,
                                   unsigned order, xen_pfn_t *frames)
{
    struct fake_domain *domain = fake_find(domid);
    unsigned long done = 0;

    FAKE_CALL(-1);
    while (domain && done < count && frames[done] < FAKE_FRAMES &&
           (!fake.kept_frame || frames[done] != fake.kept_frame) &&
           domain->populated[frames[done]]) {
        domain->populated[frames[done]] = 0;
        domain->pages--;
        fake.free_pages++;
        done++;
    }
    return domain ? (int)done : -1;
}

static uint32_t add_record(uint8_t *to, uint16_t type, uint16_t instance, const void *record,
                           uint32_t length)
{
    struct hvm_save_descriptor head = {type, instance, length};

    memcpy(to, &head, sizeof head);
    if (length)
        memcpy(to + sizeof head, record, length);
    return (uint32_t)sizeof head + length;
}

int xc_domain_hvm_getcontext(xc_interface *xch, uint32_t domid, uint8_t *state, uint32_t size)
{
    struct fake_domain *domain = fake_find(domid);
    HVM_SAVE_TYPE(HEADER) header = {.magic = HVM_FILE_MAGIC};
    HVM_SAVE_TYPE(MTRR) types = {0};
    HVM_SAVE_TYPE(LAPIC) timer = {0};
    HVM_SAVE_TYPE(LAPIC_REGS) regs = {{0}};
    HVM_SAVE_TYPE(CPU) cpu = {0};
    uint32_t at;

    CONTROL_CALL();
    if (!domain)
        return -1;
    if (!state)
        return 16384;
    at = add_record(state, HVM_SAVE_CODE(HEADER), 0, &header, sizeof header);
    for (uint16_t i = 0; i < domain->vcpus; i++) {
        at += add_record(state + at, HVM_SAVE_CODE(LAPIC), i, &timer, sizeof timer);
        at += add_record(state + at, HVM_SAVE_CODE(LAPIC_REGS), i, &regs, sizeof regs);
        at += add_record(state + at, HVM_SAVE_CODE(MTRR), i, &types, sizeof types);
        if (domain->online >> i & 1)
            at += add_record(state + at, HVM_SAVE_CODE(CPU), i, &cpu, sizeof cpu);
    }
    return (int)(at + add_record(state + at, HVM_SAVE_CODE(END), 0, NULL, 0));
}

/* As Xen loads one: processors that are not in it go down, and a local APIC with a count takes the
 * place of the timer that ran, one without leaves it. */
static void load_state(struct fake_domain *domain, const uint8_t *state, uint32_t size)
{
    struct hvm_save_descriptor head;

    domain->online = 0;
    for (uint32_t at = 0; at + sizeof head <= size; at += head.length) {
        memcpy(&head, state + at, sizeof head);
        at += (uint32_t)sizeof head;
        if (head.typecode == HVM_SAVE_CODE(CPU)) {
            HVM_SAVE_TYPE(CPU) cpu;
            vcpu_guest_context_any_t *context = &domain->context[head.instance];
            memcpy(&cpu, state + at, sizeof cpu);
            domain->online |= 1u << head.instance;
            context->x64.user_regs.rip = cpu.rip;
            context->x64.user_regs.rax = cpu.rax;
        } else if (head.typecode == HVM_SAVE_CODE(LAPIC_REGS)) {
            uint32_t count;
            memcpy(&count, state + at + 0x380, sizeof count);
            if (count)
                domain->timers &= ~(1u << head.instance);
        }
    }
    domain->initialised |= domain->online;
}

int xc_domain_hvm_setcontext(xc_interface *xch, uint32_t domid, uint8_t *state, uint32_t size)
{
    struct fake_domain *domain = fake_find(domid);

    CONTROL_CALL();
    if (!domain)
        return -1;
    load_state(domain, state, size);
    return 0;
}

int xc_domain_hvm_getcontext_partial(xc_interface *xch, uint32_t domid, uint16_t type,
                                     uint16_t instance, void *record, uint32_t size)
{
    struct fake_domain *domain = fake_find(domid);

    CONTROL_CALL();
    if (!domain || !(domain->online >> instance & 1))
        return errno = ENODATA, -1;
    memset(record, 0, size);
    return 0;
}

int xc_vcpu_getcontext(xc_interface *xch, uint32_t domid, uint32_t vcpu,
                       vcpu_guest_context_any_t *context)
{
    struct fake_domain *domain = fake_find(domid);

    CONTROL_CALL();
    if (!domain || !(domain->initialised >> vcpu & 1))
        return errno = ENODATA, -1;
    *context = domain->context[vcpu];
    context->x64.flags = domain->online >> vcpu & 1 ? VGCF_online : 0;
    return 0;
}

int xc_vcpu_setcontext(xc_interface *xch, uint32_t domid, uint32_t vcpu,
                       vcpu_guest_context_any_t *context)
{
    struct fake_domain *domain = fake_find(domid);

    CONTROL_CALL();
    if (!domain)
        return -1;
    domain->context[vcpu] = *context;
    domain->online &= ~(1u << vcpu);
    if (context->x64.flags & VGCF_online)
        domain->online |= 1u << vcpu;
    return 0;
}

int xc_domain_send_trigger(xc_interface *xch, uint32_t domid, uint32_t trigger, uint32_t vcpu)
{
    CONTROL_CALL();
    return 0;
}

/* CPUID: a policy of few leaves, which nobody can change. */
struct xc_cpu_policy {
    int unused;
};

xc_cpu_policy_t *xc_cpu_policy_init(void)
{
    FAKE_CALL(NULL);
    fake.handles++;
    return calloc(1, sizeof(xc_cpu_policy_t));
}

void xc_cpu_policy_destroy(xc_cpu_policy_t *policy)
{
    fake.handles--;
    free(policy);
}

int xc_cpu_policy_get_system(xc_interface *xch, unsigned which, xc_cpu_policy_t *policy)
{
    CONTROL_CALL();
    return 0;
}

int xc_cpu_policy_get_domain(xc_interface *xch, uint32_t domid, xc_cpu_policy_t *policy)
{
    CONTROL_CALL();
    return 0;
}

int xc_cpu_policy_set_domain(xc_interface *xch, uint32_t domid, xc_cpu_policy_t *policy)
{
    CONTROL_CALL();
    return 0;
}

int xc_cpu_policy_update_cpuid(xc_interface *xch, xc_cpu_policy_t *policy,
                               const xen_cpuid_leaf_t *leaves, uint32_t count)
{
    FAKE_CALL(-1);
    return 0;
}

static const xen_cpuid_leaf_t policy_leaves[] = {
    {0, XEN_CPUID_NO_SUBLEAF, 0xb, 0, 0, 0},
    {1, XEN_CPUID_NO_SUBLEAF, 0x800f12, 0, 0, 0},
    {0x40000000, XEN_CPUID_NO_SUBLEAF, 0x40000005, 0, 0, 0},
    {0x80000008, XEN_CPUID_NO_SUBLEAF, 0x3030, 0, 0, 0},
};
enum { LEAVES = sizeof policy_leaves / sizeof *policy_leaves };

int xc_cpu_policy_get_size(xc_interface *xch, uint32_t *leaves, uint32_t *msrs)
{
    CONTROL_CALL();
    *leaves = LEAVES;
    *msrs = 1;
    return 0;
}

int xc_cpu_policy_serialise(xc_interface *xch, const xc_cpu_policy_t *policy,
                            xen_cpuid_leaf_t *leaves, uint32_t *leaf_count, xen_msr_entry_t *msrs,
                            uint32_t *msr_count)
{
    FAKE_CALL(-1);
    memcpy(leaves, policy_leaves, sizeof policy_leaves);
    *leaf_count = LEAVES;
    *msr_count = 0;
    return 0;
}

int xc_cpuid_apply_policy(xc_interface *xch, uint32_t domid, bool restore,
                          const uint32_t *featureset, unsigned count, bool pae, bool itsc,
                          bool nested, const struct xc_xend_cpuid *xend, const struct xc_msr *msr)
{
    CONTROL_CALL();
    return 0;
}

/* The raw calls are about frames, and extended state: a header and an area of 576 bytes. */
enum { EXTENDED = 16 + 576 };

xencall_handle *xencall_open(xentoollog_logger *logger, unsigned flags)
{
    FAKE_CALL(NULL);
    fake.handles++;
    return (xencall_handle *)&fake;
}

int xencall_close(xencall_handle *call)
{
    fake.handles--;
    return 0;
}

void *xencall_alloc_buffer(xencall_handle *call, size_t bytes)
{
    FAKE_CALL(NULL);
    fake.handles++;
    return calloc(1, bytes);
}

void xencall_free_buffer(xencall_handle *call, void *buffer)
{
    fake.handles -= buffer != NULL;
    free(buffer);
}

int xencall1(xencall_handle *call, unsigned number, uint64_t argument)
{
    struct xen_domctl *request = (struct xen_domctl *)(uintptr_t)argument;
    const struct fake_domain *domain;

    CONTROL_CALL();
    if (request->cmd == XEN_DOMCTL_getpageframeinfo3) {
        uint64_t *frames = request->u.getpageframeinfo3.array.p;
        domain = fake_find(request->domain);
        if (!domain || request->u.getpageframeinfo3.num > 1024)
            return errno = EINVAL, -1;
        for (unsigned i = 0; i < request->u.getpageframeinfo3.num; i++)
            frames[i] = frames[i] < FAKE_FRAMES && domain->populated[frames[i]]
                            ? XEN_DOMCTL_PFINFO_NOTAB
                            : XEN_DOMCTL_PFINFO_XTAB;
        return 0;
    }
    if (request->cmd == XEN_DOMCTL_getvcpuextstate && !request->u.vcpuextstate.buffer.p)
        request->u.vcpuextstate.xfeature_mask = 3;
    request->u.vcpuextstate.size = EXTENDED;
    return 0;
}

/* The one device operation that the library of them has no function for. */
int xencall3(xencall_handle *call, unsigned number, uint64_t domid, uint64_t count, uint64_t list)
{
    struct fake_domain *domain = fake_find((uint32_t)domid);
    const struct xen_dm_op_buf *buffer = (const struct xen_dm_op_buf *)(uintptr_t)list;
    const struct xen_dm_op *request = buffer->h.p;

    CONTROL_CALL();
    if (!domain || number != __HYPERVISOR_dm_op || count != 1 || buffer->size != sizeof *request ||
        request->op != XEN_DMOP_map_io_range_to_ioreq_server ||
        request->u.map_io_range_to_ioreq_server.type != XEN_DMOP_IO_RANGE_PCI)
        return errno = EINVAL, -1;
    domain->config_first = request->u.map_io_range_to_ioreq_server.start;
    domain->config_last = request->u.map_io_range_to_ioreq_server.end;
    domain->config_claimed = 1;
    return 0;
}
